"""Products of bfloat16 numbers are summed in float32 and rounded once: a sum of ones in bfloat16 would end at 256."""

import functools

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.cpu import bfloat16
from stylegan_tf.layers import resample
from stylegan_tf.layers.convolution import conv2d
from stylegan_tf.layers.scaled import EqualizedDense

FEATURES = 512
OPERATIONS = {
    "convolution": conv2d,
    "fused upscaling": functools.partial(resample.upscale2d_conv2d, is_fused=True),
    "upscaling": functools.partial(resample.upscale2d_conv2d, is_fused=False),
    "fused downscaling": functools.partial(resample.conv2d_downscale2d, is_fused=True),
    "downscaling": functools.partial(resample.conv2d_downscale2d, is_fused=False),
}


def with_gradients(operation, dtype):
    """Result and both gradients of an operation on ones [2, 16, 16, FEATURES] and a kernel of ones, as float32."""
    x, kernel = tf.ones([2, 16, 16, FEATURES], dtype), tf.ones([3, 3, FEATURES, 2], dtype)
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        result = operation(x, kernel)
    values = [result, *tape.gradient(result, [x, kernel])]
    assert all(value.dtype == dtype for value in values)
    return [tf.cast(value, tf.float32).numpy() for value in values]


@pytest.mark.parametrize("name", OPERATIONS)
def test_sums_are_as_in_float32(name):
    found, expected = (with_gradients(OPERATIONS[name], dtype) for dtype in (tf.bfloat16, tf.float32))
    assert expected[0].max() > 1000
    for value, exact in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, exact, rtol=2**-7)


def test_blur_and_dense_layers():
    dense = EqualizedDense(1, use_wscale=False, use_bias=False, dtype="mixed_bfloat16")
    dense.build((None, 4096))
    dense.kernel.assign(tf.ones_like(dense.kernel))
    assert float(dense(tf.ones([1, 4096]))[0, 0]) == 4096
    assert resample.blur2d(tf.ones([1, 4, 4, 1], tf.bfloat16), (1, 2, 1)).dtype == tf.bfloat16


def test_processors_with_units_use_them(monkeypatch):
    monkeypatch.setattr(bfloat16, "has_bfloat16", lambda: True)
    seen = []
    bfloat16.summed_in_float32(lambda a: seen.append(a.dtype) or a, tf.ones([1], tf.bfloat16))
    assert seen == [tf.bfloat16]
