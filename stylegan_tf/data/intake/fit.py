"""Images of any size to squares of one size: cropped, padded or stretched, and resampled."""

import functools

import numpy as np

from stylegan_tf.data.records.encoding import halve
from stylegan_tf.data.sources.base import UnusableImage
from stylegan_tf.resolution import is_power_of_two

FITS = ("center-crop", "wide", "pad", "stretch", "exact")
WIDE_ASPECT = 3 / 4  # height by width of a wide picture between bars, as for LSUN cars in the original
_MAX_NUMBERS = 1 << 26  # float32, between the two passes
_BAND = 8  # rows of the result per product: 16 and more cost up to a third more
_PRODUCT = 1 << 18  # multiply-adds per product: above this OpenBLAS starts threads of its own, which slow down the workers


def fit_image(image: np.ndarray, resolution: int, fit: str, *, fill: tuple[int, ...], wide_height: int | None = None) -> np.ndarray:
    """The image as uint8 [resolution, resolution, C].

    Args:
        image: uint8 [H, W, C].
        resolution: power of two.
        fit: "center-crop", the largest square in the middle; "wide", a 4:3 picture between bars above and below; "pad", the whole
            image on a background; "stretch", the whole image, its sides scaled differently; "exact", only squares of the
            resolution or of a power-of-two multiple.
        fill: colour of bars and background, one number per channel.
        wide_height: of the picture between the bars, in pixels; None for three quarters of the resolution.

    Raises:
        UnusableImage: an image of another size, with "exact".
    """
    height, width, channels = image.shape
    if fit == "exact" and (height != width or height % resolution or not is_power_of_two(height // resolution)):
        raise UnusableImage("size does not fit", f"{width}x{height} is neither {resolution}x{resolution} nor a power-of-two multiple of it")
    if fit in ("center-crop", "exact"):
        return _resized(_crop(image, 1.0), resolution, resolution)
    if fit == "stretch":
        return _resized(image, resolution, resolution)
    if fit == "wide":
        inner_height = wide_height or round(resolution * WIDE_ASPECT)
        inner = _resized(_crop(image, inner_height / resolution), inner_height, resolution)
    else:
        scale = resolution / max(height, width)
        inner = _resized(image, max(1, round(height * scale)), max(1, round(width * scale)))
    square = np.empty((resolution, resolution, channels), np.uint8)
    square[:] = fill
    top, left = (resolution - inner.shape[0]) // 2, (resolution - inner.shape[1]) // 2
    square[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return square


def used_side(heights: np.ndarray, widths: np.ndarray, fit: str) -> np.ndarray:
    """Pixels of the image that become the side of the square; `min_size` is compared with it."""
    if fit == "pad":
        return np.maximum(heights, widths)
    if fit == "wide":
        return np.minimum(widths, np.asarray(heights / WIDE_ASPECT).astype(np.int64))
    return np.minimum(heights, widths)


def resample(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scales uint8 [H, W, C], C of 1, 3 or 4, to uint8 [height, width, C].

    Lanczos to reduce, bicubic to enlarge, as products with banded matrices. When reducing, the filter is widened to the pixel
    size of the result, which prevents aliasing. With 4 channels, colours are weighted by their opacity, so that the colours of
    transparent pixels do not bleed into visible ones.
    """
    import cv2

    channels = image.shape[2]
    if height * image.shape[1] * channels > _MAX_NUMBERS and height * image.shape[1] > width * image.shape[0]:  # very wide: columns first
        return resample(image.swapaxes(0, 1), width, height).swapaxes(0, 1)
    kernel = "lanczos" if min(image.shape[:2]) > min(height, width) else "bicubic"
    rows = _scale_rows(image, height, kernel, is_weighted=channels == 4)
    columns = cv2.transpose(rows).reshape(-1, height, channels)
    pixels = _scale_rows(columns, width, kernel)
    if channels == 4:
        pixels[:, :, :3] *= 255 / np.maximum(pixels[:, :, 3:], 1)
    np.rint(pixels, out=pixels)
    np.clip(pixels, 0, 255, out=pixels)
    return cv2.transpose(pixels.astype(np.uint8)).reshape(height, width, channels)


def _crop(image: np.ndarray, aspect: float) -> np.ndarray:
    """The largest part in the middle whose height is `aspect` times its width."""
    height, width, _ = image.shape
    new_height, new_width = min(height, max(1, round(width * aspect))), min(width, max(1, round(height / aspect)))
    top, left = (height - new_height) // 2, (width - new_width) // 2
    return image[top : top + new_height, left : left + new_width]


def _resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Exact means of 2x2 pixels if the sides are power-of-two multiples of the result, `resample` otherwise."""
    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    factor = image.shape[0] // height
    if is_power_of_two(factor) and image.shape[:2] == (height * factor, width * factor) and image.shape[2] != 4:
        means = image[None]
        while means.shape[1] > height:
            means = halve(means)
        return np.rint(means[0]).astype(np.uint8)
    return resample(image, height, width)


def _scale_rows(image: np.ndarray, height: int, kernel: str, is_weighted: bool = False) -> np.ndarray:
    """[H, W, C] to float32 [height, W, C]; `is_weighted` multiplies colours by their opacity first."""
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


@functools.lru_cache(maxsize=256)  # a source may mix sizes
def _bands(size: int, new_size: int, kernel: str) -> list[tuple[int, int, int, np.ndarray]]:
    """(first row of the result, first row of the source, last + 1, weights [rows of the result, rows of the source])."""
    bands = []
    stretch = max(size / new_size, 1)  # factor by which the kernel is widened
    reach = (3 if kernel == "lanczos" else 2) * stretch
    for first in range(0, new_size, _BAND):
        centers = (np.arange(first, min(first + _BAND, new_size)) + 0.5) * (size / new_size)
        start, stop = max(0, int(centers[0] - reach)), min(size, int(centers[-1] + reach) + 1)
        distances = np.abs(np.arange(start, stop) + 0.5 - centers[:, None]) / stretch
        weights = _lanczos(distances) if kernel == "lanczos" else _bicubic(distances)
        bands.append((first, start, stop, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)))
    return bands


def _lanczos(distance: np.ndarray) -> np.ndarray:
    """Sinc windowed by the first lobe of a sinc three times as wide."""
    return np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0)


def _bicubic(distance: np.ndarray) -> np.ndarray:
    """Keys 1981, a = -0.5."""
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    return np.where(distance < 1, near, np.where(distance < 2, far, 0))
