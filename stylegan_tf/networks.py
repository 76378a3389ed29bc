"""The classes of generators and discriminators, for use as a library: those of StyleGAN, StyleGAN2 and DCGAN."""

from stylegan_tf.models.dcgan.networks import DCGANDiscriminator, DCGANGenerator
from stylegan_tf.models.stylegan.discriminator import Discriminator
from stylegan_tf.models.stylegan.generator import Generator
from stylegan_tf.models.stylegan2.discriminator import StyleGAN2Discriminator
from stylegan_tf.models.stylegan2.generator import StyleGAN2Generator

__all__ = ["DCGANDiscriminator", "DCGANGenerator", "Discriminator", "Generator", "StyleGAN2Discriminator", "StyleGAN2Generator"]
