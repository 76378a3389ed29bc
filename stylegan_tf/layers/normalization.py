"""Normalisations of single samples, in float32 for every compute dtype; `batch_norm` normalises over a batch."""

import keras
import tensorflow as tf

EPSILON = 1e-8


def pixel_norm(x: tf.Tensor) -> tf.Tensor:
    """Divides the features of every sample, or of every pixel, by their root mean square.

    Args:
        x: [..., C], any float dtype.

    Returns:
        The same shape and dtype.
    """
    precise = tf.cast(x, tf.float32)
    scale = tf.math.rsqrt(tf.reduce_mean(tf.square(precise), axis=-1, keepdims=True) + EPSILON)
    return tf.cast(precise * scale, x.dtype)


def instance_norm(x: tf.Tensor) -> tf.Tensor:
    """Gives every feature map of every sample mean 0 and (biased) variance 1.

    Args:
        x: [N, H, W, C], any float dtype.

    Returns:
        The same shape and dtype.
    """
    precise = tf.cast(x, tf.float32)
    precise -= tf.reduce_mean(precise, axis=[1, 2], keepdims=True)
    scale = tf.math.rsqrt(tf.reduce_mean(tf.square(precise), axis=[1, 2], keepdims=True) + EPSILON)
    return tf.cast(precise * scale, x.dtype)


@keras.saving.register_keras_serializable("stylegan_tf")
class LayerNorm(keras.layers.Layer):
    """Gives the features of every sample together mean 0 and (biased) variance 1, then a learned gain and offset.

    No sample depends on another: the normalisation of critics under a gradient penalty.

    Args:
        epsilon: added to the variance. PyTorch's default is 1e-5.
        is_per_element: a gain and an offset for each pixel of each feature map, as PyTorch's LayerNorm([C, H, W]) has; else for
            each feature map, as the code of Gulrajani et al. 2017 has.

    Source: Ba et al. 2016.
    """

    def __init__(self, epsilon=1e-5, is_per_element=False, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.is_per_element = is_per_element

    def build(self, input_shape):
        shape = tuple(input_shape[1:]) if self.is_per_element else (input_shape[-1],)
        self.gain = self.add_weight(name="gain", shape=shape, initializer="ones", autocast=False)
        self.offset = self.add_weight(name="offset", shape=shape, initializer="zeros", autocast=False)

    def call(self, x):
        """[N, ..., C], any float dtype, to the same shape and dtype."""
        precise = tf.cast(x, tf.float32)
        axes = list(range(1, len(x.shape)))
        precise -= tf.reduce_mean(precise, axes, keepdims=True)
        precise *= tf.math.rsqrt(tf.reduce_mean(tf.square(precise), axes, keepdims=True) + self.epsilon)
        return tf.cast(precise * tf.cast(self.gain, tf.float32) + tf.cast(self.offset, tf.float32), x.dtype)

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), "epsilon": self.epsilon, "is_per_element": self.is_per_element}
