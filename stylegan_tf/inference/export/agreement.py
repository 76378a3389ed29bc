"""Comparison of a converted generator with TensorFlow's: the same inputs, the same numbers to 1e-4."""

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from stylegan_tf.cpu.paths import plain_operations
from stylegan_tf.errors import UserError
from stylegan_tf.inference.export.saved_model import Function
from stylegan_tf.models.base import Generator
from stylegan_tf.seeds import latents_from_seeds

TOLERANCE = 1e-4  # different orders of summation gave 3e-6 at 32x32, and 1.0e-4 at 256x256 and full width, untrained, with values up to 5
_ROUNDING = 0.01  # a larger difference is not one of rounding


def example_inputs(G: Generator, specs: list[tf.TensorSpec], batch_size: int) -> dict[str, np.ndarray]:
    """Inputs by name for the comparison: z of the seeds 0, 1, ..., their ws, classes in turn, psi 0.7."""
    z = latents_from_seeds(range(batch_size), G.z_dim)
    labels = np.eye(G.label_size, dtype=np.float32)[np.arange(batch_size) % G.label_size] if G.label_size else None
    values: dict[str, Callable[[], np.ndarray]] = {
        "z": lambda: z,
        "labels": lambda: labels,
        "ws": lambda: G.mapping(z, labels).numpy(),
        "w": lambda: G.mapping(z, labels).numpy()[:, 0],
        "psi": lambda: np.float32(0.7),
    }
    return {spec.name: values[spec.name]() for spec in specs}


def compute(function: Function, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """TensorFlow's output, without the fast paths for processors: their rounding alone was 4e-5 at 256x256."""
    with plain_operations():
        (output,) = function[0](*(tf.constant(value) for value in inputs.values())).values()
    return output.numpy()


def check_agreement(name: str, expected: np.ndarray, received: np.ndarray, program: str, tolerance: float) -> float:
    """Compares an output of TensorFlow with that of another program.

    Args:
        name: of the network, for the message.
        expected: of TensorFlow.
        received: of the other program.
        program: its name.
        tolerance: largest difference that is accepted.

    Returns:
        The largest absolute difference.

    Raises:
        UserError: it is above `tolerance`, or the shapes differ; the message has both values, the difference and the tolerance.
    """
    if expected.shape != received.shape:
        raise UserError(f"{name} gives {list(received.shape)} in {program} and {list(expected.shape)} in TensorFlow. Nothing was written.")
    difference = np.abs(np.asarray(expected, np.float64) - received)
    worst = np.unravel_index(np.argmax(np.nan_to_num(difference, nan=np.inf)), difference.shape)
    if not difference[worst] <= tolerance:
        message = (
            f"{name} gives {received[worst]:.8g} in {program} and {expected[worst]:.8g} in TensorFlow at {list(map(int, worst))}: "
            f"they differ by {difference[worst]:.2g}, at most {tolerance:.2g} is accepted. Nothing was written."
        )
        if difference[worst] < _ROUNDING:
            unit = 10.0 ** math.floor(math.log10(difference[worst]))
            accepted = unit * math.ceil(difference[worst] / unit)
            message += f" The largest value is {np.abs(expected).max():.3g}. To accept this difference: --tolerance {accepted:.1g}"
        raise UserError(message)
    return float(difference[worst])
