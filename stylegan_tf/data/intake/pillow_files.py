"""Opens image files with Pillow: only formats that it decodes by itself, and only up to a limit of pixels and bytes."""

import functools
import io
import struct
from typing import TYPE_CHECKING

from stylegan_tf.data.sources.base import UnusableImage
from stylegan_tf.data.sources.file_names import READABLE_FORMATS

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MAX_PIXELS = 128_000_000  # of one image; the default of every reader
_BYTES_PER_PIXEL = 4  # of the limit: 512 MB, which 128 million RGB pixels take in Pillow
_MODE_BYTES = {"1": 2, "L": 1, "I;16": 3, "P": 5, "PA": 8, "RGB": 4, "RGBA": 8}  # in Pillow's memory, with the conversion to 8 bits
_OTHER_MODE_BYTES = 8
_MAX_SCANS = 200  # of a JPEG; usual are 1 to 12
_RAISED_BY = "(--max-pixels)"
_ICO_ENTRY = struct.Struct("<4BHHLL")


def open_picture(data: bytes, max_pixels: int = MAX_PIXELS) -> "Picture":
    """Pillow's picture of a file, of which only the header has been read.

    Formats that Pillow passes to other programs (EPS, WMF) or does not decode are refused, whatever the name of the file.

    Args:
        max_pixels: see `check_size`.

    Raises:
        UnusableImage: not an image of a known format, damaged, or larger than the limit.
    """
    from PIL import Image, UnidentifiedImageError

    _silence_pillow()
    if size := _webp_size(data):  # Pillow takes the memory of WebP and icons when it opens the file
        check_size(*size, 12, max_pixels)
    _check_icon(data, max_pixels)
    try:
        picture = Image.open(io.BytesIO(data), formats=READABLE_FORMATS)
    except UnidentifiedImageError:
        if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            raise UnusableImage("unsupported pixels", "TIFF of a kind that is not read, or with a damaged header") from None
        raise UnusableImage("not an image", "a format that is not read") from None
    except Image.DecompressionBombError as error:
        raise UnusableImage("too many pixels", str(error).split(",")[0]) from None
    if picture.format == "JPEG":  # reduces by powers of two while decoding; progressive files are kept as coefficients
        coefficients = 2 * len(picture.getbands()) if picture.info.get("progressive") else 0
        check_size(*picture.size, coefficients, max_pixels)
        if data.count(b"\xff\xda") > _MAX_SCANS:  # each is a pass over all pixels
            raise UnusableImage("corrupt", f"more than {_MAX_SCANS} scans")
    else:
        check_size(*picture.size, _decoding_bytes(picture, data), max_pixels)
    return picture


def check_size(width: int, height: int, bytes_per_pixel: int, max_pixels: int) -> None:
    """Refuses an image before it is decoded.

    Args:
        width, height: from its header.
        bytes_per_pixel: that decoding takes.
        max_pixels: limit of the pixels; that of the bytes is four times as large.

    Raises:
        UnusableImage: more pixels or bytes than the limit.
    """
    if width * height > max_pixels:
        raise UnusableImage("too many pixels", f"{width}x{height}; at most {max_pixels / 1e6:g} million are decoded {_RAISED_BY}")
    if width * height * bytes_per_pixel > max_pixels * _BYTES_PER_PIXEL:
        needed, allowed = width * height * bytes_per_pixel / 1e6, max_pixels * _BYTES_PER_PIXEL / 1e6
        raise UnusableImage(
            "too many pixels", f"{width}x{height} take {needed:.0f} MB to decode; {allowed:.0f} MB are allowed {_RAISED_BY}"
        )


def _decoding_bytes(picture: "Picture", data: bytes) -> int:
    """Bytes per pixel that decoding takes at its peak, by format and mode."""
    kept = _MODE_BYTES.get(picture.mode, _OTHER_MODE_BYTES)
    if "transparency" in picture.info:
        kept = max(kept, 5)
    if picture.format == "JPEG2000":  # OpenJPEG decodes to 32 bits per sample
        return kept + 4 * len(picture.getbands())
    if picture.format == "AVIF":  # planes of up to 16 bits, then RGBA
        return kept + 10
    if picture.format == "TIFF":  # a strip or tile may be the whole image
        return kept + sum(picture.tag_v2.get(258, (1,))) // 8
    if picture.format == "PNG" and data[24:25] == b"\x10":  # OpenCV decodes 16 bits
        return kept + 6 * len(picture.getbands())
    return kept


def _webp_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a WebP file; None for any other file."""
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _check_icon(data: bytes, max_pixels: int) -> None:
    """Refuses an icon that contains a larger image than its directory states: Pillow decodes what the image states."""
    is_icon = data[:4] == b"\0\0\1\0" and len(data) >= 6
    for number in range(struct.unpack_from("<H", data, 4)[0] if is_icon else 0):
        start = 6 + number * _ICO_ENTRY.size
        if start + _ICO_ENTRY.size > len(data):
            break
        *_, offset = _ICO_ENTRY.unpack_from(data, start)
        if data[offset : offset + 8] == b"\x89PNG\r\n\x1a\n":
            width, height = struct.unpack_from(">II", data.ljust(offset + 24), offset + 16)
        else:
            width, height = map(abs, struct.unpack_from("<ii", data.ljust(offset + 12), offset + 4))
        check_size(width, height, _OTHER_MODE_BYTES, max_pixels)


@functools.cache
def _silence_pillow() -> None:
    """Turns off Pillow's warnings of odd metadata and of large images: the limits are checked here.

    Pillow raises an exception for the errors of its copy of libtiff, which also writes them to stderr.
    """
    import ctypes
    import logging
    import warnings

    from PIL import Image

    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    libraries = ctypes.CDLL(Image.core.__file__)  # symbols are looked up in the libraries that it is linked with, too
    for name in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
        if hasattr(libraries, name):  # not in Pillow without libtiff
            getattr(libraries, name)(None)
