"""How a DCGAN is trained: one step of D, then one of G on the same latents; both networks normalise over the batch.

As in PyTorch's tutorial, real and generated images are separate batches in D, and every pass of D in training moves its averages:
those are a mix of real and generated statistics. G generates each batch once there; here it does so once more for its own step, and
that pass leaves its moving averages unchanged.
"""

import functools

from stylegan_tf.layers.batch_norm import moving_statistics_kept
from stylegan_tf.losses import loss_of_discriminator, loss_of_generator
from stylegan_tf.models.adversarial import discriminator_terms, generator_terms
from stylegan_tf.models.base import Model, Phase
from stylegan_tf.models.dcgan.networks import DCGANDiscriminator, DCGANGenerator, num_features


class DCGAN(Model):
    """DCGAN's phases: [D, G].

    Source: Radford et al. 2016; the steps of PyTorch's DCGAN tutorial.
    """

    name = "dcgan"
    Generator = DCGANGenerator
    Discriminator = DCGANDiscriminator

    def phases(self, settings, G, D, running):
        def sample(part, labels, context):
            return G.sample(part.z, training=True), {}

        def sample_again(part, labels, context):
            with moving_statistics_kept():
                return G.sample(part.z, training=True), {}

        D_terms = functools.partial(discriminator_terms, sample=sample, loss=loss_of_discriminator(settings.loss), penalties=[])
        G_terms = functools.partial(generator_terms, sample=sample_again, loss=loss_of_generator(settings.loss))
        return [
            Phase("D", "D", D_terms, times=settings.loss.D_steps, shows_reals=True),
            Phase("G", "G", G_terms, inputs_of="D", after=lambda step: step.average_generator()),
        ]

    def feature_maps(self, settings, side, resolution):
        return num_features(settings.fmaps, side, resolution) if side < resolution else settings.fmaps


MODEL = DCGAN()
