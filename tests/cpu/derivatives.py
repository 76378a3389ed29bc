"""Values, gradients, and second derivatives of a function, as the tests of fast paths compare them."""

import tensorflow as tf


def to_second_order(function, *arguments):
    """Values of function(*arguments), gradients of a curved sum of them, and gradients of the squared norm of each of those.

    The squared norm of the gradient by an image is what R1 differentiates.
    """
    arguments = [tf.convert_to_tensor(argument) for argument in arguments]
    with tf.GradientTape(persistent=True) as outer:
        outer.watch(arguments)
        with tf.GradientTape() as inner:
            inner.watch(arguments)
            values = function(*arguments)
            total = tf.reduce_sum(tf.sin(tf.cast(values, tf.float32)))
        first = inner.gradient(total, arguments)
        norms = [tf.reduce_sum(tf.square(tf.cast(gradient, tf.float32))) for gradient in first]
    second = [outer.gradient(norm, arguments, unconnected_gradients=tf.UnconnectedGradients.ZERO) for norm in norms]
    return [values, *first, *tf.nest.flatten(second)]
