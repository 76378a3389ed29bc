"""Operations whose derivatives are written by hand."""

from collections.abc import Callable, Sequence

import tensorflow as tf
from tensorflow.python.eager import record


def with_derivatives(function: Callable[..., tf.Tensor], derivatives: Callable[..., Sequence[tf.Tensor]], *inputs: tf.Tensor) -> tf.Tensor:
    """function(*inputs), which gradient tapes see as one operation with these derivatives.

    As `tf.custom_gradient`, which in a traced function records what is inside `function` as well, adds an `IdentityN` with a
    gradient of zeros for each input, and keeps every closure for good: a third of a step's trace, and 30 MB a stage of growth.
    The tape must be where the call is: of a `tf.function` as a whole TensorFlow takes the derivatives of what is inside.

    Args:
        function: tensors to one tensor that is none of them; no variables.
        derivatives: (upstream, output) to a gradient for each input, in operations that have derivatives themselves.
        inputs: tensors.
    """
    with record.stop_recording():
        output = function(*inputs)
    record.record_operation("with_derivatives", [output], list(inputs), lambda upstream: derivatives(upstream, output))
    return output
