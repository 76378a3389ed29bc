"""PNG files as records can hold them: the chunks of a file, and the files that are stored without encoding them again."""

import struct
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 6: 4}  # by colour type: grey, RGB, RGBA
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})  # other chunks with a capital first letter change what the pixels mean
_MAX_SIDE = 1_000_000  # libpng's own limit


def strip_png(data: bytes, resolution: int, channels: int) -> bytes | None:
    """A PNG file reduced to its image, or None if it cannot be stored as it is.

    Accepted are 8-bit grey, RGB and RGBA of the right size that libpng, which decodes the records, can read. Colour profiles,
    text and EXIF (which may hold names and places) are removed, which changes no pixel.
    """
    shape = _shape(data)
    if shape != (resolution, resolution, channels) or not _is_readable_by_libpng(data, shape):
        return None
    kept = [data[:8]]
    for kind, start, stop in png_chunks(data):
        if stop + 4 > len(data) or kind == b"tRNS":
            return None
        if kind in (b"IHDR", b"IDAT", b"IEND"):
            kept.append(data[start - 8 : stop + 4])
        if kind == b"IEND":
            return b"".join(kept)
    return None


def _shape(data: bytes) -> tuple[int, int, int] | None:
    """(height, width, channels) from the header; None for anything but 8-bit grey, RGB and RGBA, not interlaced."""
    if len(data) < 33 or data[:8] != _SIGNATURE or data[8:16] != b"\0\0\0\x0dIHDR":
        return None
    width, height, depth, colour_type, *rest = struct.unpack_from(">IIBBBBB", data, 16)
    if depth != 8 or colour_type not in _CHANNELS or rest != [0, 0, 0] or not width or not height:
        return None
    return height, width, _CHANNELS[colour_type]


def _is_readable_by_libpng(data: bytes, shape: tuple[int, int, int]) -> bool:
    """False for an 8-bit PNG that Pillow can read and libpng may reject."""
    height, width, channels = shape
    for kind, start, _ in png_chunks(data):
        if (kind[:1].isupper() and kind not in _CRITICAL) or (kind == b"IHDR" and start > 16):
            return False
    return max(height, width) <= _MAX_SIDE and _is_window_large_enough(data, height * (width * channels + 1))


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(kind, start, stop) of the content of every chunk up to IEND; the last one may extend beyond the end of the file."""
    position = 8
    while position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        yield kind, position + 8, position + 8 + length
        if kind == b"IEND":
            return
        position += 12 + length


def _is_window_large_enough(data: bytes, size: int) -> bool:
    """Whether the window in the zlib header covers the whole stream: libpng obeys the header where other readers ignore it."""
    first = next((data[start] for kind, start, stop in png_chunks(data) if kind == b"IDAT" and start < min(stop, len(data))), 0x78)
    return 1 << (8 + (first >> 4)) >= min(size, 1 << 15)
