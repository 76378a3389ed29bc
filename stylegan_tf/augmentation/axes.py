"""Warps that keep the axes of an image (flips, quarter turns, shifts, scales and stretches): one matrix product for each axis."""

import tensorflow as tf

from stylegan_tf.augmentation import wavelets


def warp(images: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
    """As `geometry.warp`, for matrices that map rows and columns to rows and columns, or to columns and rows: all but rotations.

    Interpolation in two directions is then one after the other.
    """
    a, b, x, c, d, y = tf.unstack(tf.reshape(matrices[:, :2], [-1, 6]), axis=1)
    is_turned = b != 0
    images = tf.where(is_turned[:, None, None, None], tf.transpose(images, [0, 2, 1, 3]), images)
    rows = tf.where(is_turned, b, d), tf.where(is_turned, x, y)
    columns = tf.where(is_turned, c, a), tf.where(is_turned, y, x)
    for factor, shift in (rows, columns):
        images = wavelets.applied_to_columns(_resampling(factor, shift, images.shape[1]), images)
    return images


def _resampling(factor, shift, side):
    """float32 [n, side, side]: doubles an axis, reads it at factor * position + shift, filters it and halves it."""
    doubled, down = wavelets.upsampling(side), wavelets.downsampling(side)
    # Zeros outside: one row before and two after, onto which positions outside are moved.
    rows = tf.pad(tf.constant(doubled), [[1, 2], [0, 0]])
    positions = wavelets.doubled_positions(factor[:, None] * wavelets.centred(down.shape[1]) + shift[:, None], len(doubled))
    from_margin = tf.clip_by_value(positions + 1.0, 0.0, len(doubled) + 1.0)
    number = tf.cast(from_margin, tf.int32)
    share = (from_margin - tf.cast(number, tf.float32))[:, :, None]
    return tf.matmul(down, tf.gather(rows, number) * (1.0 - share) + tf.gather(rows, number + 1) * share)
