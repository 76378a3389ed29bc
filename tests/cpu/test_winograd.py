"""Convolutions through tiles against TensorFlow's own."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.cpu import winograd
from stylegan_tf.layers import convolution as layers
from tests.closeness import assert_close
from tests.cpu.test_convolution import gradients, plain

TOLERANCE = 1e-5  # the transforms round ten times as much as the plain sum


def normal(*shape, seed=0):
    return tf.constant(np.random.RandomState(seed).normal(0, 1, shape), tf.float32)


def test_correlation_of_a_3x3_kernel():
    x, kernel = normal(2, 8, 12, 5), normal(3, 3, 5, 7)
    assert_close(winograd.correlate(x, kernel, 1, 8, 12), plain(x, kernel), TOLERANCE)


def test_rounding_error_is_a_few_times_that_of_the_sum():
    x, kernel = normal(1, 16, 16, 256), normal(3, 3, 256, 256)
    exact = tf.nn.conv2d(tf.cast(x, tf.float64), tf.cast(kernel, tf.float64), 1, "SAME").numpy()
    error = np.abs(winograd.correlate(x, kernel, 1, 16, 16).numpy() - exact)
    assert error.max() < 1e-5 * np.abs(exact).max()


def test_gradient_by_a_3x3_kernel():
    x, upstream = normal(2, 8, 4, 5), normal(2, 8, 4, 7)
    expected = tf.raw_ops.Conv2DBackpropFilter(input=x, filter_sizes=[3, 3, 5, 7], out_backprop=upstream, strides=[1] * 4, padding="SAME")
    assert_close(winograd.kernel_gradient(x, upstream, 3, 1), expected, TOLERANCE)


def test_downscaling_and_its_gradient_by_the_kernel():
    x, kernel, upstream = normal(2, 8, 16, 5), normal(4, 4, 5, 7), normal(2, 4, 8, 7)
    assert_close(winograd.conv2d_down(x, kernel), tf.nn.conv2d(x, kernel, 2, "SAME"), TOLERANCE)
    expected = tf.raw_ops.Conv2DBackpropFilter(input=x, filter_sizes=[4, 4, 5, 7], out_backprop=upstream, strides=[1, 2, 2, 1],
                                               padding="SAME")  # fmt: skip
    assert_close(winograd.strided_kernel_gradient(x, upstream), expected, TOLERANCE)


@pytest.fixture
def always_in_tiles(monkeypatch):
    """Computes small images of few maps in tiles as well; a list of the calls."""
    calls = []
    for name in ("correlate", "kernel_gradient"):
        original = getattr(winograd, name)
        monkeypatch.setattr(winograd, name, lambda *given, original=original: calls.append(original) or original(*given))
    monkeypatch.setattr(winograd, "_LEAST_SIZE", 4)
    monkeypatch.setattr(winograd, "_LEAST_MAPS", 1)
    return calls


@pytest.mark.parametrize("operation", ["same", "down", "up"])
def test_first_and_second_gradients(operation, always_in_tiles):
    convolve, x, kernel, outputs = {
        "same": (layers.conv2d, (2, 4, 8, 3), (3, 3, 3, 5), (2, 4, 8, 5)),
        "down": (layers.conv2d_down, (2, 8, 16, 3), (4, 4, 3, 5), (2, 4, 8, 5)),
        "up": (layers.conv2d_up, (2, 4, 8, 3), (4, 4, 5, 3), (2, 8, 16, 5)),
    }[operation]
    given = normal(*x) * 0.5, normal(*kernel, seed=1) * 0.5, normal(*outputs, seed=2) * 0.5
    for found, expected in zip(tf.function(gradients)(convolve.fast, *given), gradients(convolve.plain, *given), strict=True):
        assert_close(found, expected, 3 * TOLERANCE)
    assert always_in_tiles


@pytest.mark.parametrize(("shape", "maps", "stride"), [((1, 8, 8, 256), 256, 1), ((1, 16, 18, 256), 256, 1), ((1, 16, 16, 64), 256, 1),
                                                       ((1, 16, 16, 256), 256, 2)])  # fmt: skip
def test_tiles_are_not_used_where_they_take_longer(shape, maps, stride):
    assert not winograd.fits(tf.zeros(shape), shape[-1], maps, stride=stride)
    assert winograd.fits(tf.zeros([1, 16, 16, 256]), 256, 256)
    assert not winograd.fits(tf.zeros([1, 16, 16, 256], tf.bfloat16), 256, 256)


def test_an_unknown_batch():
    @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 256])])
    def gradient(x):
        with tf.GradientTape() as tape:
            kernel = tf.ones([3, 3, 256, 256])
            tape.watch(kernel)
            y = layers.conv2d(x, kernel)
        return tape.gradient(y, kernel)

    assert gradient(tf.ones([3, 16, 16, 256])).numpy()[1, 1, 0, 0] == pytest.approx(3 * 256, rel=1e-5)
