"""Which files of a folder or archive count as images, by their names, first bytes and sizes."""

import functools
import re

from stylegan_tf.data.sources.base import HIDDEN, MAX_FILE_BYTES, is_bomb

# Formats that Pillow decodes by itself. All others are refused, whatever the name of a file: Pillow passes EPS and WMF to other
# programs (Ghostscript can execute what it reads), IPTC contains a file of any other format, and sizes inside of BLP, ICNS and
# compressed FITS files are not known from their headers. Formats of measurements (FITS, SPIDER) have no known black and white.
# Pillow ignores the transparency of some cursors (CUR).
READABLE_FORMATS = (
    *("AVIF", "BMP", "DCX", "DDS", "DIB", "FLI", "GIF", "ICO", "JPEG", "JPEG2000", "MSP", "PCX", "PNG", "PPM", "PSD"),
    *("QOI", "SGI", "SUN", "TGA", "TIFF", "WEBP", "XBM", "XPM"),
)
SNIFF_BYTES = 16

_NEEDS_CONVERSION = {
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf"), "camera raw file (develop it first)"),
    **dict.fromkeys((".heic", ".heif"), "HEIC file (convert it first, Pillow does not read it)"),
    **dict.fromkeys((".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"), "video (extract its frames first)"),
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".rar", ".7z"), "archive inside the source (unpack it first)"),
    **dict.fromkeys((".svg", ".eps", ".ps", ".pdf", ".wmf", ".emf"), "vector drawing or document"),
}
_USUAL_ENDINGS = frozenset({".png", ".jpg", ".jpeg"})  # known without Pillow, which would import 50 modules
MAX_NAME_CHARS = 4096  # of an archive entry, as of paths on Linux
_SYSTEM_NAMES = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"})


@functools.cache
def image_endings() -> frozenset[str]:
    """Endings of image files in lower case, with the dot."""
    from PIL import Image

    Image.init()
    known = {ending for ending, kind in Image.registered_extensions().items() if kind in READABLE_FORMATS}
    return frozenset(known) - frozenset(_NEEDS_CONVERSION)


def not_image_reason(name: str) -> str | None:
    """Why a file is not an image, by its name alone; None if it may be one.

    Args:
        name: path inside the source, "/" between folders.
    """
    parts = name.split("/")
    base = parts[-1].lower()
    if any(part.startswith(".") for part in parts) or "__MACOSX" in parts:
        return HIDDEN
    if base in _SYSTEM_NAMES:
        return "file of the operating system"
    return _NEEDS_CONVERSION.get(_ending(base))


def has_image_ending(name: str) -> bool:
    """True if the name has the ending of an image format."""
    ending = _ending(name.lower())
    return ending in _USUAL_ENDINGS or ending in image_endings()


def looks_like_image(first_bytes: bytes) -> bool:
    """True if a file starts like the common image formats, whatever its name."""
    starts = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
    return first_bytes.startswith(starts) or (first_bytes[:4] == b"RIFF" and first_bytes[8:12] == b"WEBP")


def entry_name(raw: str) -> str | None:
    """The name of an archive entry as a path inside the archive, "/" between folders; None if it points outside or is too long.

    Nothing is ever unpacked to such a name, but an entry with one was not put there by the user.
    """
    if len(raw) > MAX_NAME_CHARS:
        return None
    name = raw.replace("\\", "/")
    name = re.sub(r"^(\./)+", "", name)
    if not name or name.startswith("/") or re.match(r"[A-Za-z]:", name) or ".." in name.split("/") or "\0" in name:
        return None
    return name


def size_reason(num_bytes: int, packed_bytes: int) -> str | None:
    """Why an archive entry of this size is ignored; None if it is not."""
    if num_bytes > MAX_FILE_BYTES:
        return f"entry of more than {MAX_FILE_BYTES >> 20} MB"
    if is_bomb(num_bytes, packed_bytes):
        return "entry that unpacks to more than 200 times its size"
    return None


def _ending(base: str) -> str:
    dot = base.rfind(".")
    return base[dot:] if dot >= 0 else ""
