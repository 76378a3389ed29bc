"""The order in which a graph is computed: operations whose results would be held in memory for long are delayed."""

import tensorflow as tf

from stylegan_tf.cpu import paths


def not_before(awaited, tensors):
    """Returns `tensors` (one tensor or a list), available only after all of `awaited` have been computed.

    TensorFlow runs an operation as soon as its inputs are available. Whatever depends on weights alone would otherwise be
    computed at the start of a step, for all layers at once, and held until it is used.
    """
    if not paths.is_on(on_gpus=True):
        return tensors
    with tf.control_dependencies(tf.nest.flatten(awaited)):
        return tf.nest.map_structure(tf.identity, tensors)


def scale_kernel(kernel: tf.Tensor, scale: float, x: tf.Tensor) -> tf.Tensor:
    """kernel * scale, computed when `x`, which the kernel will be applied to, is available."""
    return not_before(x, kernel) * scale
