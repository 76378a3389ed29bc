"""The networks of the dense conditional GAN: one hidden layer each, the label beside the input.

Source: Mirza and Osindero 2014, as the public TensorFlow code for MNIST has it that the study of digits refers to.
"""

import keras
import tensorflow as tf

from stylegan_tf.layers import borders
from stylegan_tf.layers.convolution import matmul
from stylegan_tf.models.base import Generator, Network
from stylegan_tf.models.cgan.settings import DiscriminatorSettings, GeneratorSettings
from stylegan_tf.models.inputs import check_latents
from stylegan_tf.resolution import check_lod_is_zero


class Dense(keras.layers.Layer):
    """Matrix product [N, in] to [N, units] and bias. Weights start as Glorot and Bengio 2010 have them, biases at 0."""

    def __init__(self, units, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.units = units

    def build(self, width):
        self.kernel = self.add_weight(name="kernel", shape=(width, self.units), initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def call(self, x):
        x = matmul(tf.cast(x, self.compute_dtype), tf.cast(self.kernel, self.compute_dtype))
        return x + tf.cast(self.bias, self.compute_dtype)


@keras.saving.register_keras_serializable("stylegan_tf.cgan", "Generator")
class CGANGenerator(Generator):
    """Generates images [N, R, R, channels] in (-1, 1) from z [N, z_dim] and, where conditional, labels. Arguments: see `Network`."""

    settings_type = GeneratorSettings

    def __init__(self, settings: GeneratorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        self.z_dim = self.settings.z_dim
        self.side = self.resolution - 2 * self.settings.border
        self.dense0 = Dense(self.settings.units, dtype=self.dtype_policy, name="dense0")
        self.dense1 = Dense(self.side**2 * self.channels, dtype=self.dtype_policy, name="dense1")
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the settings."""
        self.dense0.build(self.z_dim + self.label_size)
        self.dense1.build(self.settings.units)

    def call(self, z, labels=None, training=False):
        """z [N, z_dim] and labels [N, label_size] to float32 images [N, R, R, channels] in (-1, 1), with a black border."""
        check_latents(z, (self.z_dim,))
        self.check_labels(labels)
        x = tf.concat([z, labels], axis=1) if self.label_size else z
        x = tf.tanh(tf.cast(self.dense1(tf.nn.relu(self.dense0(x))), tf.float32))
        images = tf.reshape(x, [-1, self.side, self.side, self.channels])
        return borders.with_border(images, self.settings.border, self.resolution)

    def sample(self, z, labels=None, *, lod=0.0, training=False, noise_seed=None):
        check_lod_is_zero(lod)
        return self(z, labels)


@keras.saving.register_keras_serializable("stylegan_tf.cgan", "Discriminator")
class CGANDiscriminator(Network):
    """Classifies images [N, R, R, channels] as real or generated: logits [N, 1]. Arguments: see `Network`."""

    settings_type = DiscriminatorSettings

    def __init__(self, settings: DiscriminatorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        self.side = self.resolution - 2 * self.settings.border
        self.dense0 = Dense(self.settings.units, dtype=self.dtype_policy, name="dense0")
        self.dense1 = Dense(1, dtype=self.dtype_policy, name="dense1")
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the settings."""
        self.dense0.build(self.side**2 * self.channels + self.label_size)
        self.dense1.build(self.settings.units)

    def call(self, images, labels=None, lod=0.0, training=False):
        """Classifies images.

        Args:
            images: [N, R, R, channels] of the full resolution.
            labels: [N, label_size], None for an unconditional network.
            lod: 0.
            training: no layer depends on it.

        Returns:
            float32 logits [N, 1].

        Raises:
            ValueError: images of another size or number of channels, missing labels, or a lod other than 0.
        """
        check_lod_is_zero(lod)
        self.check_labels(labels)
        self.check_images(images)
        x = borders.without_border(images, self.settings.border, self.side)
        x = tf.reshape(x, [-1, self.side**2 * self.channels])
        x = tf.concat([x, tf.cast(labels, x.dtype)], axis=1) if self.label_size else x
        x = tf.nn.leaky_relu(self.dense0(x), self.settings.slope)
        return tf.cast(self.dense1(x), tf.float32)
