"""Dense and convolution layers with an equalised learning rate."""

import math

import keras
import tensorflow as tf

from stylegan_tf.cpu.order import scale_kernel
from stylegan_tf.layers import resample
from stylegan_tf.layers.activations import biased
from stylegan_tf.layers.convolution import conv2d, matmul

RELU_GAIN = math.sqrt(2)  # He initialisation before a (leaky) ReLU


def weight_scale(fan_in: int, gain: float, lrmul: float, use_wscale: bool) -> tuple[float, float]:
    """Standard deviation of the initial weights, and the factor they are multiplied by at run time.

    Source: Karras et al. 2018, section 4.1, with the learning-rate multiplier of the 2019 release.
    """
    he_std = gain / math.sqrt(fan_in)
    return (1.0 / lrmul, he_std * lrmul) if use_wscale else (he_std / lrmul, lrmul)


class EqualizedLayer(keras.layers.Layer):
    """Base of the scaled layers: a scaled kernel and a bias.

    Args:
        gain: factor of He's initialisation; sqrt(2) before a nonlinearity, 1 elsewhere.
        lrmul: learning-rate multiplier of kernel and bias.
        use_wscale: scale at run time instead of at initialisation.
        bias_init: first value of the bias, as it is applied.
    """

    def __init__(self, *, gain=RELU_GAIN, lrmul=1.0, use_wscale=True, use_bias=True, bias_init=0.0, **kwargs):
        super().__init__(**kwargs)
        self.gain = gain
        self.lrmul = lrmul
        self.use_wscale = use_wscale
        self.use_bias = use_bias
        self.bias_init = bias_init

    def add_scaled_weights(self, kernel_shape, num_biases):
        """Creates `kernel` and, with `use_bias`, `bias`. Called from `build`."""
        std, self.scale = weight_scale(math.prod(kernel_shape[:-1]), self.gain, self.lrmul, self.use_wscale)
        initializer = keras.initializers.RandomNormal(stddev=std)
        self.kernel = self.add_weight(name="kernel", shape=kernel_shape, initializer=initializer)
        first = keras.initializers.Constant(self.bias_init / self.lrmul)
        self.bias = self.add_weight(name="bias", shape=(num_biases,), initializer=first) if self.use_bias else None

    def scaled_kernel(self, x):
        """The kernel as it is applied to x, in the compute dtype."""
        # Scaled in float32, cast once: a cast of the unscaled kernel would round twice.
        return tf.cast(scale_kernel(tf.cast(self.kernel, tf.float32), self.scale, x), self.compute_dtype)

    def add_bias(self, x, activation=None):
        """Adds the bias, multiplied by `lrmul`, along the last axis, then applies a function of `activations.NONLINEARITIES`, if any."""
        if self.bias is None:
            return x if activation is None else activation(x)
        bias = tf.cast(self.bias, x.dtype)
        bias = bias if self.lrmul == 1.0 else bias * tf.cast(self.lrmul, x.dtype)
        return tf.nn.bias_add(x, bias) if activation is None else biased(x, bias, activation)

    def get_config(self):
        """Arguments of the constructor."""
        names = ("gain", "lrmul", "use_wscale", "use_bias", "bias_init")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("stylegan_tf")
class EqualizedDense(EqualizedLayer):
    """Dense layer: [N, in] to [N, units]; inputs of more axes are flattened."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.add_scaled_weights((math.prod(input_shape[1:]), self.units), self.units)

    def call(self, x, activation=None):
        if len(x.shape) > 2:
            x = tf.reshape(x, [-1, math.prod(x.shape[1:])])
        return self.add_bias(matmul(x, self.scaled_kernel(x)), activation)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@keras.saving.register_keras_serializable("stylegan_tf")
class EqualizedConv2D(EqualizedLayer):
    """Convolution with SAME padding, alone or with a change of resolution: [N, H, W, in] to [N, H', W', filters].

    Args:
        resampling: None, "up" (nearest upscale before) or "down" (2x2 means after).
        blur_filter: taps of the blur after "up" or before "down", or None.
        is_fused: resampling and convolution in one operation; affects speed only.
    """

    def __init__(self, filters, kernel_size=3, *, resampling=None, blur_filter=None, is_fused=False, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = kernel_size
        self.resampling = resampling
        self.blur_filter = blur_filter
        self.is_fused = is_fused

    def build(self, input_shape):
        self.add_scaled_weights((self.kernel_size, self.kernel_size, input_shape[-1], self.filters), self.filters)

    def call(self, x, activation=None):
        return self.add_bias(self.convolve(x), activation)

    def convolve(self, x):
        """The layer without its bias."""
        kernel = self.scaled_kernel(x)
        if self.resampling is None:
            return conv2d(x, kernel)
        if self.resampling == "up":
            x = resample.upscale2d_conv2d(x, kernel, is_fused=self.is_fused)
            return resample.blur2d(x, self.blur_filter) if self.blur_filter else x
        x = resample.blur2d(x, self.blur_filter) if self.blur_filter else x
        return resample.conv2d_downscale2d(x, kernel, is_fused=self.is_fused)

    def get_config(self):
        options = {"filters": self.filters, "kernel_size": self.kernel_size, "resampling": self.resampling}
        return {**super().get_config(), **options, "blur_filter": self.blur_filter, "is_fused": self.is_fused}
