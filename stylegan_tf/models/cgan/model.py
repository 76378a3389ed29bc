"""How the dense conditional GAN is trained: a step of D, then one of G on latents and labels of its own."""

from stylegan_tf.models.adversarial import two_phases
from stylegan_tf.models.base import Model
from stylegan_tf.models.cgan.networks import CGANDiscriminator, CGANGenerator


class CGAN(Model):
    """Its phases: [D, G].

    Source: Mirza and Osindero 2014; the steps of the public TensorFlow code for MNIST. That code draws the labels of G's step from 0
    to 8, so that its network never generates a 9; here they are drawn from the dataset's labels.
    """

    name = "cgan"
    Generator = CGANGenerator
    Discriminator = CGANDiscriminator

    def phases(self, settings, G, D, running):
        return two_phases(settings, lambda part, labels: G(part.z, labels, training=True))

    def feature_maps(self, settings, side, resolution):
        return 0


MODEL = CGAN()
