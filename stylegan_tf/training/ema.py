"""Moving averages: of G's weights into G_ema, and of w into w_avg."""

import tensorflow as tf


def ema_beta(minibatch: int, ema_kimg: float) -> float:
    """Decay a step for a half-life of `ema_kimg` thousand images: 0.5^(minibatch / (1000 ema_kimg)); 0 where that is 0."""
    return 0.5 ** (minibatch / (1000.0 * ema_kimg)) if ema_kimg > 0 else 0.0


def update_average(averages: list, variables: list, beta: tf.Tensor | float) -> None:
    """average <- variable + (average - variable) * beta, on every replica alike. Call in replica context."""
    value = tf.zeros([])
    for average, variable in zip(averages, variables, strict=True):
        with tf.control_dependencies([value]):  # one after the other: all at once would take the memory of another network
            target = tf.convert_to_tensor(variable)
            value = target + (tf.convert_to_tensor(average) - target) * beta
        assign(average, value)


def copy_weights(targets: list, variables: list) -> None:
    """target <- variable, on every replica alike. Call in replica context."""
    for target, variable in zip(targets, variables, strict=True):
        assign(target, tf.convert_to_tensor(variable))


def assign(variable, value: tf.Tensor) -> None:
    """Sets this replica's copy of a variable; every replica must set the same value."""
    # Variable.assign would ask the other replicas; the values are equal by construction.
    tf.raw_ops.AssignVariableOp(resource=variable.handle, value=value)
