"""The networks of the dense conditional GAN: one hidden layer each; the label is concatenated with the input.

Source: Mirza and Osindero 2014, as in the public TensorFlow code for MNIST that the study of digits refers to.
"""

import keras
import tensorflow as tf

from stylegan_tf.layers import borders
from stylegan_tf.layers.linear import Linear
from stylegan_tf.models.base import Discriminator, Generator
from stylegan_tf.models.cgan.settings import DiscriminatorSettings, GeneratorSettings
from stylegan_tf.models.inputs import check_latents
from stylegan_tf.resolution import check_lod_is_zero


@keras.saving.register_keras_serializable("stylegan_tf.cgan", "Generator")
class CGANGenerator(Generator):
    """Generates images [N, R, R, channels] in (-1, 1) from z [N, z_dim] and, if conditional, labels. Arguments: see `Network`."""

    settings_type = GeneratorSettings

    def __init__(self, settings: GeneratorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        self.z_dim = self.settings.z_dim
        self.side = self.resolution - 2 * self.settings.border
        self.dense0 = Linear(self.settings.units, scale=1.0, dtype=self.dtype_policy, name="dense0")
        self.dense1 = Linear(self.side**2 * self.channels, scale=1.0, dtype=self.dtype_policy, name="dense1")
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
class CGANDiscriminator(Discriminator):
    """Classifies images [N, R, R, channels] as real or generated: logits [N, 1]. Arguments: see `Network`."""

    settings_type = DiscriminatorSettings

    def __init__(self, settings: DiscriminatorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        self.side = self.resolution - 2 * self.settings.border
        self.dense0 = Linear(self.settings.units, scale=1.0, dtype=self.dtype_policy, name="dense0")
        self.dense1 = Linear(1, scale=1.0, dtype=self.dtype_policy, name="dense1")
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the settings."""
        self.dense0.build(self.side**2 * self.channels + self.label_size)
        self.dense1.build(self.settings.units)

    def call(self, images, labels=None, lod=0.0, training=False):
        check_lod_is_zero(lod)
        self.check_labels(labels)
        self.check_images(images)
        x = borders.without_border(images, self.settings.border, self.side)
        x = tf.reshape(x, [-1, self.side**2 * self.channels])
        x = tf.concat([x, tf.cast(labels, x.dtype)], axis=1) if self.label_size else x
        x = tf.nn.leaky_relu(self.dense0(x), self.settings.slope)
        return tf.cast(self.dense1(x), tf.float32)
