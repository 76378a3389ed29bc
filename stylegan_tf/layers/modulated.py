"""Convolutions whose kernel is scaled by a style, and demodulated: StyleGAN2's replacement of AdaIN."""

import math

import keras
import tensorflow as tf

from stylegan_tf.layers.convolution import conv2d
from stylegan_tf.layers.fir import upsample2d_conv2d
from stylegan_tf.layers.scaled import EqualizedDense

EPSILON = 1e-8


def modulated_conv2d(x, kernel, styles, *, demodulate=True, upsampling_taps=None):
    """Convolves each sample with the kernel whose input maps are scaled by its style.

    The scales are applied to the activations, which is the same: conv(x, kernel * s) = conv(x * s, kernel).

    Args:
        x: [N, H, W, in], any float dtype.
        kernel: float32 [k, k, in, out].
        styles: float32 [N, in].
        demodulate: divide every output map by the norm of its scaled kernel, so that it keeps unit variance.
        upsampling_taps: taps of the filter around a change of resolution to [2H, 2W]; None for none.

    Returns:
        [N, H', W', out], dtype of `x`.

    Source: Karras et al. 2020, equations 1 and 3.
    """
    if demodulate and x.dtype == tf.float16:
        # Demodulation cancels these factors; without them, sums in float16 would overflow.
        kernel *= 1.0 / (math.sqrt(math.prod(kernel.shape[:-1])) * tf.reduce_max(tf.abs(kernel), axis=[0, 1, 2]))
        styles /= tf.reduce_max(tf.abs(styles), axis=1, keepdims=True)
    x *= tf.cast(styles, x.dtype)[:, None, None, :]
    weights = tf.cast(kernel, x.dtype)
    x = conv2d(x, weights) if upsampling_taps is None else upsample2d_conv2d(x, weights, upsampling_taps)
    if demodulate:
        squares = tf.matmul(tf.square(styles), tf.reduce_sum(tf.square(kernel), axis=[0, 1]))  # [N, out]
        x *= tf.cast(tf.math.rsqrt(squares + EPSILON), x.dtype)[:, None, None, :]
    return x


@keras.saving.register_keras_serializable("stylegan_tf")
class ModulatedConv2D(keras.layers.Layer):
    """A modulated convolution with its style, noise and bias, without a nonlinearity: [N, H, W, in] to [N, H', W', filters].

    The kernel starts at N(0, 1); with demodulation its scale has no effect, without it is divided by sqrt(fan_in) when applied.

    Args:
        demodulate: as in `modulated_conv2d`.
        upsampling_taps: as in `modulated_conv2d`.
        use_noise: add noise, times one learned factor for the layer.
    """

    def __init__(self, channels, filters, *, kernel_size=3, demodulate=True, upsampling_taps=None, use_noise=True, **kwargs):
        super().__init__(autocast=False, **kwargs)  # w and noise are float32
        self.channels = channels
        self.filters = filters
        self.kernel_size = kernel_size
        self.demodulate = demodulate
        self.upsampling_taps = upsampling_taps
        self.use_noise = use_noise
        # In float32 whatever the compute dtype: a style has to be as precise as the kernel that it scales.
        self.style = EqualizedDense(channels, gain=1.0, bias_init=1.0, dtype="float32", name="style")

    def build(self, w_shape):
        """Creates the weights for w of shape [N, w_dim]."""
        self.style.build(w_shape)
        shape = (self.kernel_size, self.kernel_size, self.channels, self.filters)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=keras.initializers.RandomNormal(stddev=1.0))
        if self.use_noise:
            self.noise_strength = self.add_weight(name="noise_strength", shape=(), initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, x, w, noise=None):
        """x [N, H, W, in], w [N, w_dim] and noise [N or 1, H', W', 1] (or None) to [N, H', W', filters] in the compute dtype."""
        x, styles = tf.cast(x, self.compute_dtype), self.style(tf.cast(w, tf.float32))
        if not self.demodulate:
            styles *= 1.0 / math.sqrt(self.kernel_size**2 * self.channels)
        kernel = tf.cast(self.kernel, tf.float32)
        x = modulated_conv2d(x, kernel, styles, demodulate=self.demodulate, upsampling_taps=self.upsampling_taps)
        if self.use_noise and noise is not None:
            x += tf.cast(noise * tf.cast(self.noise_strength, tf.float32), x.dtype)
        return tf.nn.bias_add(x, tf.cast(self.bias, x.dtype))

    def get_config(self):
        names = ("channels", "filters", "kernel_size", "demodulate", "upsampling_taps", "use_noise")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
