"""Tests of fitting images to squares."""

import numpy as np
import pytest

from stylegan_tf.data.intake.fit import FITS, fit_image, used_side
from stylegan_tf.data.sources import UnusableImage

RANDOM = np.random.RandomState(0)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("fit", [fit for fit in FITS if fit != "exact"])
@pytest.mark.parametrize("size", [(30, 50), (50, 30), (7, 100), (16, 16), (64, 64), (5, 5)])
def test_every_fit_gives_a_square_of_the_resolution(fit, size, channels):
    image = RANDOM.randint(256, size=(*size, channels)).astype(np.uint8)
    out = fit_image(image, 16, fit, fill=(9,) * channels)
    assert out.shape == (16, 16, channels)
    assert out.dtype == np.uint8


@pytest.mark.parametrize("fit", ["center-crop", "exact", "stretch", "pad"])
def test_power_of_two_multiples_are_reduced_by_exact_means(fit):
    image = RANDOM.randint(256, size=(64, 64, 3)).astype(np.uint8)
    means = image.reshape(16, 4, 16, 4, 3).astype(np.float64).mean(axis=(1, 3))
    assert (fit_image(image, 16, fit, fill=(0, 0, 0)) == np.rint(means)).all()


def test_images_of_the_right_size_are_unchanged():
    image = RANDOM.randint(256, size=(16, 16, 3)).astype(np.uint8)
    for fit in ("center-crop", "exact", "stretch", "pad"):
        assert (fit_image(image, 16, fit, fill=(0, 0, 0)) == image).all()


@pytest.mark.parametrize("size", [(16, 32), (48, 48), (8, 8), (17, 17)])
def test_exact_refuses_other_sizes(size):
    with pytest.raises(UnusableImage, match="size does not fit"):
        fit_image(np.zeros((*size, 3), np.uint8), 16, "exact", fill=(0, 0, 0))


def test_center_crop_keeps_the_middle():
    image = np.zeros((16, 48, 3), np.uint8)
    image[:, 16:32] = 200
    assert (fit_image(image, 16, "center-crop", fill=(0, 0, 0)) == 200).all()


def test_pad_keeps_all_and_fills_the_rest():
    image = np.full((16, 32, 3), 200, np.uint8)
    out = fit_image(image, 16, "pad", fill=(1, 2, 3))
    assert (out[4:12] == 200).all()
    assert (out[:4] == (1, 2, 3)).all()
    assert (out[12:] == (1, 2, 3)).all()


def test_wide_crops_to_four_by_three_without_distortion():
    image = np.zeros((48, 128, 3), np.uint8)
    image[:, 32:96] = 200  # the middle 64x48 of it
    out = fit_image(image, 64, "wide", fill=(0, 0, 0))
    assert (out[8:56] == 200).all()
    assert not out[:8].any()
    assert not out[56:].any()


def test_colour_of_transparent_pixels_does_not_bleed():
    image = np.zeros((60, 60, 4), np.uint8)
    image[:, :, 0] = 255  # red where it is transparent
    image[20:40, 20:40] = (0, 255, 0, 255)
    out = fit_image(image, 16, "center-crop", fill=(0, 0, 0, 0))
    visible = out[out[:, :, 3] > 8]
    assert visible[:, 0].max() < 40


def test_a_gradient_has_no_steps_after_resampling():
    ramp = np.repeat(np.linspace(0, 255, 300)[None, :, None], 300, axis=0).repeat(3, axis=2).round().astype(np.uint8)
    out = fit_image(ramp, 64, "center-crop", fill=(0, 0, 0))[:, :, 0].astype(int)
    assert np.abs(np.diff(out[32]) - 4).max() <= 1
    assert np.ptp(out, axis=0).max() <= 1


def test_stripes_finer_than_the_result_become_grey_without_moire():
    stripes = np.zeros((400, 400, 1), np.uint8)
    stripes[:, ::2] = 255
    out = fit_image(stripes, 64, "center-crop", fill=(0,))
    assert np.abs(out[4:-4, 4:-4].astype(int) - 127).max() <= 3


def test_used_side():
    heights, widths = np.array([100, 50, 300]), np.array([50, 100, 300])
    assert used_side(heights, widths, "center-crop").tolist() == [50, 50, 300]
    assert used_side(heights, widths, "pad").tolist() == [100, 100, 300]
    assert used_side(heights, widths, "wide").tolist() == [50, 66, 300]
