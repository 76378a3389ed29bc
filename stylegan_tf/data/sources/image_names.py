"""Which files are taken for images: by the ending of their name, and where that says nothing by their first bytes."""

import functools

# Formats that Pillow hands to other programs or only names without reading them. Ghostscript must never see a stranger's file.
EXCLUDED_FORMATS = frozenset({"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG", "PDF", "PALM", "XVTHUMB"})
SNIFF_BYTES = 16

_NEEDS_CONVERSION = {
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf"), "camera raw file (develop it first)"),
    **dict.fromkeys((".heic", ".heif"), "HEIC file (convert it first, Pillow does not read it)"),
    **dict.fromkeys((".mp4", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg"), "video (extract its frames first)"),
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".rar", ".7z"), "archive inside the source (unpack it first)"),
    **dict.fromkeys((".svg", ".eps", ".ps", ".pdf", ".wmf", ".emf"), "vector drawing or document"),
}
_USUAL_ENDINGS = frozenset({".png", ".jpg", ".jpeg"})  # known without asking Pillow, which loads 50 modules to answer
_SYSTEM_NAMES = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r"})


@functools.cache
def readable_formats() -> tuple[str, ...]:
    """Names of the formats that Pillow decodes by itself."""
    from PIL import Image

    Image.init()
    return tuple(sorted(set(Image.OPEN) - EXCLUDED_FORMATS))


@functools.cache
def image_endings() -> frozenset[str]:
    """Endings of image files in lower case, with the dot."""
    from PIL import Image

    Image.init()
    formats = set(readable_formats())
    return frozenset(ending for ending, kind in Image.registered_extensions().items() if kind in formats) - frozenset(_NEEDS_CONVERSION)


def stranger_reason(name: str) -> str | None:
    """Why a file is no image by its name alone; None where it may be one.

    Args:
        name: path inside the source, "/" between folders.
    """
    parts = name.split("/")
    base = parts[-1].lower()
    if any(part.startswith(".") for part in parts) or "__MACOSX" in parts:
        return "hidden file"
    if base in _SYSTEM_NAMES:
        return "file of the operating system"
    return _NEEDS_CONVERSION.get(_ending(base))


def has_image_ending(name: str) -> bool:
    """True where the ending of the name is that of an image format."""
    ending = _ending(name.lower())
    return ending in _USUAL_ENDINGS or ending in image_endings()


def looks_like_image(first_bytes: bytes) -> bool:
    """True where a file starts as the common image formats do, whatever its name."""
    starts = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
    return first_bytes.startswith(starts) or (first_bytes[:4] == b"RIFF" and first_bytes[8:12] == b"WEBP")


def _ending(base: str) -> str:
    dot = base.rfind(".")
    return base[dot:] if dot >= 0 else ""
