"""ADA's transforms: what each does to an image, how often, and what stays as it is."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.augmentation import ada, sampling
from stylegan_tf.settings import AugmentPipe
from tests.closeness import assert_close


def images(count=2, side=16, channels=3):
    """Smooth ones: a shape that a turn or flip moves, and that the resampling filter passes."""
    y, x = np.mgrid[:side, :side] / side * 2 * np.pi
    waves = [np.sin(x + channel) + 0.5 * np.cos(y + 0.3 * channel + number) for number in range(count) for channel in range(channels)]
    return np.float32(waves).reshape(count, channels, side, side).transpose(0, 2, 3, 1)


def alone(x, name, quantile, **options):
    return ada.augment(tf.constant(x), strengths={name: 1.0}, quantile=quantile, **options).numpy()


def test_settings_name_the_pipes():
    assert AugmentPipe.__args__ == tuple(ada.PIPES)
    assert len(ada.PIPES["bgcfnc"]) == 15  # eighteen transforms: the filter has four bands
    assert set(ada.PIPES["bgcfnc"]) == set(ada.NAMES)


@pytest.mark.parametrize("pipe", ada.PIPES)
@pytest.mark.parametrize(("side", "channels"), [(4, 3), (16, 1), (16, 4)])
def test_probability_0_is_the_identity(pipe, side, channels):
    x = np.random.RandomState(0).normal(0, 1, (3, side, side, channels)).astype(np.float32)
    # Doubled and halved by an orthogonal filter: exact but for the rounding of float32.
    assert_close(ada.augment(tf.constant(x), pipe=pipe, probability=0.0, seed=tf.constant([1, 2])), x, 1e-5)


def reflected_shift(x, rows, columns):
    padded = np.pad(x, [(0, 0), (8, 8), (8, 8), (0, 0)], mode="reflect")
    return padded[:, 8 - rows : 8 - rows + x.shape[1], 8 - columns : 8 - columns + x.shape[2]]


@pytest.mark.parametrize(
    ("name", "quantile", "expected"),
    [
        ("xflip", 0.75, lambda x: x[:, :, ::-1]),
        ("xflip", 0.25, lambda x: x),
        ("rotate90", 0.3, lambda x: np.rot90(x, 1, (1, 2))),
        ("rotate90", 0.6, lambda x: np.rot90(x, 2, (1, 2))),
        ("rotate90", 0.9, lambda x: np.rot90(x, 3, (1, 2))),
    ],
)
def test_flips_and_turns_move_pixels(name, quantile, expected):
    x, inner = images(), (slice(None), slice(4, -4), slice(4, -4))
    found, expected = alone(x, name, quantile), expected(x)
    # sym6 is only nearly symmetric: turned images are filtered forth and back by different filters. Measured up to 0.036.
    assert_close(found[inner], expected[inner], 0.05)


@pytest.mark.parametrize(("quantile", "shift"), [(0.9999, 2), (0.0001, -2), (0.75, 1)])
def test_integer_shift_reflects_at_the_edge(quantile, shift):
    x = images()
    # 1/8 of 16 pixels to the right and down. The reflected continuation ends in zeros beyond one reflection.
    assert_close(alone(x, "xint", quantile), reflected_shift(x, shift, shift), 2e-5)


def test_brightness_contrast_and_cutout_against_numpy():
    x, normal = images(), 0.9061938  # erfinv(0.8), the recorded arrays' quantile 0.9
    np.testing.assert_allclose(alone(x, "brightness", 0.9), x + 0.2 * normal, atol=1e-5)
    np.testing.assert_allclose(alone(x, "contrast", 0.9), x * 2 ** (0.5 * normal), atol=1e-5)
    expected = x.copy()
    expected[:, 8:, 8:] = 0  # centre at 0.75 of both axes, a quarter to each side
    np.testing.assert_array_equal(alone(x, "cutout", 0.75), expected)


def test_colour_transforms_keep_or_mirror_grey():
    x = images()
    luma = x.mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(alone(x, "lumaflip", 0.75), x - 2 * luma, atol=1e-5)
    for name in ("hue", "saturation"):
        np.testing.assert_allclose(alone(x, name, 0.8).mean(axis=-1, keepdims=True), luma, atol=1e-5)
    third = alone(x, "hue", 0.5 + 1 / 3)  # a third of the circle: red to green to blue
    np.testing.assert_allclose(third, np.roll(x, 1, axis=-1), atol=1e-5)


def test_alpha_is_moved_and_not_coloured():
    x = images(channels=4)
    for name in ("brightness", "contrast", "lumaflip", "hue", "saturation", "imgfilter", "noise"):
        np.testing.assert_array_equal(alone(x, name, 0.8)[..., 3], x[..., 3], err_msg=name)
    assert np.abs(alone(x, "xflip", 0.8)[..., 3] - x[..., 3]).max() > 0.5


def test_draws_have_their_distributions():
    draws = sampling.RandomDraws(tf.constant([1, 2]), 20_000)
    uniform, normal = draws.uniform(sampling.NUM_UNIFORM), draws.normal(sampling.NUM_NORMAL)
    # 20,000 numbers: the mean's own deviation is 0.002 and 0.007.
    np.testing.assert_allclose(np.mean(uniform, axis=1), 0.5, atol=0.01)
    np.testing.assert_allclose(np.std(uniform, axis=1), 12**-0.5, atol=0.01)
    np.testing.assert_allclose(np.mean(normal, axis=1), 0, atol=0.035)
    np.testing.assert_allclose(np.std(normal, axis=1), 1, atol=0.03)
    correlations = np.corrcoef(np.concatenate([uniform, normal])) - np.eye(sampling.NUM_UNIFORM + sampling.NUM_NORMAL)
    assert np.abs(correlations).max() < 0.04


@pytest.mark.parametrize(("name", "share"), [("brightness", 0.3), ("xflip", 0.15), ("rotate90", 0.225), ("rotate", 0.3), ("cutout", 0.3)])
def test_share_of_images_that_change(name, share):  # flips and turns leave a half and a quarter of the chosen ones as they are
    x = np.tile(images(1, side=8), [2000, 1, 1, 1])
    found = ada.augment(tf.constant(x), strengths={name: 1.0}, probability=0.3, seed=tf.constant([7, 8])).numpy()
    changed = np.abs(found - x).max(axis=(1, 2, 3)) > 1e-3
    assert changed.mean() == pytest.approx(share, abs=0.035)  # three deviations of 2,000 coins


def test_seed_decides():
    x = tf.constant(images(4))
    first, again, other = (ada.augment(x, pipe="bgcfnc", seed=tf.constant([1, number])).numpy() for number in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_a_sample_does_not_depend_on_its_part():
    x, seed = images(6), tf.constant([1, 2])
    whole = ada.transform(tf.constant(x), ada.PIPES["bgcfnc"], 0.8, sampling.RandomDraws(seed, 6))
    chosen = np.array([4, 1])
    part = ada.transform(tf.constant(x[chosen]), ada.PIPES["bgcfnc"], 0.8, sampling.RandomDraws(seed, 6, tf.constant(chosen)))
    assert_close(part, whole.numpy()[chosen], 1e-5)


def test_xla_compiles_both_derivatives():
    x, draws = tf.constant(images(2, side=8)), sampling.QuantileDraws(0.8, 2)

    def gradients(x, p):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(tf.tanh(ada.transform(x, ada.PIPES["bgcfnc"], p, draws)))
            gradient = tape.gradient(loss, x)
            norm = tf.reduce_sum(gradient**2)
        return gradient, outer.gradient(norm, x)

    p = tf.constant(0.9)
    for plain, compiled in zip(gradients(x, p), tf.function(gradients, jit_compile=True)(x, p), strict=True):
        assert_close(compiled, plain, 1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pipe": "bgx", "seed": [1, 2]}, "Unknown pipe bgx. Known: blit"),
        ({"strengths": {"flip": 1.0}, "seed": [1, 2]}, "Unknown transform flip. Known: xflip"),
        ({"pipe": "bgc"}, "seed or a quantile"),
        ({"seed": [1, 2]}, "pipe or strengths"),
    ],
)
def test_bad_arguments_say_what_is_possible(options, message):
    with pytest.raises(ValueError, match=message):
        ada.augment(tf.constant(images()), **options)
