"""Image files of any format to uint8 arrays: verified, turned upright, in sRGB; the reader of every program that takes a picture."""

import os
import struct
import threading
import zlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stylegan_tf.data.intake.colour import standard_mode, to_channels, to_srgb
from stylegan_tf.data.intake.pillow_files import MAX_PIXELS, open_picture
from stylegan_tf.data.intake.samples import check_samples, png_chunks, stored_samples
from stylegan_tf.data.sources.base import MAX_FILE_BYTES, UnusableImage
from stylegan_tf.display import visible
from stylegan_tf.errors import UserError
from stylegan_tf.files import read_bounded

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_LARGE_PIXELS = 16 << 20  # larger images are decoded one at a time: memory is below a gigabyte with any number of workers
_INFLATED_BYTES = 1 << 20  # at once
_KEPT_SIDE = 2048  # images more than twice as large are reduced while decoding, to no less than this

_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a pixel, by colour type

_large_image_lock = threading.Lock()

GREY, COLOUR, ALPHA = "grey", "colour", "transparent"  # what an image is, whatever its file format


class Decoded(NamedTuple):
    """A decoded image and facts about its file.

    `size` is (height, width) of the upright image in the file; `pixels` may be smaller if it is huge.
    `notes` are phrases for the report. `is_plain`: the file contains exactly these pixels, without conversion.
    """

    pixels: np.ndarray  # uint8 [H, W, C]: 1 grey, 3 RGB, 4 RGBA
    kind: str
    size: tuple[int, int]
    notes: tuple[str, ...] = ()
    is_plain: bool = False


def decode_image_file(data: bytes | np.ndarray, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decodes the first image of a file, with its own channels.

    Args:
        data: content of an image file of one of READABLE_FORMATS, or pixels uint8 [H, W, C] that need no decoding.
        max_pixels: larger images are refused before they are decoded, see `pillow_files.check_size`.

    Raises:
        UnusableImage: empty, unknown, truncated, corrupt, or too large.
    """
    if isinstance(data, np.ndarray):
        return Decoded(data, {1: GREY, 3: COLOUR, 4: ALPHA}[data.shape[2]], data.shape[:2])
    if not data:
        raise UnusableImage("empty file")
    try:
        picture = open_picture(data, max_pixels)
        check_samples(picture, data)
        if picture.format == "PNG":
            _check_png(data)
        if picture.width * picture.height > _LARGE_PIXELS:
            with _large_image_lock:
                return _read(picture, data)
        return _read(picture, data)
    except UnusableImage:
        raise
    except Exception as error:  # decoders raise errors of every type on damaged files
        text = str(error) or type(error).__name__
        is_cut = isinstance(error, EOFError) or "truncated" in text.lower() or "unexpected end" in text.lower()
        raise UnusableImage("truncated" if is_cut else "corrupt", text[:120]) from error


def read_picture(
    path: str | os.PathLike,
    *,
    channels: int | None = None,
    max_pixels: int | None = None,
) -> np.ndarray:
    """A picture as `dataset_tool.py` reads it: the first image of the file, upright, in sRGB, 8 bits per channel.

    The file is never passed to another program, whatever its name (EPS, WMF and others are refused), and its header is checked
    before memory for pixels is taken. Images of more than about 2048 pixels on the shorter side may be reduced while decoding.

    Args:
        path: an image file of one of `file_names.READABLE_FORMATS`, at most 512 MB.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA); None for those of the file. Transparent pixels are shown on white in 1 and 3.
        max_pixels: larger images are refused; the limit of the memory for decoding is 4 bytes for each of these pixels. None: 128 million.

    Returns:
        uint8 [H, W, channels].

    Raises:
        MissingFileError: there is no such file.
        UserError: not a file, not an image, damaged, or too large; the message names the file and the reason.
    """
    try:
        pixels = decode_image_file(read_bounded(path, MAX_FILE_BYTES), max_pixels or MAX_PIXELS).pixels
    except UnusableImage as problem:
        raise UserError(f"{visible(path)} cannot be used as a picture: {visible(problem)}.") from None
    return pixels if channels is None else to_channels(pixels, channels, (255, 255, 255))


def _check_png(data: bytes) -> None:
    """Refuses a PNG that is cut, or has a wrong checksum or number of rows: Pillow accepts some of these."""
    kind, deflated = b"", []
    for kind, start, stop in png_chunks(data):
        if stop + 4 > len(data):
            raise UnusableImage("truncated", f"the file ends inside a {kind.decode('latin1')} chunk")
        if zlib.crc32(data[start - 4 : stop]) != struct.unpack_from(">I", data, stop)[0]:
            raise UnusableImage("corrupt", f"wrong checksum of a {kind.decode('latin1')} chunk")
        if kind == b"IDAT":
            deflated.append(data[start:stop])
    if kind != b"IEND":
        raise UnusableImage("truncated", "the file ends before its last chunk")
    width, height, depth, colour_type, _, _, is_interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    expected = height * (1 + (width * depth * _PNG_SAMPLES[colour_type] + 7) // 8)
    size, is_whole = _inflated(deflated, 2 * expected)
    if not is_interlaced and size != expected:
        raise UnusableImage("corrupt", f"image data of another size than the header states ({expected} bytes)")
    if depth == 16 and not is_whole:  # libpng, which decodes 16 bits, writes to stderr
        raise UnusableImage("corrupt", "image data without an end, or with bytes after it")


def _inflated(deflated: list[bytes], limit: int) -> tuple[int, bool]:
    """Bytes that a zlib stream in parts inflates to, counted without keeping them until there are more than `limit`; and whether it
    ends with the last part."""
    inflate, size = zlib.decompressobj(), 0
    for part in deflated:
        while part and size <= limit:
            size += len(inflate.decompress(part, _INFLATED_BYTES))
            part = inflate.unconsumed_tail
    return size, inflate.eof and not inflate.unused_data


def _read(picture: "Picture", data: bytes) -> Decoded:
    """Loads an opened picture, turns it upright and converts it to grey, RGB or RGBA."""
    notes = []
    size = picture.size
    has_more = bool(getattr(picture, "is_animated", False))
    if has_more:
        notes.append("animation or several pages: first image used")
        picture.seek(0)
    if picture.format == "JPEG":  # reduces by powers of two while decoding, which saves memory
        picture.draft(None, _huge_size(size))
    picture.load()
    turn, profile = _orientation(picture), picture.info.get("icc_profile")
    picture, scaled = stored_samples(picture, data)
    notes += scaled
    mode = picture.mode
    if mode not in ("P", "PA", "1") and "transparency" not in picture.info:
        picture = _reduced(picture)
    if mode == "CMYK":  # before the mode conversion, which ignores the profile of the inks
        picture, converted = to_srgb(picture, profile)
        notes += converted
    picture, converted = standard_mode(picture)
    picture = _reduced(picture)  # those whose pixels were numbers of colours before
    notes += converted
    if mode not in ("CMYK", "LAB"):
        picture, converted = to_srgb(picture, profile)
        notes += converted
    if turn in range(2, 9):
        picture = _upright(picture, turn)
        notes.append("turned upright by EXIF")
        size = size[::-1] if turn >= 5 else size
    pixels = np.asarray(picture)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    is_plain = not notes and picture.size == size and mode in ("L", "RGB", "RGBA")
    return Decoded(pixels, _kind(pixels), size[::-1], tuple(notes), is_plain)


def _reduced(picture: "Picture") -> "Picture":
    factor = min(picture.size) // _KEPT_SIDE
    return picture.reduce(factor) if factor > 2 else picture


def _huge_size(size: tuple[int, int]) -> tuple[int, int]:
    """The minimum size that a huge JPEG may be reduced to while it is decoded."""
    factor = min(size) // _KEPT_SIDE
    return (size[0] // factor, size[1] // factor) if factor > 2 else size


def _orientation(picture: "Picture") -> int:
    """EXIF orientation; 1 (upright) if there is none or the metadata are damaged, since the pixels may be undamaged."""
    try:
        return picture.getexif().get(0x0112, 1)
    except Exception:  # damaged metadata can raise anything
        return 1


def _upright(picture: "Picture", turn: int) -> "Picture":
    from PIL.Image import Transpose

    turns = (Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM, Transpose.TRANSPOSE)
    return picture.transpose((*turns, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)[turn - 2])


def _kind(pixels: np.ndarray) -> str:
    """Transparent only if some pixel is: many opaque photographs have an alpha channel."""
    if pixels.shape[2] == 4:
        return ALPHA if pixels[:, :, 3].min() < 255 else COLOUR
    return GREY if pixels.shape[2] == 1 else COLOUR
