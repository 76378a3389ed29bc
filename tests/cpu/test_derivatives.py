"""Derivatives written by hand: used by every tape, of any order, and nothing else of the function is recorded."""

import gc

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import ops

from stylegan_tf.cpu.derivatives import with_derivatives
from stylegan_tf.layers.epilogue import EpilogueLayer
from stylegan_tf.layers.modulation import adain
from tests.cpu.derivatives import to_second_order


def cube(x):
    """x^3 with a derivative that is wrong by a factor of 10, to distinguish it from TensorFlow's own."""
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
def test_tapes_use_the_derivative_by_hand(is_graph):
    found = (tf.function(first_and_second) if is_graph else first_and_second)(tf.constant([2.0, -3.0]))
    for actual, expected in zip(found, ([8.0, -27.0], [120.0, 270.0], [120.0, -180.0]), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_each_input_has_a_derivative_which_may_use_the_output():
    a, b = tf.constant(3.0), tf.constant(5.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([a, b])
        product = with_derivatives(tf.multiply, lambda upstream, output: (upstream * output / a, upstream * output / b), a, b)
    assert [float(gradient) for gradient in tape.gradient(product, [a, b])] == [5.0, 3.0]


def test_a_trace_contains_only_the_function():
    traced = tf.function(gradient).get_concrete_function(tf.zeros([4]))
    kinds = {operation.type for operation in traced.graph.get_operations()}
    assert "IdentityN" not in kinds
    assert "Fill" not in kinds


def test_nothing_is_registered_permanently():
    registry = ops.gradient_registry._registry
    before = set(registry)
    tf.function(first_and_second)(tf.constant([1.0]))
    gc.collect()
    assert set(registry) == before


def test_of_a_function_as_a_whole_tensorflow_uses_its_own():
    whole, x = tf.function(cube), tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = whole(x)
    assert float(tape.gradient(y, x)) == 12.0


@pytest.mark.parametrize("is_graph", [False, True])
def test_recomputed_derivatives_equal_those_of_kept_results(is_graph):
    random = np.random.RandomState(0)
    x, styles = (tf.constant(random.randn(*shape), tf.float32) for shape in ([2, 4, 4, 3], [2, 6]))
    compute = tf.function(to_second_order) if is_graph else to_second_order
    for actual, expected in zip(compute(adain, x, styles), to_second_order(adain.plain, x, styles), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=2e-4, atol=2e-5)


def test_values_are_recomputed_when_their_derivative_is_needed():
    layer = EpilogueLayer(4, use_noise=False)
    layer.build_epilogue(8)

    @tf.function
    def step(x, w, upstream):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = layer.finish(x, w, None)
        return tape.gradient(value, x, upstream)

    traced = step.get_concrete_function(tf.zeros([2, 4, 4, 4]), tf.zeros([2, 8]), tf.zeros([2, 4, 4, 4])).graph.as_graph_def()
    (again,) = (function for function in traced.library.function if "derivatives" in function.signature.name)
    assert [sum(node.op == "Rsqrt" for node in nodes) for nodes in (traced.node, again.node_def)] == [1, 1]  # forward and recomputed
    waiting = [node for node in again.node_def if node.op == "Identity" and any(name.startswith("^upstream") for name in node.input)]
    assert len(waiting) >= 2  # x and style
    (call,) = (node for node in traced.node if node.op == "PartitionedCall")
    assert "upstream" in call.input  # and the function is not called before
