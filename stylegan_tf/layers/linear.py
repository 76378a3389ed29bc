"""Layers of GANs without an equalised learning rate: a convolution, or a matrix product, and a bias."""

import keras
import tensorflow as tf

from stylegan_tf.layers.convolution import conv2d, matmul


class Linear(keras.layers.Layer):
    """A convolution [N, H, W, in] with SAME padding, or where `kernel_size` is None a matrix product [N, in], and a bias.

    Args:
        kernel_size: side of the kernel, odd.
        scale: weights are uniform with variance scale / mean of the numbers of connections in and out: 1 (Glorot) or 2.
        use_bias: False for none.
    """

    def __init__(self, filters, kernel_size=None, *, scale=2.0, use_bias=True, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.filters, self.kernel_size, self.scale, self.use_bias = filters, kernel_size, scale, use_bias

    def build(self, channels):
        """Creates the weights for so many features in."""
        taps = (self.kernel_size,) * 2 if self.kernel_size else ()
        initializer = keras.initializers.VarianceScaling(self.scale, "fan_avg", "uniform")
        self.kernel = self.add_weight(name="kernel", shape=(*taps, channels, self.filters), initializer=initializer)
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x):
        kernel, x = tf.cast(self.kernel, self.compute_dtype), tf.cast(x, self.compute_dtype)
        x = conv2d(x, kernel) if self.kernel_size else matmul(x, kernel)
        return x + tf.cast(self.bias, self.compute_dtype) if self.use_bias else x
