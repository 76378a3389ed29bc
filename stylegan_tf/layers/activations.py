"""The nonlinearities of the original by name, each with the gain of the weights before it."""

import math
from collections.abc import Callable

import tensorflow as tf

from stylegan_tf.cpu import derivatives
from stylegan_tf.cpu.paths import replaced_by
from stylegan_tf.layers.gpu import few_passes


@replaced_by(derivatives.leaky_relu, on_gpus=True)
def leaky_relu(x: tf.Tensor, slope: float = 0.2) -> tf.Tensor:
    """max(x, slope * x) for slopes up to 1, with gradient 1 at 0 as in the original (`tf.nn.leaky_relu` has `slope` there)."""
    return tf.maximum(x, slope * x)


@replaced_by(gpu=few_passes.biased_leaky_relu)
def biased_leaky_relu(x: tf.Tensor, bias: tf.Tensor, slope: float = 0.2) -> tf.Tensor:
    """leaky_relu of x [..., C] + bias [C], both of one dtype."""
    return leaky_relu(tf.nn.bias_add(x, bias), slope)


NONLINEARITIES: dict[str, tuple[Callable, float]] = {"relu": (tf.nn.relu, math.sqrt(2)), "lrelu": (leaky_relu, math.sqrt(2))}


def nonlinearity(name: str) -> tuple[Callable, float]:
    """Returns a nonlinearity by name: its function, and the gain of He's initialisation before it.

    Raises:
        ValueError: unknown name.
    """
    if name not in NONLINEARITIES:
        raise ValueError(f"Unknown nonlinearity. Known: {', '.join(NONLINEARITIES)}. Received: {name!r}")
    return NONLINEARITIES[name]


def biased(x: tf.Tensor, bias: tf.Tensor, activation: Callable) -> tf.Tensor:
    """activation(x + bias) of x [..., C] and bias [C], for a function of `NONLINEARITIES`."""
    return biased_leaky_relu(x, bias) if activation is leaky_relu else activation(tf.nn.bias_add(x, bias))
