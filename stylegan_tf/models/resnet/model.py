"""How the residual GAN is trained: steps of D, then one of G on latents of its own."""

from stylegan_tf.models.adversarial import two_phases
from stylegan_tf.models.base import Model
from stylegan_tf.models.resnet.networks import ResNetDiscriminator, ResNetGenerator, num_features


class ResNet(Model):
    """Its phases: [D, G].

    Gulrajani's code takes no step of G in the first iteration, and its G uses statistics of the batch even when it draws samples. Here
    the first iteration is like all others, and moving averages are used outside of training.

    Source: Gulrajani et al. 2017, algorithm 1 and appendix F.
    """

    name = "resnet"
    Generator = ResNetGenerator
    Discriminator = ResNetDiscriminator

    def phases(self, settings, G, D, running):
        return two_phases(settings, lambda part, labels: G(part.z, training=True))

    def feature_maps(self, settings, side, resolution):
        return num_features(settings.fmaps, side, resolution)


MODEL = ResNet()
