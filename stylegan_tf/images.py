"""Images as arrays: uint8 [0, 255] to and from float [-1, 1], grids of images and their labels, PNG files."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from stylegan_tf.files import atomic_path

if TYPE_CHECKING:
    import tensorflow as tf

# Largest picture grid, and its minimum of columns and rows whatever the size of the images (the original's).
GRID_LIMITS = {"1080p": (1920, 1080, 3, 2), "4k": (3840, 2160, 7, 4)}
MAX_GRID_SIDE = 32  # images
MIN_SHOWN_SIDE = 128  # pixels: a 32x32 image is hard to see on today's screens
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def to_float(images: np.ndarray) -> np.ndarray:
    """Maps uint8 [0, 255] to float32 [-1, 1]."""
    return images.astype(np.float32) * np.float32(2 / 255) - np.float32(1)


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Maps float [-1, 1] to uint8 [0, 255]: floor(x * 127.5 + 128), saturated. Values that are not numbers become 0."""
    levels = np.asarray(images, np.float32) * np.float32(127.5) + np.float32(128)
    return np.clip(np.nan_to_num(levels, nan=0.0), 0, 255).astype(np.uint8)


def to_uint8_tensor(images: "tf.Tensor") -> "tf.Tensor":
    """`to_uint8` as TensorFlow operations, for graphs."""
    import tensorflow as tf  # seconds; most users of this file work without it

    levels = tf.cast(images, tf.float32) * 127.5 + 128.0
    levels = tf.where(tf.math.is_nan(levels), tf.zeros_like(levels), levels)
    return tf.cast(tf.clip_by_value(levels, 0.0, 255.0), tf.uint8)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two uint8 images of one shape in dB; infinite for equal images."""
    error = np.mean((first.astype(np.float64) - second) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def upscale(images: np.ndarray, factor: int) -> np.ndarray:
    """Repeats every pixel of [N, H, W, C] `factor` times in both directions."""
    return images.repeat(factor, axis=1).repeat(factor, axis=2) if factor > 1 else images


def grid_shape(resolution: int, size: str = "1080p") -> tuple[int, int]:
    """Columns and rows of the picture grid for square images of a resolution.

    As many as fit 1920x1080 ("1080p") or 3840x2160 ("4k"), at least 3 x 2 or 7 x 4, at most 32 x 32.
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


def enlarged(image: np.ndarray, side: int) -> np.ndarray:
    """Repeats the pixels of uint8 [H, W, C], a grid of images of `side`, until each image is at least 128 pixels wide."""
    return upscale(image[None], -(-MIN_SHOWN_SIDE // side))[0]


def labelled_grid(grid: np.ndarray, *, columns: Sequence[str], rows: Sequence[str]) -> np.ndarray:
    """The grid, enlarged where its images are small, with the names of its columns and rows in a margin.

    Args:
        grid: uint8 [rows * S, columns * S, C].
        columns, rows: one name each, "" for none.

    Returns:
        uint8 [T + rows * S', L + columns * S', C], black on white in the margins T and L.
    """
    grid = enlarged(grid, grid.shape[0] // len(rows))
    cell = grid.shape[0] // len(rows)
    font = ImageFont.load_default(max(cell // 10, 12))
    pad = max(cell // 20, 4)
    left = round(max(font.getlength(name) for name in rows)) + 2 * pad
    top = sum(font.getmetrics()) + 2 * pad
    canvas = np.full((top + grid.shape[0], left + grid.shape[1], grid.shape[2]), 255, np.uint8)
    canvas[top:, left:] = grid
    picture = Image.fromarray(canvas[..., 0] if grid.shape[2] == 1 else canvas, _MODES[grid.shape[2]])
    draw = ImageDraw.Draw(picture)
    ink = 0 if grid.shape[2] == 1 else (0, 0, 0, 255)[: grid.shape[2]]
    for column, name in enumerate(columns):
        draw.text((left + column * cell + cell // 2, top - pad), name, ink, font, anchor="md")
    for row, name in enumerate(rows):
        draw.text((left - pad, top + row * cell + cell // 2), name, ink, font, anchor="rm")
    return np.asarray(picture).reshape(canvas.shape)


def save_png(path: str | os.PathLike, image: np.ndarray) -> None:
    """Writes one image as PNG, atomically.

    Args:
        path: ends in ".png".
        image: [H, W, C], uint8, or float in [-1, 1]. C is 1 (grey), 3 (RGB) or 4 (RGBA).

    Raises:
        ValueError: another shape.
        OSError: the file cannot be written; an older one is unchanged.
    """
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4):
        raise ValueError(f"Expected an image [H, W, 1, 3 or 4]. Received: {image.shape}")
    pixels = image if image.dtype == np.uint8 else to_uint8(image)
    picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    with atomic_path(path) as temporary:
        picture.save(temporary, format="PNG")
