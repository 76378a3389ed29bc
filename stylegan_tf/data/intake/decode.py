"""Image files of any kind to uint8 arrays: verified, turned upright, and converted to the channels asked for."""

import functools
import io
import threading
from typing import NamedTuple

import numpy as np

from stylegan_tf.data.intake.colour_profile import to_srgb
from stylegan_tf.data.intake.plain_png import inflate_plain_png, plain_png_shape
from stylegan_tf.data.records.png import stored_png
from stylegan_tf.data.sources.base import UnusableImage
from stylegan_tf.data.sources.image_names import readable_formats
from stylegan_tf.errors import UserError

MAX_PIXELS = 128 << 20  # of one image; a decoded RGB image takes 4 bytes a pixel in Pillow
_LARGE_PIXELS = 16 << 20  # from here on one at a time, so that memory stays below a gigabyte with any number of workers
_KEPT_SIDE = 2048  # images more than twice as large are reduced to no less than this at once

_large_image = threading.Lock()

GREY, COLOUR, ALPHA = "grey", "colour", "transparent"  # what an image is, whatever its file format


class Decoded(NamedTuple):
    """An image, and what was noticed on the way.

    `size` is (height, width) of the upright image as the file holds it; `pixels` may be smaller where it is huge.
    `notes` are phrases for the report. `is_plain` says that the file holds exactly these pixels, in this form.
    """

    pixels: np.ndarray  # uint8 [H, W, C]: 1 grey, 3 RGB, 4 RGBA
    kind: str
    size: tuple[int, int]
    notes: tuple[str, ...] = ()
    is_plain: bool = False


def decode_image_file(data: bytes) -> Decoded:
    """Decodes the first image of a file, with the channels that it has.

    Args:
        data: content of an image file of any format that Pillow decodes by itself.

    Raises:
        UnusableImage: empty, unknown, truncated, corrupt, or too large.
    """
    if not data:
        raise UnusableImage("empty file")
    shape = plain_png_shape(data)
    if not shape:
        return _decode_with_pillow(data)
    _check_pixels(shape[1], shape[0])
    if shape[0] * shape[1] > _LARGE_PIXELS // 4:  # OpenCV's way holds the image four times
        return _decode_with_pillow(data)
    return _decode_plain_png(data, shape)


def verify_image_file(data: bytes) -> Decoded | tuple[int, int, int]:
    """Verifies a file by reading all of it, at the least cost.

    Returns:
        The shape (H, W, C) of a sound plain PNG without alpha, or what `decode_image_file` gives for any other file.
    """
    shape = plain_png_shape(data)
    if not shape or shape[2] == 4 or shape[0] * shape[1] > _LARGE_PIXELS:
        return decode_image_file(data)
    inflate_plain_png(data, shape)
    return shape


def to_channels(decoded: Decoded, channels: int, background: tuple[int, int, int]) -> np.ndarray:
    """The image as uint8 [H, W, channels]: transparency goes over the background, colour to grey by ITU-R 601 luma."""
    from PIL import Image

    pixels = decoded.pixels
    if pixels.shape[2] == channels:
        return pixels
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if channels == 4:
        return np.asarray(picture.convert("RGBA"))
    if picture.mode == "RGBA":
        ground = Image.new("RGBA", picture.size, (*background, 255))
        picture = Image.alpha_composite(ground, picture)
    return np.asarray(picture.convert("RGB" if channels == 3 else "L")).reshape(*pixels.shape[:2], channels)


def parse_colour(text: str) -> tuple[int, int, int]:
    """RGB of a colour name or #rrggbb."""
    from PIL import ImageColor

    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        raise UserError(f"Background must be a colour such as white, black or #f2f0e6. Received: {text}") from None


def _check_pixels(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnusableImage("too many pixels", f"{width}x{height}; at most {MAX_PIXELS >> 20} million are decoded")


def _decode_plain_png(data: bytes, shape: tuple[int, int, int]) -> Decoded:
    """zlib-ng inflates, and OpenCV, whose zlib takes twice as long, undoes the filters of a PNG that is not deflated."""
    import cv2

    stored = stored_png(inflate_plain_png(data, shape), shape)
    image = cv2.imdecode(np.frombuffer(stored, np.uint8), cv2.IMREAD_COLOR_RGB if shape[2] == 3 else cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype != np.uint8:
        raise UnusableImage("corrupt", "PNG cannot be decoded")
    if shape[2] == 4:
        image = cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA)
    image = image.reshape(shape)
    return Decoded(image, _kind(image), shape[:2], (), True)


def _decode_with_pillow(data: bytes) -> Decoded:
    try:
        picture = open_picture(data)
        _check_pixels(*picture.size)
        if picture.width * picture.height > _LARGE_PIXELS:
            with _large_image:
                return _read(picture)
        return _read(picture)
    except UnusableImage:
        raise
    except Exception as error:  # decoders meet hostile bytes, and fail on them in every way there is
        text = str(error) or type(error).__name__
        is_cut = isinstance(error, EOFError) or "truncated" in text.lower() or "unexpected end" in text.lower()
        raise UnusableImage("truncated" if is_cut else "corrupt", text[:120]) from error


def open_picture(data: bytes):
    """Pillow's picture of a file, its header read; raises UnusableImage where it is none, or too large for Pillow."""
    from PIL import Image, UnidentifiedImageError

    _silence_pillow()
    try:
        return Image.open(io.BytesIO(data), formats=readable_formats())
    except UnidentifiedImageError:
        raise UnusableImage("no image", "no format that Pillow reads") from None
    except Image.DecompressionBombError as error:
        raise UnusableImage("too many pixels", str(error).split(",")[0]) from None


@functools.cache
def _silence_pillow() -> None:
    """Pillow warns of odd metadata and of 89 million pixels; what matters of that is checked here, at our own limit."""
    import logging
    import warnings

    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)


def _read(picture) -> Decoded:
    """Loads an opened picture, turns it upright and brings it to grey, RGB or RGBA."""
    notes = []
    size = picture.size
    has_more = bool(getattr(picture, "is_animated", False))
    if has_more:
        notes.append("animation or several pages: the first image")
        picture.seek(0)
    if picture.format == "JPEG":  # its own reduction by powers of two, before memory is taken
        picture.draft(None, _huge_size(size))
    picture.load()
    factor = min(picture.size) // _KEPT_SIDE
    turn = orientation(picture)
    mode = picture.mode
    if factor > 2 and mode not in ("P", "PA", "1") and not mode.startswith("I;"):
        picture = picture.reduce(factor)
    profile = picture.info.get("icc_profile")
    if mode == "CMYK":  # before the conversion that knows no inks
        picture, converted = to_srgb(picture, profile)
        notes += converted
    picture, converted = _standard_mode(picture)
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


def _huge_size(size: tuple[int, int]) -> tuple[int, int]:
    """The least size that a huge JPEG may be reduced to while it is decoded."""
    factor = min(size) // _KEPT_SIDE
    return (size[0] // factor, size[1] // factor) if factor > 2 else size


def orientation(picture) -> int:
    """EXIF orientation, 1 (upright) where there is none or the metadata are damaged: the pixels may be sound all the same."""
    try:
        return picture.getexif().get(0x0112, 1)
    except Exception:  # metadata are as hostile as pixels
        return 1


def _upright(picture, turn: int):
    from PIL.Image import Transpose

    turns = (Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM, Transpose.TRANSPOSE)
    return picture.transpose((*turns, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)[turn - 2])


def _standard_mode(picture) -> tuple:
    """The picture in mode L, RGB or RGBA, and notes on what was converted."""
    mode = picture.mode
    if mode == "P" and picture.palette is None:  # Pillow takes a ramp of grey for it
        raise UnusableImage("corrupt", "the palette is missing")
    has_transparency = "transparency" in picture.info or mode in ("LA", "La", "PA", "RGBA", "RGBa")
    if mode == "F" or mode == "I" or mode.startswith("I;"):
        return _scaled_to_bytes(picture)
    if has_transparency:
        notes = ["palette converted"] if mode in ("P", "PA") else []
        picture = picture.convert("LA") if mode == "La" else picture
        return (picture if mode == "RGBA" else picture.convert("RGBA")), notes
    if mode in ("L", "RGB"):
        return picture, []
    if mode == "1":
        return picture.convert("L"), ["1-bit converted"]
    if mode == "P":
        return picture.convert("RGB"), ["palette converted"]
    if mode == "LAB":
        from PIL import ImageCms

        return ImageCms.profileToProfile(picture, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"), [
            "Lab converted"
        ]
    return picture.convert("RGB"), [f"{mode} converted"]


def _scaled_to_bytes(picture) -> tuple:
    """16 bits and more, whole or not, to 8: by the range that the values are stored in, never clipped."""
    from PIL import Image

    values = np.asarray(picture)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite((low, high)).all():
        raise UnusableImage("values that are no numbers", "NaN or infinity among the pixels")
    if picture.mode.startswith("I;16") or (picture.mode == "I" and low >= 0 and 255 < high <= 65535):
        scaled, note = values * (255 / 65535), "16-bit scaled"
    elif low >= 0 and high <= (1 if picture.mode == "F" else 255):
        scaled, note = values * (255 if picture.mode == "F" else 1), f"{'float' if picture.mode == 'F' else '32-bit'} scaled"
    elif low >= 0 and high <= 65535:
        scaled, note = values * (1 if high <= 255 else 255 / 65535), "float scaled"
    else:
        scaled, note = (values - low) * (255 / (high - low)), "scaled from its own lowest and highest value"
    return Image.fromarray(np.rint(scaled).astype(np.uint8)), [note]


def _kind(pixels: np.ndarray) -> str:
    """Transparent only where some pixel really is: many opaque photographs carry an alpha channel."""
    if pixels.shape[2] == 4:
        return ALPHA if pixels[:, :, 3].min() < 255 else COLOUR
    return GREY if pixels.shape[2] == 1 else COLOUR
