"""Minibatch statistics as an input of the discriminator: the standard deviation over the samples of a group."""

import tensorflow as tf


def minibatch_stddev(x: tf.Tensor, group_size: int = 4, num_new_features: int = 1) -> tf.Tensor:
    """Appends the mean standard deviation over the samples of a group as constant feature maps.

    Args:
        x: [N, H, W, C]. Sample n belongs to group n mod (N / group_size).
        group_size: samples a group, at most N; 0 or 1 appends nothing.
        num_new_features: feature maps appended, one for each of as many equal parts of C.

    Returns:
        [N, H, W, C + num_new_features], dtype of `x`.

    Raises:
        ValueError: `group_size` does not divide a batch larger than itself.

    Source: Karras et al. 2018 (progressive GAN), section 3, with the groups of the original release.
    """
    if group_size <= 1:
        return x
    batch, height, width, channels = x.shape
    if batch is not None and batch > group_size and batch % group_size:
        raise ValueError(
            f"A batch above the group size of the minibatch statistics must be a multiple of it. "
            f"Received: batch {batch}, mbstd_group_size={group_size}"
        )
    group = min(group_size, batch) if batch is not None else tf.minimum(group_size, tf.shape(x)[0])
    features = num_new_features
    y = tf.reshape(tf.cast(x, tf.float32), [group, -1, height, width, features, channels // features])  # [G, M, H, W, F, c]
    y -= tf.reduce_mean(y, axis=0, keepdims=True)
    y = tf.sqrt(tf.reduce_mean(tf.square(y), axis=0) + 1e-8)  # [M, H, W, F, c]  over the G samples of a group
    y = tf.reduce_mean(y, axis=[1, 2, 4])  # [M, F]
    y = tf.tile(tf.cast(y, x.dtype), [group, 1])[:, None, None, :]  # [N, 1, 1, F]
    return tf.concat([x, tf.tile(y, [1, height, width, 1])], axis=-1)
