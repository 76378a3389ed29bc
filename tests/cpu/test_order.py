"""Delays change when something is computed, not its value."""

import tensorflow as tf

from stylegan_tf.cpu.order import not_before, scale_kernel


def test_values_are_unchanged():
    one, two = tf.constant(1.0), tf.constant(2.0)
    assert not_before(one, two) == 2.0
    assert [float(tensor) for tensor in not_before([one, two], [two, one])] == [2.0, 1.0]


def test_a_kernel_is_scaled_after_its_input_is_computed():
    @tf.function
    def scaled(x, kernel):
        return scale_kernel(kernel, 3.0, tf.exp(x, name="input"))

    graph = scaled.get_concrete_function(tf.zeros([2]), tf.zeros([2])).graph
    (product,) = (operation for operation in graph.get_operations() if operation.type == "Mul")
    assert [operation.name for operation in product.inputs[0].op.control_inputs] == ["input"]
    assert scaled(tf.zeros([2]), tf.ones([2])).numpy().tolist() == [3.0, 3.0]
