"""PNG files as records hold them: written from arrays, or taken from a PNG file whose pixels are stored unchanged."""

import struct
from collections.abc import Iterator, Sequence

import numpy as np
from isal import isal_zlib
from zlib_ng import zlib_ng

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # of 1, 3 or 4 channels: grey, RGB, RGBA
_CHANNELS = {colour_type: channels for channels, colour_type in _COLOUR_TYPES.items()}
_AVERAGE = 3  # number of the row filter that subtracts the mean of the pixels to the left and above
_LEVEL = 1  # apple_leaves at 256x256: 0.349 of raw in 0.5 ms; level 0 0.456 in 0.5, level 2 0.344 in 0.6, level 3 0.342 in 1.0
_FILTERED_BYTES = 1 << 20  # pixels filtered at once: many small images, or a few that fit the processor's cache
_STORED_BYTES = 0xFFFF  # maximum size of an uncompressed deflate block
_END = b"\0\0\0\0IEND\xaeB`\x82"
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})  # other chunks with a capital first letter change what the pixels mean
_MAX_SIDE = 1_000_000  # libpng's own limit


def write_pngs(images: np.ndarray) -> list[bytes]:
    """PNG files of uint8 [N, H, W, C], C of 1, 3 or 4 (grey, RGB, RGBA).

    Every row uses the "average" filter: on apple_leaves the other filters give files 0 to 4 % larger at all sizes but 256x256,
    where Paeth's is half a percent smaller and eight times as slow.
    """
    step = max(1, _FILTERED_BYTES // max(1, images[0].size)) if len(images) else 1
    batches = [images[first : first + step] for first in range(0, len(images), step)]
    return [_png_file([isal_zlib.compress(rows, _LEVEL)], images.shape[1:]) for batch in batches for rows in _filtered(batch)]


def stored_png(rows: bytes, shape: tuple[int, int, int]) -> bytes:
    """A PNG of filtered rows without compression, for readers that inflate slowly; see `_png_file`."""
    view, parts = memoryview(rows), [b"\x78\x01"]  # assembled by hand, so that the rows are copied only once
    for first in range(0, len(view), _STORED_BYTES):
        block = view[first : first + _STORED_BYTES]
        parts += [struct.pack("<BHH", first + len(block) == len(view), len(block), 0xFFFF - len(block)), block]
    return _png_file([*parts, struct.pack(">I", zlib_ng.adler32(rows))], shape)


def strip_png(data: bytes, resolution: int, channels: int) -> bytes | None:
    """A PNG file reduced to its image, or None if it cannot be stored as it is.

    Accepted are 8-bit grey, RGB and RGBA of the right size that libpng, which decodes the records, can read. Colour profiles,
    text and EXIF (which may hold names and places) are removed, which changes no pixel.
    """
    shape = png_shape(data)
    if shape != (resolution, resolution, channels) or not is_readable_by_libpng(data, shape):
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


def png_shape(data: bytes) -> tuple[int, int, int] | None:
    """(height, width, channels) from the header; None for anything but 8-bit grey, RGB and RGBA, not interlaced."""
    if len(data) < 33 or data[:8] != _SIGNATURE or data[8:16] != b"\0\0\0\x0dIHDR":
        return None
    width, height, depth, colour_type, *rest = struct.unpack_from(">IIBBBBB", data, 16)
    if depth != 8 or colour_type not in _CHANNELS or rest != [0, 0, 0] or not width or not height:
        return None
    return height, width, _CHANNELS[colour_type]


def is_readable_by_libpng(data: bytes, shape: tuple[int, int, int]) -> bool:
    """False for an 8-bit PNG that we can read and libpng may reject."""
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


def _png_file(deflated: Sequence[bytes | memoryview], shape: tuple[int, int, int]) -> bytes:
    """A PNG of deflated rows (in parts), each preceded by the number of its filter, for an image of shape (H, W, C)."""
    height, width, channels = shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    return b"".join((_SIGNATURE, *_chunk(b"IHDR", [header]), *_chunk(b"IDAT", deflated), _END))


def _filtered(images: np.ndarray) -> np.ndarray:
    """Rows with the "average" filter, as PNG deflates them: uint8 [N, H, 1 + W * C]."""
    count, height, width, channels = images.shape
    row_bytes = width * channels
    padded = np.zeros((count, 1 + height, channels + row_bytes), np.uint8)  # pixels outside the image count as 0
    padded[:, 1:, channels:] = images.reshape(count, height, row_bytes)
    pixels, left, above = padded[:, 1:, channels:], padded[:, 1:, :-channels], padded[:, :-1, channels:]
    mean = left ^ above  # (a ^ b) / 2 + (a & b) is the mean of two bytes, rounded down, without overflow
    mean >>= 1
    mean += left & above
    rows = np.empty((count, height, 1 + row_bytes), np.uint8)
    rows[:, :, 0] = _AVERAGE
    np.subtract(pixels, mean, out=rows[:, :, 1:])
    return rows


def _chunk(kind: bytes, content: Sequence[bytes | memoryview]) -> tuple[bytes | memoryview, ...]:
    """A chunk of a PNG, in parts."""
    checksum = isal_zlib.crc32(kind)
    for part in content:
        checksum = isal_zlib.crc32(part, checksum)
    return struct.pack(">I", sum(map(len, content))), kind, *content, struct.pack(">I", checksum)
