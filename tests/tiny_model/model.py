"""Networks of the tiny model, and the phases of its training step."""

import functools

import keras
import tensorflow as tf

from stylegan_tf.losses import loss_of_discriminator, loss_of_generator, penalties
from stylegan_tf.models.adversarial import discriminator_terms, generator_terms
from stylegan_tf.models.base import Generator, Model, Network, Phase
from stylegan_tf.models.inputs import check_labels
from tests.tiny_model.settings import DiscriminatorSettings, GeneratorSettings


@keras.saving.register_keras_serializable("stylegan_tf_tests")
class TinyGenerator(Generator):
    """z, and labels beside it, to images by one dense layer."""

    settings_type = GeneratorSettings

    def __init__(self, settings=None, **kwargs):
        super().__init__(settings, **kwargs)
        self.z_dim = self.settings.z_dim
        self.dense = keras.layers.Dense(self.resolution**2 * self.channels, name="dense", dtype=self.dtype_policy)
        self.build()

    def build(self, input_shape=None):
        self.dense.build((None, self.z_dim + self.label_size))

    def sample(self, z, labels=None, *, lod=0.0, training=False, noise_seed=None):
        check_labels(labels, self.label_size)
        x = tf.concat([z, labels], axis=1) if self.label_size else z
        images = tf.reshape(self.dense(x), [-1, self.resolution, self.resolution, self.channels])
        return tf.tanh(tf.cast(images, tf.float32))

    def call(self, z, labels=None):
        return self.sample(z, labels)


@keras.saving.register_keras_serializable("stylegan_tf_tests")
class TinyDiscriminator(Network):
    """Images to logits by two dense layers; with labels, the logit of the image's class."""

    settings_type = DiscriminatorSettings

    def __init__(self, settings=None, **kwargs):
        super().__init__(settings, **kwargs)
        self.dense0 = keras.layers.Dense(self.settings.width, name="dense0", dtype=self.dtype_policy)
        self.dense1 = keras.layers.Dense(max(self.label_size, 1), name="dense1", dtype=self.dtype_policy)
        self.build()

    def build(self, input_shape=None):
        self.dense0.build((None, self.resolution**2 * self.channels))
        self.dense1.build((None, self.settings.width))

    def call(self, images, labels=None, lod=0.0, training=False):
        x = tf.reshape(images, [-1, self.resolution**2 * self.channels])
        scores = tf.cast(self.dense1(tf.nn.leaky_relu(self.dense0(x))), tf.float32)
        return tf.reduce_sum(scores * labels, axis=1, keepdims=True) if self.label_size else scores


class TinyModel(Model):
    """Phases [D, G] with the losses and penalties of the settings."""

    name = "tiny"
    Generator = TinyGenerator
    Discriminator = TinyDiscriminator

    def phases(self, settings, G, D, running):
        def sample(part, labels, context):
            return G.sample(part.z, labels, training=True, noise_seed=part.noise_seed), {}

        D_terms = functools.partial(
            discriminator_terms, sample=sample, loss=loss_of_discriminator(settings.loss), penalties=penalties(settings.loss)
        )
        G_terms = functools.partial(generator_terms, sample=sample, loss=loss_of_generator(settings.loss))
        return [
            Phase("D", "D", D_terms, times=settings.loss.D_steps, shows_reals=True, after=lambda step: step.average_generator()),
            Phase("G", "G", G_terms),
        ]

    def feature_maps(self, settings, side, resolution):
        return getattr(settings, "width", 1)


MODEL = TinyModel()


def networks(*, resolution=8, channels=3, label_size=0, seed=0):
    """G and D with weights of N(0, 1): every latent gives another image."""
    shape = {"resolution": resolution, "channels": channels, "label_size": label_size}
    made = TinyGenerator(**shape), TinyDiscriminator(**shape)
    generator = keras.random.SeedGenerator(seed)
    for network in made:
        for variable in network.variables:
            variable.assign(keras.random.normal(variable.shape, seed=generator))
    return made
