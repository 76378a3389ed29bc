"""Which PNG files are plain, sound, and fit to be stored as they are, without Pillow: chunks, checksums, length of the image data."""

import struct
import zlib

import numpy as np
from isal import isal_zlib
from zlib_ng import zlib_ng

from stylegan_tf.data.colour_profile import is_srgb
from stylegan_tf.data.png_write import COLOUR_TYPES, SIGNATURE
from stylegan_tf.data.sources.base import UnusableImage

_CHANNELS = {color_type: channels for channels, color_type in COLOUR_TYPES.items()}
# With one of these a PNG means more than its plain pixels: transparency of one colour, rotation, animation, 16-bit hints.
_SPECIAL = frozenset({b"tRNS", b"eXIf", b"acTL", b"PLTE"})
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})  # what else begins with a capital letter changes what the pixels mean
_MAX_SIDE = 1_000_000  # libpng's own limit
_MAX_PROFILE_BYTES = 1 << 20
_TEXT = frozenset({b"tEXt", b"zTXt", b"iTXt"})


def plain_png_shape(data: bytes) -> tuple[int, int, int] | None:
    """(height, width, channels) of a PNG of 8 bits, not interlaced, without anything special; None for every other file.

    Reads the header only; whether the rest is sound is for `inflate_plain_png` to say.
    """
    shape = _shape(data)
    if not shape or not _pleases_libpng(data, shape):
        return None
    for kind, start, stop in _chunks(data):
        if kind in _SPECIAL or (kind == b"iCCP" and not _is_srgb(data[start:stop])):
            return None
        if kind in _TEXT and any(word in data[start : min(stop, start + 40)].lower() for word in (b"xmp", b"exif")):
            return None  # may hold a rotation
    return shape


def strip_png(data: bytes, resolution: int, channels: int) -> bytes | None:
    """A PNG file reduced to its image, or None where it cannot be stored as it is.

    Only 8-bit grey, RGB and RGBA of the right size can, and what libpng, with which records are read, is sure to take; colour
    profiles, text and EXIF (which may hold names and places) are left out, which changes no pixel.
    """
    if _shape(data) != (resolution, resolution, channels) or not _pleases_libpng(data, (resolution, resolution, channels)):
        return None
    kept = [data[:8]]
    for kind, start, stop in _chunks(data):
        if stop + 4 > len(data) or kind == b"tRNS":
            return None
        if kind in (b"IHDR", b"IDAT", b"IEND"):
            kept.append(data[start - 8 : stop + 4])
        if kind == b"IEND":
            return b"".join(kept)
    return None


def inflate_plain_png(data: bytes, shape: tuple[int, int, int]) -> bytes:
    """The rows of a plain PNG before their filters are undone, each with the number of its filter in front.

    After this, decoding cannot fail: checksums of all chunks hold, the image data inflates to exactly the rows that the
    header announces, and every row names a known filter. Takes a third of the time of decoding.

    Args:
        data: a file that `plain_png_shape` knows.
        shape: what it said.

    Raises:
        UnusableImage: truncated or damaged.
    """
    height, width, channels = shape
    row_bytes = width * channels + 1  # a filter byte before every row
    view, parts, is_ended = memoryview(data), [], False
    for kind, start, stop in _chunks(data):
        if stop + 4 > len(data):
            raise UnusableImage("truncated", f"the file ends inside a {kind.decode('latin1')} chunk")
        (stated,) = struct.unpack_from(">I", data, stop)
        if isal_zlib.crc32(view[start - 4 : stop]) != stated:
            raise UnusableImage("corrupt", f"wrong checksum of a {kind.decode('latin1')} chunk")
        if kind == b"IDAT":
            parts.append(view[start:stop])
        is_ended = kind == b"IEND"
    if not is_ended:
        raise UnusableImage("truncated", "the file ends before its last chunk")
    # zlib-ng refuses what zlib refuses; ISA-L, a little faster, takes code tables that other readers of the records do not.
    inflate = zlib_ng.decompressobj()
    try:
        rows = inflate.decompress(b"".join(parts), height * row_bytes + 1)
    except zlib_ng.error as error:
        raise UnusableImage("corrupt", str(error)) from error
    if len(rows) != height * row_bytes or not inflate.eof:
        raise UnusableImage("corrupt", f"{len(rows)} bytes of image data where {height * row_bytes} are announced")
    if np.frombuffer(rows, np.uint8)[::row_bytes].max() > 4:
        raise UnusableImage("corrupt", "unknown row filter")
    return rows


def _shape(data: bytes) -> tuple[int, int, int] | None:
    """(height, width, channels) as the header says; None for anything but 8-bit grey, RGB and RGBA, not interlaced."""
    if len(data) < 33 or data[:8] != SIGNATURE or data[8:16] != b"\0\0\0\x0dIHDR":
        return None
    width, height, depth, color_type, *rest = struct.unpack_from(">IIBBBBB", data, 16)
    if depth != 8 or color_type not in _CHANNELS or rest != [0, 0, 0] or not width or not height:
        return None
    return height, width, _CHANNELS[color_type]


def _pleases_libpng(data: bytes, shape: tuple[int, int, int]) -> bool:
    """False for a PNG of 8 bits that we can read and libpng may refuse."""
    height, width, channels = shape
    for kind, start, _ in _chunks(data):
        if (kind[:1].isupper() and kind not in _CRITICAL) or (kind == b"IHDR" and start > 16):
            return False
    return max(height, width) <= _MAX_SIDE and _has_wide_window(data, height * (width * channels + 1))


def _has_wide_window(data: bytes, size: int) -> bool:
    """Whether the zlib stream may look back as far as it is long: libpng believes its header, and fails where others read on."""
    first = next((data[start] for kind, start, stop in _chunks(data) if kind == b"IDAT" and start < min(stop, len(data))), 0x78)
    return 1 << (8 + (first >> 4)) >= min(size, 1 << 15)


def _is_srgb(chunk: bytes) -> bool:
    """Whether the content of an iCCP chunk (name, 0, method, compressed profile) is a copy of sRGB."""
    rest = chunk.partition(b"\0")[2]
    try:
        return is_srgb(zlib.decompressobj().decompress(rest[1:], _MAX_PROFILE_BYTES))
    except zlib.error:
        return False


def _chunks(data: bytes):
    """(kind, start, stop) of the content of every chunk up to IEND; the last may reach beyond the file."""
    position = 8
    while position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kind = data[position + 4 : position + 8]
        yield kind, position + 8, position + 8 + length
        if kind == b"IEND":
            return
        position += 12 + length
