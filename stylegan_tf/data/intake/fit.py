"""Images of any size to squares of one size: cropped, padded or stretched, and resampled."""

import numpy as np

from stylegan_tf.data.records.writing import halve
from stylegan_tf.data.sources.base import UnusableImage
from stylegan_tf.resolution import is_power_of_two

FITS = ("center-crop", "wide", "pad", "stretch", "exact")
WIDE_ASPECT = 3 / 4  # height by width of a wide picture between bars, as for LSUN cars in the original


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
    """Scales uint8 [H, W, C], C of 1, 3 or 4, to uint8 [height, width, C] by Pillow.

    Lanczos to reduce, bicubic to enlarge. When reducing, the filter is widened to the pixel size of the result, which prevents
    aliasing. With 4 channels, colours are weighted by their opacity, so that the colours of transparent pixels do not bleed into
    visible ones.
    """
    from PIL import Image

    kernel = Image.Resampling.LANCZOS if min(image.shape[:2]) > min(height, width) else Image.Resampling.BICUBIC
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    return np.asarray(picture.resize((width, height), kernel)).reshape(height, width, image.shape[2])


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
