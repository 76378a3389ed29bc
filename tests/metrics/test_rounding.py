"""Convolutions in bfloat16: weights in two parts, and the bias with them."""

import numpy as np
import pytest
import tensorflow as tf

from metrics.features.inception import RoundedConvolution, is_rounded, two_parts
from metrics.networks.conversion import INCEPTION_LAYERS


def _through_bfloat16(x):
    return tf.cast(tf.cast(x, tf.bfloat16), tf.float32).numpy()


def test_two_parts_hold_twice_the_bits():
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    first, second = two_parts(values)
    for part in (first, second):
        np.testing.assert_array_equal(part, _through_bfloat16(part))
    np.testing.assert_allclose(first + second, values, rtol=2**-17)
    assert np.abs(first - values).max() > 2**-10  # one part alone does not


@pytest.mark.parametrize(("kernel_size", "stride", "padding"), [((1, 1), 1, "SAME"), ((7, 1), 1, "SAME"), ((3, 3), 2, "VALID")])
def test_only_input_and_output_are_rounded(kernel_size, stride, padding):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 9, 9, 5)).astype(np.float32)
    kernel, bias = rng.normal(size=(*kernel_size, 5, 6)).astype(np.float32), rng.normal(size=6).astype(np.float32)
    found = RoundedConvolution(kernel, bias, is_emulated=True)(x, stride, padding)
    assert found.dtype == tf.bfloat16
    expected = tf.nn.conv2d(_through_bfloat16(x), kernel, stride, padding).numpy() + bias
    np.testing.assert_allclose(tf.cast(found, tf.float32), expected, rtol=2**-8, atol=1e-3)  # half a step; sums that cancel


def test_the_stem_stays_in_float32():
    exact = [name for name in INCEPTION_LAYERS if not is_rounded(name)]
    assert [name for name in exact if "/" not in name] == ["conv", "conv_1", "conv_2", "conv_3", "conv_4"]
    assert {name.split("/")[0] for name in exact if "/" in name} == {"mixed", "mixed_1", "mixed_2"}
    assert len(exact) == 5 + 3 * 7
