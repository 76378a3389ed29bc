"""Images as arrays: uint8 [0, 255] to and from float [-1, 1], grids of images, PNG files."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from stylegan_tf.files import atomic_path

if TYPE_CHECKING:
    import tensorflow as tf

# Largest image grid, and its minimum of columns and rows whatever the size of the images (the original's).
GRID_LIMITS = {"1080p": (1920, 1080, 3, 2), "4k": (3840, 2160, 7, 4)}
MAX_GRID_SIDE = 32  # images


def to_float(images: np.ndarray) -> np.ndarray:
    """Maps uint8 [0, 255] to float32 [-1, 1]."""
    return images.astype(np.float32) * np.float32(2 / 255) - np.float32(1)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Maps float [-1, 1] to uint8 [0, 255]: floor(x * 127.5 + 128), clipped to [0, 255]. NaN becomes 0."""
    levels = np.asarray(images, np.float32) * np.float32(127.5) + np.float32(128)
    return np.clip(np.nan_to_num(levels, nan=0.0), 0, 255).astype(np.uint8)


def to_uint8_tensor(images: "tf.Tensor") -> "tf.Tensor":
    """`to_uint8` as TensorFlow operations, for graphs."""
    import tensorflow as tf  # seconds; most users of this file work without it

    levels = tf.cast(images, tf.float32) * 127.5 + 128.0
    levels = tf.where(tf.math.is_nan(levels), tf.zeros_like(levels), levels)
    return tf.cast(tf.clip_by_value(levels, 0.0, 255.0), tf.uint8)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB of two uint8 images of the same shape; infinite for equal images."""
    error = np.mean((first.astype(np.float64) - second) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def upscale(images: np.ndarray, factor: int) -> np.ndarray:
    """Repeats every pixel of [N, H, W, C] `factor` times in both directions."""
    return images.repeat(factor, axis=1).repeat(factor, axis=2) if factor > 1 else images


def grid_shape(resolution: int, size: str = "1080p") -> tuple[int, int]:
    """Columns and rows of the image grid for square images of a resolution.

    As many as fit into 1920x1080 ("1080p") or 3840x2160 ("4k"), at least 3 x 2 or 7 x 4, at most 32 x 32.
    """
    width, height, least_columns, least_rows = GRID_LIMITS[size]
    columns = min(max(width // resolution, least_columns), MAX_GRID_SIDE)
    return columns, min(max(height // resolution, least_rows), MAX_GRID_SIDE)


def make_grid(images: np.ndarray, columns: int) -> np.ndarray:
    """Arranges [N, H, W, C] row by row in one image [rows * H, columns * W, C]; empty cells are 0 (black in uint8)."""
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    grid = np.zeros((rows * columns, height, width, channels), images.dtype)
    grid[:count] = images
    grid = grid.reshape(rows, columns, height, width, channels).swapaxes(1, 2)  # [rows, H, columns, W, C]
    return grid.reshape(rows * height, columns * width, channels)


def save_png(path: str | os.PathLike, image: np.ndarray, *, text: Mapping[str, str] | None = None, dpi: int | None = None) -> None:
    """Writes one image as PNG, atomically.

    Args:
        path: ends in ".png".
        image: [H, W, C], uint8, or float, which is clipped to [-1, 1]. C is 1 (grey), 3 (RGB) or 4 (RGBA).
        text: text fields of the file by keyword (1 to 79 characters).
        dpi: pixels per inch in print; None: not stated in the file.

    Raises:
        ValueError: another shape.
        OSError: the file cannot be written; an older one is unchanged.
    """
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise ValueError(f"Expected an image [H, W, 1, 3 or 4]. Received: {image.shape}")
    pixels = image if image.dtype == np.uint8 else to_uint8(image)
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    info = PngInfo()
    for keyword, value in (text or {}).items():
        info.add_text(keyword, value)
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG", pnginfo=info, **({} if dpi is None else {"dpi": (dpi, dpi)}))
