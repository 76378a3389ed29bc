"""The synthesis layers: features, then noise, bias, nonlinearity, normalisation and style."""

import keras
import tensorflow as tf

from stylegan_tf.layers.activations import biased
from stylegan_tf.layers.activations import nonlinearity as find_nonlinearity
from stylegan_tf.layers.modulation import adain, modulate
from stylegan_tf.layers.noise import add_noise
from stylegan_tf.layers.normalization import instance_norm, pixel_norm
from stylegan_tf.layers.scaled import EqualizedConv2D, EqualizedDense


class EpilogueLayer(keras.layers.Layer):
    """Base of the synthesis layers: what follows the features, which is noise, bias, nonlinearity, normalisation and style in this order.

    Args:
        filters: feature maps C.
        nonlinearity: "lrelu" or "relu".
        use_noise, use_pixel_norm, use_instance_norm, use_styles: which of these steps are applied.
        use_wscale: equalised learning rate.

    Source: Karras et al. 2019, figure 1b; the order is the original release's.
    """

    def __init__(self, filters, *, nonlinearity="lrelu", use_noise=True, use_pixel_norm=False, use_instance_norm=True,
                 use_styles=True, use_wscale=True, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        self.filters = filters
        self.nonlinearity = nonlinearity
        self.use_noise = use_noise
        self.use_pixel_norm = use_pixel_norm
        self.use_instance_norm = use_instance_norm
        self.use_styles = use_styles
        self.use_wscale = use_wscale
        self.activation, self.activation_gain = find_nonlinearity(nonlinearity)
        self.style = EqualizedDense(2 * filters, gain=1.0, use_wscale=use_wscale, dtype=self.dtype_policy, name="style")

    def build_epilogue(self, w_dim):
        """Creates the weights of the steps after the features. Called from `build`."""
        if self.use_noise:
            self.noise_strength = self.add_weight(name="noise_strength", shape=(self.filters,), initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        if self.use_styles:
            self.style.build((None, w_dim))

    def finish(self, x, w, noise):
        """[N, H, W, C] features, [N, w_dim] w and [N or 1, H, W, 1] noise (or None) to [N, H, W, C]."""
        if self.use_noise and noise is not None:
            x = add_noise(x, noise, tf.convert_to_tensor(self.noise_strength))
        x = biased(x, tf.cast(self.bias, x.dtype), self.activation)
        if self.use_pixel_norm:
            x = pixel_norm(x)
        if not self.use_styles:
            return instance_norm(x) if self.use_instance_norm else x
        return adain(x, self.style(w)) if self.use_instance_norm else modulate(x, self.style(w))

    def get_config(self):
        names = ("filters", "nonlinearity", "use_noise", "use_pixel_norm", "use_instance_norm", "use_styles", "use_wscale")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("stylegan_tf")
class StyledConstant(EpilogueLayer):
    """A learned 4x4 constant, initially ones, and its epilogue."""

    def build(self, input_shape):
        self.const = self.add_weight(name="const", shape=(4, 4, self.filters), initializer="ones")
        self.build_epilogue(input_shape[-1])

    def call(self, w, noise=None):
        x = tf.cast(self.const, self.compute_dtype)[None]  # [1, 4, 4, C]
        return self.finish(tf.tile(x, [tf.shape(w)[0], 1, 1, 1]), w, noise)


@keras.saving.register_keras_serializable("stylegan_tf")
class StyledDense(EpilogueLayer):
    """A dense layer from w to 4x4 features, the first layer of configurations B and C of the paper, and its epilogue."""

    def __init__(self, filters, **kwargs):
        super().__init__(filters, **kwargs)
        # The gain of the progressive GAN, sqrt(2) / 4: every output channel has 16 pixels.
        self.features = EqualizedDense(filters * 16, gain=self.activation_gain / 4, use_wscale=self.use_wscale, use_bias=False,
                                       dtype=self.dtype_policy, name="features")  # fmt: skip

    def build(self, input_shape):
        self.features.build(input_shape)
        self.build_epilogue(input_shape[-1])

    def call(self, w, noise=None):
        x = tf.reshape(self.features(w), [-1, 4, 4, self.filters])
        return self.finish(x, w, noise)


@keras.saving.register_keras_serializable("stylegan_tf")
class StyledConv(EpilogueLayer):
    """A 3x3 convolution, optionally with upscaling and blur, and its epilogue.

    Args:
        resampling, blur_filter, is_fused: as in `EqualizedConv2D`.
    """

    def __init__(self, filters, *, resampling=None, blur_filter=None, is_fused=False, **kwargs):
        super().__init__(filters, **kwargs)
        self.resampling = resampling
        self.blur_filter = blur_filter
        self.is_fused = is_fused
        self.features = EqualizedConv2D(filters, 3, resampling=resampling, blur_filter=blur_filter, is_fused=is_fused,
                                        gain=self.activation_gain, use_wscale=self.use_wscale, use_bias=False,
                                        dtype=self.dtype_policy, name="features")  # fmt: skip

    def build(self, x_shape, w_shape):
        self.features.build(x_shape)
        self.build_epilogue(w_shape[-1])

    def call(self, x, w, noise=None):
        return self.finish(self.features(x), w, noise)

    def get_config(self):
        options = {"resampling": self.resampling, "blur_filter": self.blur_filter, "is_fused": self.is_fused}
        return {**super().get_config(), **options}
