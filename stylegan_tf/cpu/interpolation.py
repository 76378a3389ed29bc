"""Bilinear interpolation and its adjoint, each compiled by XLA into one loop for CPUs, where it is several times as fast."""

import tensorflow as tf


@tf.function(jit_compile=True)
def read(pixels: tf.Tensor, indices: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Fast form of `augmentation.geometry.read`."""
    return tf.reduce_sum(tf.gather(pixels, indices, batch_dims=1) * weights[..., None], axis=1)


@tf.function(jit_compile=True)
def spread(values: tf.Tensor, indices: tf.Tensor, weights: tf.Tensor, size: int) -> tf.Tensor:
    """Fast form of `augmentation.geometry.spread`: one scatter for all images."""
    count, _, channels = values.shape
    places = indices + size * tf.range(count)[:, None, None]
    terms = values[:, None] * weights[..., None]  # [n, 4, P, C]
    sums = tf.scatter_nd(tf.reshape(places, [-1, 1]), tf.reshape(terms, [-1, channels]), [count * size, channels])
    return tf.reshape(sums, [count, size, channels])
