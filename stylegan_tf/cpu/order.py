"""When things are computed: nothing early that would lie in memory until its turn comes, and again what is cheaper than to keep."""

from collections.abc import Callable

import tensorflow as tf

from stylegan_tf.cpu.derivatives import with_derivatives


def not_before(awaited, tensors):
    """`tensors` (one, or a list of them), but nothing is computed from them before all of `awaited` is there.

    TensorFlow runs whatever has its inputs. What depends on weights alone is ready at the start of a step, for all layers at once.
    """
    with tf.control_dependencies(tf.nest.flatten(awaited)):
        return tf.nest.map_structure(tf.identity, tensors)


def recomputed(function: Callable[..., tf.Tensor], *arguments: tf.Tensor) -> tf.Tensor:
    """function(*arguments), of which nothing but the arguments is kept until derivatives are taken: they compute it once more.

    For what is cheap to compute and large to keep. Derivatives of any order are those of `function`, which should be a module's:
    their trace is kept for it.
    """
    return with_derivatives(function, lambda upstream, _: _derivatives(function, upstream, *arguments), *arguments)


# A function: one node of the graph for each use, traced once for each shape.
@tf.function(autograph=False)
def _derivatives(function, upstream, *arguments):
    delayed = not_before(upstream, list(arguments))
    with tf.GradientTape() as tape:
        tape.watch(delayed)
        output = function(*delayed)
    return tape.gradient(output, delayed, output_gradients=upstream)
