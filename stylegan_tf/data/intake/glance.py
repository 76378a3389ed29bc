"""What the header of an image file says, for builds that decode each image once: when it is written."""

from stylegan_tf.data.intake.decode import MAX_PIXELS, open_picture, orientation
from stylegan_tf.data.intake.plain_png import plain_png_shape
from stylegan_tf.data.sources.base import UnusableImage


def glance(data: bytes) -> tuple[int, int, int] | None:
    """(height, width, channels) of the most usual files: plain PNGs and JPEGs, grey or colour, as they will be once decoded.

    Whether the rest of the file is sound is left open.

    Returns:
        None for every other file: those whose pixels decide what they are, and those of which something is to be noted.
    """
    shape = plain_png_shape(data) or _plain_jpeg_shape(data)
    return shape if shape and shape[2] != 4 and shape[0] * shape[1] <= MAX_PIXELS else None


def _plain_jpeg_shape(data: bytes) -> tuple[int, int, int] | None:
    """The same of a JPEG without inks, rotation and colour profile."""
    if data[:2] != b"\xff\xd8":
        return None
    try:
        picture = open_picture(data)
    except UnusableImage:
        raise
    except Exception:  # headers are as hostile as pixels; decoding will say what is wrong
        return None
    is_plain = picture.format == "JPEG" and picture.mode in ("L", "RGB") and not picture.info.get("icc_profile")
    return (picture.height, picture.width, len(picture.mode)) if is_plain and orientation(picture) == 1 else None
