"""Normalisations without weights: pixel norm and instance norm, in float32 whatever the compute dtype."""

import tensorflow as tf

EPSILON = 1e-8


def pixel_norm(x: tf.Tensor) -> tf.Tensor:
    """Divides the features of every sample, or of every pixel, by their root mean square.

    Args:
        x: [..., C], any float dtype.

    Returns:
        The same shape and dtype.
    """
    precise = tf.cast(x, tf.float32)
    scale = tf.math.rsqrt(tf.reduce_mean(tf.square(precise), axis=-1, keepdims=True) + EPSILON)
    return tf.cast(precise * scale, x.dtype)


def instance_norm(x: tf.Tensor) -> tf.Tensor:
    """Gives every feature map of every sample mean 0 and (biased) variance 1.

    Args:
        x: [N, H, W, C], any float dtype.

    Returns:
        The same shape and dtype.
    """
    precise = tf.cast(x, tf.float32)
    precise -= tf.reduce_mean(precise, axis=[1, 2], keepdims=True)
    scale = tf.math.rsqrt(tf.reduce_mean(tf.square(precise), axis=[1, 2], keepdims=True) + EPSILON)
    return tf.cast(precise * scale, x.dtype)
