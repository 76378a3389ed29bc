"""Inception's weights in bfloat16: layers keep their mean output, and inputs are traced through the network."""

import numpy as np
import tensorflow as tf

from metrics.extractors.inception_layers import INCEPTION_LAYERS
from metrics.extractors.rounding import _diffused, _input_means, _rounded


def test_errors_of_a_layer_add_up_to_nothing():
    rng = np.random.default_rng(0)
    kernel, means = rng.normal(size=(3, 3, 20, 16)).astype(np.float32), rng.uniform(0.05, 1, 20)
    bias = rng.normal(size=16).astype(np.float32)

    def shift(rounded):  # of the mean output
        return np.einsum("hwio,i->o", np.float64(rounded) - kernel, means) + (_rounded(bias) - bias)

    diffused = _diffused(kernel, means, carry=np.float64(bias) - _rounded(bias))
    assert np.abs(shift(diffused)).max() < 0.1 * np.abs(shift(_rounded(kernel))).max()
    np.testing.assert_array_equal(diffused, tf.cast(tf.cast(diffused, tf.bfloat16), tf.float32))  # exactly bfloat16
    np.testing.assert_allclose(diffused, kernel, rtol=2**-7)  # one step at most


def test_means_are_traced_to_the_right_layers():
    outputs = {name: np.full(shape[3], float(number)) for number, (name, shape) in enumerate(INCEPTION_LAYERS.items())}
    numbers = dict(zip(INCEPTION_LAYERS, range(94), strict=True))
    inputs = _input_means(outputs)
    assert {name: len(mean) for name, mean in inputs.items()} == {name: shape[2] for name, shape in INCEPTION_LAYERS.items()}
    assert set(inputs["mixed_10/tower_1/mixed/conv_1"]) == {numbers["mixed_10/tower_1/conv_1"]}
    blocks = ("conv", "tower/conv_1", "tower_1/conv_2", "tower_2/conv")
    assert set(inputs["mixed_1/tower_2/conv"]) == {numbers[f"mixed/{name}"] for name in blocks}
    below = {numbers[f"mixed_7/{name}"] for name in ("conv", "tower/conv_2", "tower_1/conv_4", "tower_2/conv")}
    own = {numbers[f"mixed_8/{name}"] for name in ("tower/conv_1", "tower_1/conv_3")}
    assert set(inputs["mixed_9/conv"]) == own | below  # mixed_8 passes on what it got
