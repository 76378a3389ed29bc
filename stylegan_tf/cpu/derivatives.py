"""Operations whose derivatives are written by hand, so that less is computed, traced or kept in memory than with TensorFlow's own."""

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf
from tensorflow.python.eager import record

from stylegan_tf.cpu import paths
from stylegan_tf.cpu.order import not_before


def with_derivatives(function: Callable[..., tf.Tensor], derivatives: Callable[..., Sequence[tf.Tensor]], *inputs: tf.Tensor) -> tf.Tensor:
    """function(*inputs), recorded by gradient tapes as one operation with these derivatives.

    Used in place of `tf.custom_gradient`, which in a traced function also records the operations inside `function`, adds an
    `IdentityN` with a gradient of zeros for each input, and never releases a closure: a third of the time to trace a step, and
    30 MB of memory for each stage of growth.
    The tape must be in the same function as the call: of a `tf.function` as a whole, TensorFlow differentiates the operations inside.

    Args:
        function: tensors to one tensor that is not one of them; no variables.
        derivatives: (upstream, output) to one gradient for each input, in operations that have derivatives themselves.
    """
    with record.stop_recording():
        output = function(*inputs)
    record.record_operation("with_derivatives", [output], list(inputs), lambda upstream: derivatives(upstream, output))
    return output


def leaky_relu(x: tf.Tensor, slope: float = 0.2) -> tf.Tensor:
    """max(x, slope * x); only its output is kept for the derivative."""

    def derivatives(upstream, output):
        # The output has the sign of the input, which need not be kept.
        return [tf.where(not_before(upstream, output) >= 0, upstream, upstream * tf.cast(slope, upstream.dtype))]

    return with_derivatives(lambda inputs: tf.nn.leaky_relu(inputs, slope), derivatives, x)


def recomputed_in_backward_pass(function: Callable[..., tf.Tensor]) -> Callable[..., tf.Tensor]:
    """Decorator of a function of tensors: only its arguments are kept for the derivatives, which compute the function again.

    For functions that are cheap to compute and whose intermediate results are large. Derivatives of any order are those of
    `function`. Decorate functions of a module: the trace of the derivatives is kept for each function and each shape.
    """

    @functools.wraps(function)
    def compute(*arguments):
        if not paths.is_on(on_gpus=True):
            return function(*arguments)
        return with_derivatives(function, lambda upstream, _: _derivatives(function, upstream, *arguments), *arguments)

    compute.plain = function
    return compute


# A function of its own: one node of the graph for each use, traced once for each shape.
@tf.function(autograph=False)
def _derivatives(function, upstream, *arguments):
    delayed = not_before(upstream, list(arguments))
    with tf.GradientTape() as tape:
        tape.watch(delayed)
        output = function(*delayed)
    return tape.gradient(output, delayed, output_gradients=upstream)
