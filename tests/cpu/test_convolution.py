"""Convolutions whose gradients are written by hand, against TensorFlow's own."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.cpu import convolution
from stylegan_tf.layers import convolution as layers
from tests.closeness import assert_close

# Sums of up to 100 float32 products in another order.
TOLERANCE = 3e-6


def plain(x, kernel):
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")


def gradients(convolve, x, kernel, cotangent):
    """First gradients of a curved function of a convolution, and the gradients of their squares."""
    with tf.GradientTape(persistent=True) as outer:
        outer.watch([x, kernel])
        with tf.GradientTape() as inner:
            inner.watch([x, kernel])
            total = tf.reduce_sum(tf.tanh(convolve(x, kernel)) * cotangent)
        first = inner.gradient(total, [x, kernel])
        squares = [tf.reduce_sum(gradient**2) for gradient in first]  # of the input: R1
    return [*first, *(gradient for square in squares for gradient in outer.gradient(square, [x, kernel]))]


@pytest.mark.parametrize("size", [1, 3, 5])
@pytest.mark.parametrize("is_graph", [False, True])
def test_first_and_second_gradients_equal_tensorflows(size, is_graph):
    random = np.random.RandomState(size)
    x, kernel, cotangent = (tf.constant(random.normal(0, 0.5, shape), tf.float32)
                            for shape in ([2, 6, 4, 3], [size, size, 3, 5], [2, 6, 4, 5]))  # fmt: skip
    compute = tf.function(gradients) if is_graph else gradients
    for ours, theirs in zip(compute(layers.conv2d.fast, x, kernel, cotangent), gradients(plain, x, kernel, cotangent), strict=True):
        assert_close(ours, theirs, TOLERANCE)


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("is_graph", [False, True])
@pytest.mark.parametrize("wide", [1, 256], ids=["as products", "as convolutions"])
def test_strided_gradients_equal_tensorflows(direction, is_graph, wide, monkeypatch):
    monkeypatch.setattr(convolution, "_WIDE_FEATURES", wide)
    convolve = {"down": layers.conv2d_down, "up": layers.conv2d_up}[direction]
    shapes = ([2, 8, 4, 3], [4, 4, 3, 5], [2, 4, 2, 5]) if direction == "down" else ([2, 4, 2, 3], [4, 4, 5, 3], [2, 8, 4, 5])
    random = np.random.RandomState(4)
    x, kernel, cotangent = (tf.constant(random.normal(0, 0.5, shape), tf.float32) for shape in shapes)
    compute = tf.function(gradients) if is_graph else gradients
    for found, expected in zip(compute(convolve.fast, x, kernel, cotangent), gradients(convolve.plain, x, kernel, cotangent), strict=True):
        assert_close(found, expected, TOLERANCE)


def test_gradient_by_the_kernel_of_an_unknown_batch():
    @tf.function(input_signature=[tf.TensorSpec([None, 4, 4, 2]), tf.TensorSpec([None, 4, 4, 3])])
    def compute(x, upstream):
        return convolution.kernel_gradient(x, upstream, 3)

    assert compute(tf.ones([5, 4, 4, 2]), tf.ones([5, 4, 4, 3])).numpy()[1, 1, 0, 0] == 5 * 16  # the middle tap sees every pixel
