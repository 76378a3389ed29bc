"""Pixels as the header of a file defines them: bits per sample, signs, black and white, palettes and transparency."""

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.data.sources.base import UnusableImage

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_BITS, _COMPRESSION, _PHOTOMETRIC, _PLANAR, _COLOUR_MAP, _INK_SET, _SAMPLE_FORMAT = 258, 259, 262, 284, 320, 332, 339  # tags of TIFF
_WHITE_IS_ZERO, _PALETTE, _CMYK, _YCBCR = 0, 3, 5, 6  # values of _PHOTOMETRIC
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3  # values of _SAMPLE_FORMAT
_FRAMES, _LOSSLESS_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}, (0xC3, 0xC7, 0xCB, 0xCF)  # markers of JPEG
_CHUNK_SAMPLES = 1 << 20  # scaled at once


def check_samples(picture: "Picture", data: bytes) -> None:
    """Refuses files whose header defines pixels that Pillow does not read, or that have no known black and white.

    Args:
        picture: opened, not necessarily loaded.

    Raises:
        UnusableImage: such a file; the message names what it contains.
    """
    if picture.format == "TIFF":
        _check_tiff(picture.tag_v2, is_big_endian=data[:2] == b"MM")
    elif picture.format == "JPEG2000":
        sizes = _jpeg2000_sizes(data)
        bits = [(size & 0x7F) + 1 for size in sizes]
        if any(size & 0x80 for size in sizes):
            raise _unsupported("JPEG 2000 of signed numbers, whose black and white are not known")
        is_wide_colour = max(bits, default=8) > 8 and picture.mode in ("RGB", "RGBA")  # Pillow adds to them to round, and white overflows
        if min(bits, default=8) < 8 or is_wide_colour:
            raise _unsupported(f"JPEG 2000 of {', '.join(map(str, bits))} bits")
    elif picture.format == "JPEG" and _jpeg_frame(data) in _LOSSLESS_FRAMES:
        raise _unsupported("lossless JPEG, whose colours decoders read differently")
    elif picture.format == "PSD" and int.from_bytes(data[24:26], "big") in (7, 8):
        raise _unsupported("PSD of several inks")
    elif picture.format == "SUN" and data[12:16] == b"\0\0\0\x20":  # Pillow reads the unused byte as a colour
        raise _unsupported("Sun raster of 32 bits")
    elif picture.mode == "I" and picture.format != "PPM":
        raise _unsupported(f"{picture.format} of 32-bit integers")


def stored_samples(picture: "Picture", data: bytes) -> tuple["Picture", list[str]]:
    """A loaded picture whose pixels mean what the header of its file says, in one of Pillow's modes of 8 bits.

    Args:
        picture: accepted by `check_samples`, loaded.

    Returns:
        The picture, and notes on conversions for the report.

    Raises:
        UnusableImage: floats that are not from 0 to 1, or damage.
    """
    if picture.format == "PNG":
        return _png_samples(picture, data)
    if picture.format in ("XBM", "PSD") and picture.mode == "1":  # ones are ink, which other programs show black, and Pillow white
        from PIL import Image

        return Image.fromarray(~np.asarray(picture)), []
    tags = picture.tag_v2 if picture.format == "TIFF" else {}
    is_inverted = tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    if picture.mode == "F":
        return _from_floats(picture, is_inverted)
    if picture.mode.startswith("I"):
        bits = max(tags.get(_BITS, (16,)))
        values = np.asarray(picture)
        values = values.view(np.uint32) if bits == 32 else values
        return _grey(values, (1 << bits) - 1, is_inverted), [f"{bits}-bit scaled"]
    if picture.mode in ("P", "PA") and tags.get(_PHOTOMETRIC) == _PALETTE:
        _set_palette(picture, tags.get(_COLOUR_MAP, ()))
    return picture, []


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


def _check_tiff(tags: dict, *, is_big_endian: bool) -> None:
    bits = tuple(tags.get(_BITS, (1,)))
    formats = set(tags.get(_SAMPLE_FORMAT, (_UNSIGNED,)))
    photometric, is_raw = tags.get(_PHOTOMETRIC, _WHITE_IS_ZERO), tags.get(_COMPRESSION, 1) == 1
    if len(set(bits)) > 1:
        raise _unsupported(f"TIFF of {', '.join(map(str, bits))} bits")
    if formats - {_UNSIGNED, _FLOAT}:
        kind = "signed numbers" if formats == {_SIGNED} else "numbers of an unknown kind"
        raise _unsupported(f"TIFF of {kind}, whose black and white are not known")
    if _FLOAT in formats and (len(bits) > 1 or bits[0] not in (32, 64)):
        raise _unsupported(f"TIFF of {len(bits)} floats of {bits[0]} bits")
    # Pillow reads the wrong bytes of these two.
    if _FLOAT in formats and is_big_endian and not is_raw:
        raise _unsupported("TIFF of compressed big-endian floats")
    if len(bits) > 1 and bits[0] > 8 and tags.get(_PLANAR, 1) != 1 and is_raw:
        raise _unsupported(f"TIFF of separate planes of {bits[0]} bits without compression")
    if photometric == _CMYK and tags.get(_INK_SET, 1) != 1:
        raise _unsupported("TIFF of inks other than CMYK")
    if photometric == _YCBCR and (tags.get(_COMPRESSION) not in (6, 7) or len(bits) != 3):
        raise _unsupported("TIFF of YCbCr without JPEG compression")


def _jpeg_frame(data: bytes) -> int | None:
    """The marker that begins the frame of a JPEG and states how it is coded; None if there is none before the pixels."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in _FRAMES:
            return marker
        if marker == 0xFF:  # a byte that fills
            position += 1
        elif marker == 0xDA:
            return None
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def _jpeg2000_sizes(data: bytes) -> bytes:
    """Bits - 1 of each of the first four components, 128 more for signed ones, from the SIZ marker of the codestream; b"" without one."""
    place = data.find(b"\xff\x4f\xff\x51")
    count = min(int.from_bytes(data[place + 40 : place + 42], "big"), 4) if place >= 0 else 0
    return data[place + 42 : place + 42 + 3 * count : 3]


def _png_samples(picture: "Picture", data: bytes) -> tuple["Picture", list[str]]:
    """PNG: all 16 bits, and the transparent colour in the samples of the file; Pillow compares it with samples of 8 bits."""
    depth, colour_type = data[24], data[25]
    if depth == 16:
        return _png_of_16_bits(data, colour_type), ["16-bit scaled"]
    key = picture.info.get("transparency")
    if colour_type == 0 and depth in (2, 4) and isinstance(key, int):
        picture.info["transparency"] = key * (255 // ((1 << depth) - 1))
    return picture, []


def _png_of_16_bits(data: bytes, colour_type: int) -> "Picture":
    import cv2
    from PIL import Image

    chunks = [(kind, data[start - 8 : stop + 4]) for kind, start, stop in png_chunks(data)]
    stored = data[:8] + b"".join(content for kind, content in chunks if kind in (b"IHDR", b"IDAT", b"IEND"))
    values = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16:
        raise UnusableImage("corrupt", "PNG cannot be decoded")
    values = values if values.ndim == 3 else values[:, :, None]
    key = next((content[8:-4] for kind, content in chunks if kind == b"tRNS"), b"")
    pixels = scaled_to_bytes(values, 65535)
    if values.shape[2] >= 3:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if values.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)
    if colour_type in (0, 2) and len(key) == 2 * values.shape[2]:
        hidden = (values[:, :, ::-1] == np.frombuffer(key, ">u2")).all(axis=2)
        opaque = np.where(hidden, 0, 255).astype(np.uint8)
        pixels = np.dstack([pixels if pixels.shape[2] == 3 else pixels.repeat(3, axis=2), opaque])
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


def _from_floats(picture: "Picture", is_inverted: bool) -> tuple["Picture", list[str]]:
    values = np.asarray(picture)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite((low, high)).all():
        raise UnusableImage("invalid pixel values", "NaN or infinity among the pixels")
    if low < 0 or high > 1:
        raise UnusableImage("invalid pixel values", f"floats from {low:g} to {high:g}; black is 0 and white is 1. Rescale the image first")
    return _grey(values, 1, is_inverted), ["float scaled"]


def _grey(values: np.ndarray, maximum: int, is_inverted: bool) -> "Picture":
    from PIL import Image

    pixels = scaled_to_bytes(values, maximum)
    return Image.fromarray(255 - pixels if is_inverted else pixels)


def scaled_to_bytes(values: np.ndarray, maximum: int) -> np.ndarray:
    """Numbers from 0 to `maximum` (any shape, any type) as uint8 from 0 to 255, rounded; larger ones become 255."""
    pixels = np.empty(values.shape, np.uint8)
    rows = max(1, _CHUNK_SAMPLES // max(1, values[0].size))
    for first in range(0, len(values), rows):  # float64 copies of whole images would take eight times their memory
        part = np.rint(values[first : first + rows] * (255 / maximum))
        pixels[first : first + rows] = np.minimum(part, 255)
    return pixels


def _set_palette(picture: "Picture", colour_map: tuple[int, ...]) -> None:
    """Colours of 8 bits where a palette of 16 bits is expected: some programs write them, and libtiff accepts them too."""
    count = len(colour_map) // 3
    if count and max(colour_map) < 256:
        colours = np.array(colour_map[: 3 * count], np.uint8).reshape(3, count)
        picture.putpalette(colours.T.tobytes())


def _unsupported(what: str) -> UnusableImage:
    return UnusableImage("unsupported pixels", f"{what}. Convert the image to 8 or 16 bits first")
