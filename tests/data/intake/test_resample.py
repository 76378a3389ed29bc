"""Resampling agrees with the definition of its filters and leaves flat images unchanged."""

import numpy as np
import pytest

from stylegan_tf.data.intake.fit import resample
from tests.data.broken_files import leaf


@pytest.mark.parametrize("size", [(17, 23), (64, 64), (200, 90)])  # width and height: enlarged, a little reduced, much reduced
@pytest.mark.parametrize("channels", [1, 3])
def test_agrees_with_the_sums_that_define_the_filters(size, channels):
    image = np.asarray(leaf().resize(size))[:, :, :channels].astype(float)
    is_reduced = min(size) > 40
    rows = np.tensordot(weights(size[1], 40, is_reduced), image, 1)
    expected = np.tensordot(weights(size[0], 50, is_reduced), rows.swapaxes(0, 1), 1).swapaxes(0, 1).clip(0, 255)
    difference = np.abs(resample(image.astype(np.uint8), 40, 50) - expected)
    assert difference.max() <= 8  # where a row swings beyond 0 or 255: Pillow rounds and clips between its two passes
    assert difference.mean() < 0.5


def weights(size, new_size, is_reduced):
    """Lanczos of three lobes to reduce, Keys' cubic (a = -0.5) to enlarge: float [new_size, size], rows sum to 1."""
    stretch = max(size / new_size, 1)
    distance = np.abs((np.arange(new_size) + 0.5)[:, None] * size / new_size - np.arange(size) - 0.5) / stretch
    lanczos = np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0)
    far = np.where(distance < 2, ((-0.5 * distance + 2.5) * distance - 4) * distance + 2, 0)
    cubic = np.where(distance < 1, (1.5 * distance - 2.5) * distance**2 + 1, far)
    kernel = lanczos if is_reduced else cubic
    return kernel / kernel.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("height", "width"), [(5, 9), (30, 31), (100, 70)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_flat_images_are_unchanged(height, width, channels):
    image = np.full((30, 40, channels), 255, np.uint8)
    image[:, :, 0] = 77
    assert (resample(image, height, width) == image[:1, :1]).all()
