"""Keeps TensorFlow from computing early what would then lie in memory until its turn comes."""

import tensorflow as tf


def not_before(awaited: tf.Tensor, tensor: tf.Tensor) -> tf.Tensor:
    """`tensor`, but nothing is computed from it before `awaited` is there.

    TensorFlow runs whatever has its inputs. What depends on weights alone is ready at the start of a step, for all layers at once.
    """
    with tf.control_dependencies([awaited]):
        return tf.identity(tensor)
