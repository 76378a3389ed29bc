"""Resampling agrees with Pillow's filters, leaves flat images unchanged, and is the same in both directions."""

import numpy as np
import pytest
from PIL import Image

from stylegan_tf.data.intake import fit
from stylegan_tf.data.intake.fit import resample
from tests.data.broken_files import leaf

RANDOM = np.random.RandomState(0)


@pytest.mark.parametrize("size", [(17, 23), (64, 64), (200, 90)])  # width and height: enlarged, a little reduced, much reduced
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_agrees_with_pillow_except_for_its_rounding_between_the_two_passes(size, mode):
    picture = leaf().convert(mode).resize(size)
    image = np.asarray(picture).reshape(*size[::-1], -1)
    filter_ = Image.Resampling.LANCZOS if min(size) > 40 else Image.Resampling.BICUBIC
    expected = np.asarray(picture.resize((50, 40), filter_)).reshape(40, 50, -1).astype(int)
    difference = np.abs(resample(image, 40, 50).astype(int) - expected)
    assert difference.max() <= 8  # where a row swings beyond 0 or 255 and is cut, in Pillow before the second pass
    assert difference.mean() < 0.3


@pytest.mark.parametrize(("height", "width"), [(5, 9), (30, 31), (100, 70)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_flat_images_are_unchanged(height, width, channels):
    image = np.full((30, 40, channels), 255, np.uint8)
    image[:, :, 0] = 77
    assert (resample(image, height, width) == image[:1, :1]).all()


def test_rows_and_columns_are_treated_identically():
    image = RANDOM.randint(256, size=(90, 130, 3)).astype(np.uint8)
    turned = resample(np.rot90(image), 50, 40)
    assert np.abs(turned.astype(int) - np.rot90(resample(image, 40, 50))).max() <= 1  # sums in another order


def test_wide_images_are_processed_in_parts(monkeypatch):
    image = RANDOM.randint(256, size=(90, 130, 3)).astype(np.uint8)
    whole = resample(image, 40, 50)
    monkeypatch.setattr("stylegan_tf.data.intake.fit._PRODUCT", 5000)
    assert np.abs(whole.astype(int) - resample(image, 40, 50)).max() <= 1


def test_very_wide_pictures_are_scaled_column_by_column_first(monkeypatch):  # rows first, 512x200000 pixels took gigabytes
    image = np.random.RandomState(0).randint(0, 256, (9, 300, 3), np.uint8)
    expected = fit.resample(image, 16, 16)
    monkeypatch.setattr(fit, "_MAX_NUMBERS", 1000)
    assert np.abs(fit.resample(image, 16, 16).astype(int) - expected).max() <= 1  # the order of the sums differs
