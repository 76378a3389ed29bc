"""Image files of any format to uint8 arrays: verified, turned upright, in sRGB."""

import threading
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stylegan_tf.data.intake.colour import standard_mode, to_srgb
from stylegan_tf.data.intake.pillow_files import MAX_PIXELS, check_size, open_picture, png_decoding_bytes
from stylegan_tf.data.intake.plain_png import inflate_plain_png, plain_png_shape
from stylegan_tf.data.intake.samples import check_samples, stored_samples
from stylegan_tf.data.records.png import stored_png
from stylegan_tf.data.sources.base import UnusableImage

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

_LARGE_PIXELS = 16 << 20  # larger images are decoded one at a time: memory stays below a gigabyte with any number of workers
_KEPT_SIDE = 2048  # images more than twice as large are reduced while decoding, to no less than this

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


def decode_image_file(data: bytes, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decodes the first image of a file, with its own channels.

    Args:
        data: content of an image file of one of READABLE_FORMATS.
        max_pixels: larger images are refused before they are decoded, see `pillow_files.check_size`.

    Raises:
        UnusableImage: empty, unknown, truncated, corrupt, or too large.
    """
    if not data:
        raise UnusableImage("empty file")
    shape = plain_png_shape(data)
    if not shape or shape[0] * shape[1] > _LARGE_PIXELS // 4:  # decoding with OpenCV needs four times the memory of the image
        return _decode_with_pillow(data, max_pixels)
    _check_shape(shape, max_pixels)
    return _decode_plain_png(data, shape)


def verify_image_file(data: bytes, max_pixels: int = MAX_PIXELS) -> Decoded | tuple[int, int, int]:
    """Verifies a file by reading all of it, without decoding it if that can be avoided.

    Returns:
        The shape (H, W, C) of a valid plain PNG without alpha, or the result of `decode_image_file` for any other file.
    """
    shape = plain_png_shape(data)
    if not shape or shape[2] == 4 or shape[0] * shape[1] > _LARGE_PIXELS:
        return decode_image_file(data, max_pixels)
    _check_shape(shape, max_pixels)
    inflate_plain_png(data, shape)
    return shape


def shape_from_header(data: bytes, max_pixels: int = MAX_PIXELS) -> tuple[int, int, int] | None:
    """(height, width, channels) of a plain PNG or JPEG, grey or colour, from its header: what decoding it will give.

    Does not verify the rest of the file.

    Returns:
        None for every other file: those whose kind depends on their pixels, and those that need a note in the report.

    Raises:
        UnusableImage: larger than `max_pixels` allows.
    """
    shape = plain_png_shape(data)
    if shape:
        _check_shape(shape, max_pixels)
    else:
        shape = _plain_jpeg_shape(data, max_pixels)
    return shape if shape and shape[2] != 4 else None


def _plain_jpeg_shape(data: bytes, max_pixels: int) -> tuple[int, int, int] | None:
    """The same for a JPEG that is not CMYK and has neither rotation nor colour profile."""
    if data[:2] != b"\xff\xd8":
        return None
    try:
        picture = open_picture(data, max_pixels)
    except UnusableImage:
        raise
    except Exception:  # a damaged header can raise anything; decoding will report what is wrong
        return None
    is_plain = picture.format == "JPEG" and picture.mode in ("L", "RGB") and not picture.info.get("icc_profile")
    return (picture.height, picture.width, len(picture.mode)) if is_plain and _orientation(picture) == 1 else None


def _check_shape(shape: tuple[int, int, int], max_pixels: int) -> None:
    check_size(shape[1], shape[0], png_decoding_bytes(shape[2]), max_pixels)


def _decode_plain_png(data: bytes, shape: tuple[int, int, int]) -> Decoded:
    """Inflates with zlib-ng, which is twice as fast as the zlib of OpenCV, and lets OpenCV undo the row filters."""
    import cv2

    stored = stored_png(inflate_plain_png(data, shape), shape)
    image = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR_RGB if shape[2] == 3 else cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint8:
        raise UnusableImage("corrupt", "PNG cannot be decoded")
    if shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA)
    image = image.reshape(shape)
    return Decoded(image, _kind(image), shape[:2], (), True)


def _decode_with_pillow(data: bytes, max_pixels: int) -> Decoded:
    try:
        picture = open_picture(data, max_pixels)
        check_samples(picture, data)
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
    is_plain = not notes and picture.size == size and mode in ("L", "RGB")
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
