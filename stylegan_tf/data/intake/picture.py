"""One picture file from anywhere as an array: the reader of every program that takes a picture and not a dataset."""

import os
from pathlib import Path

import numpy as np

from stylegan_tf.data.intake.colour import to_channels
from stylegan_tf.data.intake.decode import decode_image_file
from stylegan_tf.data.intake.pillow_files import MAX_PIXELS
from stylegan_tf.data.sources.base import MAX_FILE_BYTES, UnusableImage
from stylegan_tf.display import visible
from stylegan_tf.errors import UserError
from stylegan_tf.files import read_bounded


def read_picture(
    path: str | os.PathLike,
    *,
    channels: int | None = None,
    background: tuple[int, int, int] = (255, 255, 255),
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """A picture as `dataset_tool.py` reads it: the first image of the file, upright, in sRGB, 8 bits per channel.

    The file is never passed to another program, whatever its name (EPS, WMF and others are refused), and its header is checked
    before memory for pixels is taken. Images of more than about 2048 pixels on the shorter side may be reduced while decoding.

    Args:
        path: an image file of one of `file_names.READABLE_FORMATS`, at most 512 MB.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA); None for those of the file.
        background: RGB behind transparent pixels, if `channels` is 1 or 3.
        max_pixels: larger images are refused; the limit of the memory for decoding is 4 bytes for each of these pixels.

    Returns:
        uint8 [H, W, channels].

    Raises:
        MissingFileError: there is no such file.
        UserError: not a file, not an image, damaged, or too large; the message names the file and the reason.
    """
    path = Path(path)
    try:
        pixels = decode_image_file(read_bounded(path, MAX_FILE_BYTES), max_pixels).pixels
    except UnusableImage as problem:
        raise UserError(f"{visible(path)} cannot be used as a picture: {visible(problem)}.") from None
    return pixels if channels is None else to_channels(pixels, channels, background)
