"""The layer that DCGANs consist of: a convolution of any kind, with a normalisation."""

import keras
import tensorflow as tf

from stylegan_tf.layers.batch_norm import BatchNorm
from stylegan_tf.layers.convolution import conv2d, conv2d_down, conv2d_up, matmul
from stylegan_tf.layers.normalization import LayerNorm
from stylegan_tf.models.dcgan.settings import DiscriminatorSettings, GeneratorSettings

STDDEV = 0.02  # of fresh weights, and of the gains of batch normalisation around 1
KEEPING_KERNEL = 5  # of convolutions that keep the side


class Convolution(keras.layers.Layer):
    """A convolution, with the bias and the normalisation that the settings ask for.

    Args:
        kind: "first" (transposed, 1x1 to `side`), "up" (transposed, stride 2), "grow" (transposed, without padding), "same", "down"
            (stride 2) or "last" (the whole image to 1x1).
        side: side of the output; of the input where that is larger.
        is_normalised: whether the settings' normalisation follows.
    """

    def __init__(
        self, settings: GeneratorSettings | DiscriminatorSettings, *, kind: str, filters: int, side: int, kernel_size: int,
        is_normalised: bool, **kwargs,
    ):  # fmt: skip
        super().__init__(autocast=False, **kwargs)
        self.settings, self.kind, self.filters, self.side, self.kernel_size = settings, kind, filters, side, kernel_size
        self.norm = _norm(settings, self.dtype_policy) if is_normalised else None

    def build(self, channels):
        """Creates the weights for so many feature maps in: kernels [k, k, in, out], or [k, k, out, in] of transposed ones."""
        is_transposed = self.kind in ("first", "up", "grow")
        pair = (self.filters, channels) if is_transposed else (channels, self.filters)
        shape = (self.kernel_size, self.kernel_size, *pair)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=_initializer(self.settings.init))
        if self.settings.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")
        if self.norm:
            self.norm.build((None, self.side, self.side, self.filters))

    def call(self, x, training=False):
        """[N, H, W, in] to [N, H', W', filters]; "first" takes [N, in], "last" gives [N, filters]."""
        x = self._convolved(tf.cast(x, self.compute_dtype), tf.cast(self.kernel, self.compute_dtype))
        if self.settings.use_bias:
            x += tf.cast(self.bias, self.compute_dtype)
        if isinstance(self.norm, BatchNorm):
            return self.norm(x, training=training)
        return self.norm(x) if self.norm else x

    def _convolved(self, x, kernel):
        size = self.kernel_size
        if self.kind == "first":
            columns = tf.reshape(kernel, [size * size * self.filters, -1])
            return tf.reshape(matmul(x, tf.transpose(columns)), [-1, size, size, self.filters])
        if self.kind == "last":
            return matmul(tf.reshape(x, [-1, size * size * x.shape[-1]]), tf.reshape(kernel, [-1, self.filters]))
        if self.kind == "same":
            return conv2d(x, kernel)
        if self.kind == "down":
            # TensorFlow's padding: an odd number of rows in all has one more at the end.
            return conv2d_down(x, kernel) if size == 4 and x.shape[1] % 2 == 0 else tf.nn.conv2d(x, kernel, 2, "SAME")
        if self.kind == "up" and size == 4:
            return conv2d_up(x, kernel)
        output_shape = [tf.shape(x)[0], self.side, self.side, self.filters]
        return tf.nn.conv2d_transpose(x, kernel, output_shape, *((2, "SAME") if self.kind == "up" else (1, "VALID")))


def _norm(settings: GeneratorSettings | DiscriminatorSettings, dtype: keras.DTypePolicy) -> BatchNorm | LayerNorm | None:
    if settings.norm == "none":
        return None
    if settings.norm == "batch":
        gain_stddev = STDDEV if settings.init == "normal" else None
        return BatchNorm(settings.keep, settings.epsilon, gain_stddev=gain_stddev, dtype=dtype, name="norm")
    return LayerNorm(settings.epsilon, settings.norm == "layer_per_element", dtype=dtype, name="norm")


def _initializer(init: str) -> keras.initializers.Initializer:
    if init == "glorot":
        return keras.initializers.GlorotUniform()
    return (keras.initializers.RandomNormal if init == "normal" else keras.initializers.TruncatedNormal)(0.0, STDDEV)
