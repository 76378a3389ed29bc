"""Resampling of images to any size: Lanczos to reduce them, bicubic to enlarge them, as products with banded matrices."""

import functools

import numpy as np

_BAND = 8  # rows of the result computed by one product: 16 and more cost up to a third more
_PRODUCT = 1 << 18  # multiply-adds of one product: from here on OpenBLAS starts threads, which are in each other's way here


def resample(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scales uint8 [H, W, C], C of 1, 3 or 4, to uint8 [height, width, C].

    The filter is as wide as the pixels of the result, so that what is finer than these averages out. With 4 channels colours are
    weighted by their opacity: transparent pixels must not bleed in.
    """
    import cv2

    channels = image.shape[2]
    kernel = "lanczos" if min(image.shape[:2]) > min(height, width) else "bicubic"
    rows = _scale_rows(image, height, kernel, is_weighted=channels == 4)
    columns = cv2.transpose(rows).reshape(-1, height, channels)
    pixels = _scale_rows(columns, width, kernel)
    if channels == 4:
        pixels[:, :, :3] *= 255 / np.maximum(pixels[:, :, 3:], 1)
    np.rint(pixels, out=pixels)
    np.clip(pixels, 0, 255, out=pixels)
    return cv2.transpose(pixels.astype(np.uint8)).reshape(height, width, channels)


def _scale_rows(image: np.ndarray, height: int, kernel: str, is_weighted: bool = False) -> np.ndarray:
    """[H, W, C] to float32 [height, W, C]; `is_weighted` multiplies colours by their opacity first, a part at a time."""
    _, width, channels = image.shape
    result = np.empty((height, width * channels), np.float32)
    for first, start, stop, weights in _bands(image.shape[0], height, kernel):
        rows = image[start:stop].reshape(stop - start, -1)
        step = max(1, _PRODUCT // (_BAND * len(rows) * channels)) * channels
        for left in range(0, width * channels, step):
            part = rows[:, left : left + step].astype(np.float32, copy=is_weighted)
            if is_weighted:
                parts = part.reshape(len(rows), -1, channels)
                parts[:, :, :3] *= parts[:, :, 3:] / 255
            np.matmul(weights, part, out=result[first : first + len(weights), left : left + step])
    return result.reshape(height, width, channels)


@functools.lru_cache(maxsize=256)  # sources mix sizes
def _bands(size: int, new_size: int, kernel: str) -> list[tuple[int, int, int, np.ndarray]]:
    """(first row of the result, first row of the source, last + 1, weights [rows of the result, rows of the source])."""
    bands = []
    stretch = max(size / new_size, 1)  # of the kernel
    reach = (3 if kernel == "lanczos" else 2) * stretch
    for first in range(0, new_size, _BAND):
        centers = (np.arange(first, min(first + _BAND, new_size)) + 0.5) * (size / new_size)
        start, stop = max(0, int(centers[0] - reach)), min(size, int(centers[-1] + reach) + 1)
        distances = np.abs(np.arange(start, stop) + 0.5 - centers[:, None]) / stretch
        weights = _lanczos(distances) if kernel == "lanczos" else _bicubic(distances)
        bands.append((first, start, stop, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)))
    return bands


def _lanczos(distance: np.ndarray) -> np.ndarray:
    """Three lobes of a sine cardinal under the first lobe of a wider one."""
    return np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0)


def _bicubic(distance: np.ndarray) -> np.ndarray:
    """Keys 1981, a = -0.5."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))
