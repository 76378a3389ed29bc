"""Real images on their way into D: from bytes to the network's range, blended with their own means while a level fades."""

import tensorflow as tf

from stylegan_tf.layers.resample import downscale2d, upscale2d


def process_reals(images: tf.Tensor, fade: tf.Tensor | float | None) -> tf.Tensor:
    """uint8 [N, R, R, C] to float32 [N, R, R, C] in [-1, 1], at lod - floor(lod) = `fade` between two levels.

    Source: the original release.
    """
    x = tf.cast(images, tf.float32) * (2.0 / 255.0) - 1.0
    if fade is None:
        return x
    return x + (upscale2d(downscale2d(x)) - x) * fade
