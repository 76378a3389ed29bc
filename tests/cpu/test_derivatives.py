"""Derivatives written by hand: taken on every tape and of any order, in operations of their own, and nothing else of the function is."""

import gc

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from stylegan_tf.cpu.derivatives import with_derivatives


def cube(x):
    """x^3 whose derivative is off by a factor of 10, so that it can be told from TensorFlow's own."""
    return with_derivatives(lambda x: x * x * x, lambda upstream, _: [upstream * 30.0 * square(x)], x)


def square(x):
    return with_derivatives(lambda x: x * x, lambda upstream, output: [upstream * 2.0 * output / x], x)


def first_and_second(x):
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            y = cube(x)
        first = inner.gradient(y, x)
    return y, first, outer.gradient(first, x)


def gradient(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = cube(x)
    return tape.gradient(y, x, tf.ones([4]))


@pytest.mark.parametrize("is_graph", [False, True])
def test_tapes_take_what_is_written(is_graph):
    found = (tf.function(first_and_second) if is_graph else first_and_second)(tf.constant([2.0, -3.0]))
    for actual, expected in zip(found, ([8.0, -27.0], [120.0, 270.0], [120.0, -180.0]), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_each_input_has_a_derivative_and_output_is_at_hand():
    a, b = tf.constant(3.0), tf.constant(5.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([a, b])
        product = with_derivatives(tf.multiply, lambda upstream, output: (upstream * output / a, upstream * output / b), a, b)
    assert [float(gradient) for gradient in tape.gradient(product, [a, b])] == [5.0, 3.0]


def test_a_trace_holds_the_function_alone():
    traced = tf.function(gradient).get_concrete_function(tf.zeros([4]))
    kinds = {operation.type for operation in traced.graph.get_operations()}
    assert "IdentityN" not in kinds
    assert "Fill" not in kinds


def test_nothing_is_registered_for_good():
    registry = ops.gradient_registry._registry
    before = set(registry)
    tf.function(first_and_second)(tf.constant([1.0]))
    gc.collect()
    assert set(registry) == before


def test_of_a_function_as_a_whole_tensorflow_takes_its_own():
    whole, x = tf.function(cube), tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = whole(x)
    assert float(tape.gradient(y, x)) == 12.0
