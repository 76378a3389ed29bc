"""The noise inputs of a synthesis network: one map of random numbers for each layer."""

from collections.abc import Sequence

import tensorflow as tf

from stylegan_tf.cpu.paths import replaced_by
from stylegan_tf.layers.gpu import few_passes

NOISE_MODES = ("random", "const", "none")  # drawn anew, the network's own maps (shared by the batch), or no noise


@replaced_by(gpu=few_passes.add_noise)
def add_noise(x: tf.Tensor, noise: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
    """x [N, H, W, C] + noise [N or 1, H, W, 1] * strength [C], in the dtype of `x`."""
    # One scalar per channel, not per pixel: noise strength must not become a spatial pattern.
    return x + tf.cast(noise, x.dtype) * tf.cast(strength, x.dtype)


def noise_of_layers(
    maps: Sequence[tf.Variable], sides: Sequence[int], *, mode: str, batch: int | tf.Tensor, seed: tf.Tensor | None
) -> list[tf.Tensor | None]:
    """Noise of each layer, [N or 1, side, side, 1], or None for no noise.

    Args:
        maps: the network's own, [side, side] for each layer and perhaps more; none in a network without noise.
        sides, batch, seed: as in `random_noise`.
        mode: one of `NOISE_MODES`.

    Raises:
        ValueError: unknown mode.
    """
    if mode not in NOISE_MODES:
        raise ValueError(f"noise_mode must be one of {', '.join(NOISE_MODES)}. Received: {mode!r}")
    if mode == "none" or not maps:
        return [None] * len(sides)
    if mode == "const":
        return [tf.convert_to_tensor(own)[None, :, :, None] for own in maps[: len(sides)]]
    return random_noise(batch, sides, seed)


def random_noise(batch: int | tf.Tensor, sides: Sequence[int], seed: tf.Tensor | None = None) -> list[tf.Tensor]:
    """Draws N(0, 1) for every layer: a map [N, side, side, 1] each.

    Args:
        sides: of the feature maps of the layers.
        seed: int32 [2] that the noise is a function of, with `batch` and `sides`; int32 [N, 2] for a seed of each image, whose
            noise is then a function of it and of `sides` alone; None draws from TensorFlow's generator.
    """
    sizes = [side**2 for side in sides]
    # All at once: a seed and a draw of its own would be 17 operations a layer.
    pixels = tf.split(_normal(batch, sum(sizes), seed), sizes, axis=1)
    return [tf.reshape(values, [-1, side, side, 1]) for values, side in zip(pixels, sides, strict=True)]


def _normal(batch: int | tf.Tensor, count: int, seed: tf.Tensor | None) -> tf.Tensor:
    """float32 [N, count]."""
    if seed is None:
        return tf.random.normal([batch, count])
    seed = tf.convert_to_tensor(seed)
    if seed.shape.rank == 1:
        return tf.random.stateless_normal([batch, count], seed)
    return tf.map_fn(lambda own: tf.random.stateless_normal([count], own), seed, fn_output_signature=tf.TensorSpec([count], tf.float32))
