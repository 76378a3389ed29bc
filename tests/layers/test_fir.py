"""Resampling with a low-pass filter against the definition in NumPy: spread with zeros, padded, convolved, every second kept."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.layers import modulated_by_weights
from stylegan_tf.layers import fir
from stylegan_tf.layers.modulated import modulated_conv2d
from tests.closeness import assert_close

TOLERANCE = 1e-6
TAPS = [(1, 3, 3, 1), (1, 2, 4), (1, 1), (3, 1, 2, 5)]  # the filter of the papers, and others that are not symmetric


def upfirdn(x, taps, before, after, *, up=1, down=1, gain=1.0):
    """[N, H, W, C] in float64, the loop over pixels of the definition."""
    n, side, _, channels = x.shape
    spread = np.zeros((n, side * up, side * up, channels))
    spread[:, ::up, ::up] = x
    padded = np.pad(spread, [(0, 0), (before, after), (before, after), (0, 0)])
    row = np.array(taps, float)[::-1] / np.sum(taps)  # a convolution: the kernel is turned
    size = padded.shape[1] - len(taps) + 1
    y = np.array(
        [[np.einsum("nhwc,h,w->nc", padded[:, i : i + len(taps), j : j + len(taps)], row, row) for j in range(size)] for i in range(size)]
    )
    return gain * y.transpose(2, 0, 1, 3)[:, ::down, ::down]


def correlate(x, kernel, stride=1):
    k = kernel.shape[0]
    size = (x.shape[1] - k) // stride + 1
    rows = [
        [np.einsum("nhwc,hwco->no", x[:, stride * i : stride * i + k, stride * j : stride * j + k], kernel) for j in range(size)]
        for i in range(size)
    ]
    return np.array(rows).transpose(2, 0, 1, 3)


@pytest.fixture
def x():
    return np.random.RandomState(0).normal(0, 1, (2, 6, 6, 3))


@pytest.mark.parametrize("taps", TAPS)
def test_upsampling(x, taps):
    count = len(taps)
    expected = upfirdn(x, taps, (count + 1) // 2, (count - 2) // 2, up=2, gain=4)
    assert_close(fir.upsample2d(np.float32(x), taps), expected, TOLERANCE)


@pytest.mark.parametrize("taps", TAPS)
def test_downsampling(x, taps):
    count = len(taps)
    assert_close(fir.downsample2d(np.float32(x), taps), upfirdn(x, taps, (count - 1) // 2, (count - 2) // 2, down=2), TOLERANCE)


@pytest.mark.parametrize("taps", TAPS)
def test_convolution_with_downsampling(x, taps):
    kernel, count = np.random.RandomState(1).normal(0, 1, (3, 3, 3, 4)), len(taps)
    filtered = upfirdn(x, taps, 1 + (count - 1) // 2, 1 + (count - 2) // 2)
    assert_close(fir.conv2d_downsample2d(np.float32(x), np.float32(kernel), taps), correlate(filtered, kernel, 2), TOLERANCE)
    single = kernel[:1, :1]
    expected = np.einsum("nhwc,co->nhwo", upfirdn(x, taps, (count - 1) // 2, (count - 2) // 2, down=2), single[0, 0])
    assert_close(fir.conv2d_downsample2d(np.float32(x), tf.constant(single, tf.float32), taps), expected, TOLERANCE)


def test_convolution_with_upsampling(x):  # away from the border, where zeros are added in another order
    kernel = np.random.RandomState(1).normal(0, 1, (3, 3, 3, 4))
    found = fir.upsample2d_conv2d(np.float32(x), np.float32(kernel), (1, 3, 3, 1))
    expected = correlate(np.pad(upfirdn(x, (1, 3, 3, 1), 2, 1, up=2, gain=4), [(0, 0), (1, 1), (1, 1), (0, 0)]), kernel)
    assert found.shape == expected.shape
    assert_close(found[:, 2:-2, 2:-2], expected[:, 2:-2, 2:-2], TOLERANCE)


def test_modulated_convolution_is_one_with_scaled_weights(x):
    random = np.random.RandomState(2)
    kernel, styles = random.normal(0, 1, (3, 3, 3, 4)), random.normal(0, 1, (2, 3))
    for demodulate in (True, False):
        expected = []
        for sample, style in zip(x, styles, strict=True):
            weights = kernel * style[:, None]
            weights = weights / np.sqrt((weights**2).sum((0, 1, 2)) + 1e-8) if demodulate else weights
            expected.append(correlate(np.pad(sample[None], [(0, 0), (1, 1), (1, 1), (0, 0)]), weights)[0])
        found = modulated_conv2d(
            tf.constant(x, tf.float32), tf.constant(kernel, tf.float32), tf.constant(styles, tf.float32), demodulate=demodulate
        )
        assert_close(found, expected, TOLERANCE)


def test_both_forms_of_the_modulated_convolution_have_the_same_derivatives(x):
    random = np.random.RandomState(2)
    shapes = (3, 3, 3, 4), (2, 3), (*x.shape[:3], 4)
    kernel, styles, upstream = (tf.constant(random.normal(0, 1, shape), tf.float32) for shape in shapes)

    def derivatives(form):
        arguments = (tf.constant(x, tf.float32), kernel, styles)
        with tf.GradientTape() as second:
            second.watch(arguments)
            with tf.GradientTape() as first:
                first.watch(arguments)
                y = form(*arguments)
            gradients = first.gradient(y, arguments, upstream)
            norm = tf.reduce_sum(gradients[2] ** 2)  # as of path lengths
        return y, *gradients, *second.gradient(norm, arguments)

    for found, expected in zip(derivatives(modulated_conv2d), derivatives(modulated_by_weights), strict=True):
        assert_close(found, expected, 1e-5)  # float32, and other orders of summation
