"""DiffAugment's transforms against NumPy, their ranges and chances."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.augmentation import diffaugment


def images(count=2, side=8, channels=3):
    return np.random.RandomState(0).uniform(-1, 1, (count, side, side, channels)).astype(np.float32)


def alone(x, name, quantile):
    return diffaugment.augment(tf.constant(x), strengths={name: 1.0}, quantile=quantile).numpy()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quantile", [0.1, 0.8])
def test_colours_against_numpy(channels, quantile):
    x = images(channels=channels)
    grey, mean = x.mean(axis=3, keepdims=True), x.mean(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose(alone(x, "brightness", quantile), x + quantile - 0.5, atol=1e-6)
    np.testing.assert_allclose(alone(x, "saturation", quantile), grey + (x - grey) * 2 * quantile, atol=1e-6)
    np.testing.assert_allclose(alone(x, "contrast", quantile), mean + (x - mean) * (quantile + 0.5), atol=1e-6)


@pytest.mark.parametrize(("quantile", "shift"), [(0.1, -2), (0.5, 0), (0.9, 2)])  # 1/8 of 16 pixels
def test_translation_moves_zeros_in(quantile, shift):
    x = images(side=16)
    padded = np.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)])
    np.testing.assert_array_equal(alone(x, "translation", quantile), padded[:, 2 - shift : 18 - shift, 2 - shift : 18 - shift])


@pytest.mark.parametrize(("quantile", "first", "last"), [(0.01, 0, 2), (0.5, 2, 6), (0.99, 6, 8)])
def test_cutout_may_lie_across_the_edge(quantile, first, last):
    x = images()
    expected = x.copy()
    expected[:, first:last, first:last] = 0
    np.testing.assert_array_equal(alone(x, "cutout", quantile), expected)


def test_alpha_is_moved_and_not_coloured():
    x = images(channels=4)
    for name in ("brightness", "saturation", "contrast"):
        np.testing.assert_array_equal(alone(x, name, 0.8)[..., 3], x[..., 3])
    assert np.abs(alone(x, "translation", 0.9)[..., 3] - x[..., 3]).max() > 0.5


def test_probability_0_is_the_identity():
    x = images()
    np.testing.assert_allclose(diffaugment.augment(tf.constant(x), probability=0.0, seed=tf.constant([1, 2])), x, atol=1e-6)


def test_ranges_of_random_draws():
    x = np.full((2000, 8, 8, 1), 0.25, np.float32)
    found = diffaugment.augment(tf.constant(x), strengths={"brightness": 1.0}, seed=tf.constant([1, 2])).numpy()[:, 0, 0, 0] - 0.25
    assert found.min() == pytest.approx(-0.5, abs=0.01)
    assert found.max() == pytest.approx(0.5, abs=0.01)
    assert found.mean() == pytest.approx(0, abs=0.02)  # three deviations
    moved = diffaugment.augment(tf.constant(x), strengths={"translation": 1.0}, seed=tf.constant([1, 2])).numpy()
    shares = [np.mean((moved[:, :, 3, 0] == 0).sum(axis=1) == count) for count in (0, 1)]
    assert shares == pytest.approx([1 / 3, 2 / 3], abs=0.04)  # shifts -1, 0, 1


def test_unknown_transform_lists_the_known():
    with pytest.raises(ValueError, match=r"Unknown transform colour\. Known: brightness"):
        diffaugment.augment(tf.constant(images()), strengths={"colour": 1.0}, seed=tf.constant([1, 2]))
