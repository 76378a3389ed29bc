"""The noise inputs of a synthesis network: one map of random numbers for each layer."""

import functools
from collections.abc import Sequence

import tensorflow as tf

NOISE_MODES = ("random", "const", "none")  # drawn anew, the network's own maps (shared by the batch), or no noise


def random_noise(batch: int | tf.Tensor, sides: Sequence[int], seed: tf.Tensor | None = None) -> list[tf.Tensor]:
    """Draws N(0, 1) for every layer.

    Args:
        batch: number of images.
        sides: of the feature maps of the layers.
        seed: int32 [2] that the noise is a function of, with `batch` and `sides`; None draws from TensorFlow's generator.

    Returns:
        A map [N, side, side, 1] for each layer.
    """
    sizes = [side**2 for side in sides]
    # All at once: a seed and a draw of its own would be 17 operations a layer.
    draw = tf.random.normal if seed is None else functools.partial(tf.random.stateless_normal, seed=seed)
    pixels = tf.split(draw([batch, sum(sizes)]), sizes, axis=1)
    return [tf.reshape(values, [-1, side, side, 1]) for values, side in zip(pixels, sides, strict=True)]
