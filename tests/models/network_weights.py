"""Weights of models for tests: random ones, and how many are trained."""

import math

import numpy as np

from stylegan_tf.models.weights import named_weights, weight_shapes


def count(make):
    """Trained numbers of the network that `make` builds."""
    return sum(math.prod(shape) for shape in weight_shapes(make, only_trainable=True).values())


def random_weights(network):
    """Gives a network weights of N(0, 0.5), variances positive ones; returns them as float64 by name."""
    random = np.random.RandomState(1)
    for name, variable in named_weights(network).items():
        array = random.normal(0, 0.5, variable.shape)
        variable.assign(np.abs(array) + 0.1 if "variance" in name else array)
    return {name: np.float64(variable.numpy()) for name, variable in named_weights(network).items()}
