"""How a DCGAN is trained: a step of D, then one of G, on the same latents in PyTorch's tutorial, on others in the code for digits."""

import tensorflow as tf

from stylegan_tf import lenet
from stylegan_tf.models.adversarial import two_phases
from stylegan_tf.models.base import Model
from stylegan_tf.models.dcgan.networks import DCGANDiscriminator, DCGANGenerator


class DCGAN(Model):
    """DCGAN's phases: [D, G].

    As in PyTorch's tutorial, G's step has the latents of D's step (`G_step.reuse_fakes`). There G generates each batch once; here it
    does so once more for its own step, and that pass leaves its moving averages unchanged. With other latents, every pass moves them.

    Source: Radford et al. 2016; the steps of PyTorch's DCGAN tutorial, and of the public TensorFlow code for MNIST. That code draws
    the labels of G's step from 0 to 8, so that its networks never generate a 9; here they are drawn from the dataset's labels.
    """

    name = "dcgan"
    Generator = DCGANGenerator
    Discriminator = DCGANDiscriminator

    def phases(self, settings, G, D, running):
        step = settings.G_step

        def draw(part, labels):
            return G(part.z, labels, training=True)

        extra = None
        if step.classifier is not None:
            classifier = lenet.load(step.classifier)

            def extra(images, labels):
                logits = classifier(G.with_border(images))
                losses = tf.nn.softmax_cross_entropy_with_logits(labels, logits)
                return step.alpha * losses, {"Loss/classifier": losses}

        return two_phases(settings, draw, reuse_fakes=step.reuse_fakes, extra=extra)

    def feature_maps(self, settings, side, resolution):
        return settings.fmaps * resolution // (2 * side) if side < resolution else settings.fmaps


MODEL = DCGAN()
