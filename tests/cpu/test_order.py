"""What is computed once more for its derivatives has the derivatives of what is kept, of the first and of the second order."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.cpu.order import not_before, recomputed
from stylegan_tf.layers.epilogue import EpilogueLayer
from stylegan_tf.layers.modulation import modulate
from stylegan_tf.layers.normalization import instance_norm


def plain(x, styles):
    return modulate(instance_norm(x), styles)


def derivatives(function, *arguments):
    """Value, gradients, and gradients of the gradients' squares."""
    arguments = [tf.identity(argument) for argument in arguments]
    with tf.GradientTape() as outer:
        outer.watch(arguments)
        with tf.GradientTape() as inner:
            inner.watch(arguments)
            value = function(*arguments)
            total = tf.reduce_sum(tf.sin(value))
        first = inner.gradient(total, arguments)
        squares = tf.add_n([tf.reduce_sum(tf.square(gradient)) for gradient in first])
    return [value, *first, *outer.gradient(squares, arguments)]


@pytest.mark.parametrize("is_graph", [False, True])
def test_derivatives_are_those_of_what_is_kept(is_graph):
    random = np.random.RandomState(0)
    x, styles = random.randn(2, 4, 4, 3).astype(np.float32), random.randn(2, 6).astype(np.float32)

    def found(x, styles):
        return derivatives(lambda *arguments: recomputed(plain, *arguments), x, styles)

    found = tf.function(found) if is_graph else found
    for actual, expected in zip(found(tf.constant(x), tf.constant(styles)), derivatives(plain, x, styles), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=2e-4, atol=2e-5)


def test_what_is_computed_once_more_waits_for_who_asks_for_it():
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
    assert [sum(node.op == "Rsqrt" for node in nodes) for nodes in (traced.node, again.node_def)] == [1, 1]  # forward, and once more
    waiting = [node for node in again.node_def if node.op == "Identity" and any(name.startswith("^upstream") for name in node.input)]
    assert len(waiting) >= 2  # x and style
    (call,) = (node for node in traced.node if node.op == "PartitionedCall")
    assert "upstream" in call.input  # and the function is not called before


def test_waiting_changes_no_value():
    one, two = tf.constant(1.0), tf.constant(2.0)
    assert not_before(one, two) == 2.0
    assert [float(tensor) for tensor in not_before([one, two], [two, one])] == [2.0, 1.0]
