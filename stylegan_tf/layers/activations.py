"""The nonlinearities of the original by name, each with the gain that its weights are scaled by."""

import math
from collections.abc import Callable

import tensorflow as tf

from stylegan_tf.cpu.derivatives import with_derivatives
from stylegan_tf.cpu.order import not_before


def leaky_relu(x: tf.Tensor, slope: float = 0.2) -> tf.Tensor:
    """max(x, slope * x), with gradient 1 at 0 as in the original (TensorFlow's own has `slope` there)."""

    def derivatives(upstream, output):
        # The sign of the output is the sign of the input, which can be given up.
        return [tf.where(not_before(upstream, output) >= 0, upstream, upstream * tf.cast(slope, upstream.dtype))]

    return with_derivatives(lambda inputs: tf.nn.leaky_relu(inputs, slope), derivatives, x)


NONLINEARITIES: dict[str, tuple[Callable, float]] = {"relu": (tf.nn.relu, math.sqrt(2)), "lrelu": (leaky_relu, math.sqrt(2))}


def nonlinearity(name: str) -> tuple[Callable, float]:
    """Returns the function and its gain.

    Raises:
        ValueError: the name is not known.
    """
    if name not in NONLINEARITIES:
        raise ValueError(f"Unknown nonlinearity. Known: {', '.join(NONLINEARITIES)}. Received: {name!r}")
    return NONLINEARITIES[name]
