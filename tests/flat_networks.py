"""StyleGAN's networks from settings and shape side by side: `Generator(resolution=8, z_dim=4)`; weights by name."""

import dataclasses

from stylegan_tf import settings_text
from stylegan_tf.models.stylegan.discriminator import Discriminator as _Discriminator
from stylegan_tf.models.stylegan.generator import Generator as _Generator
from stylegan_tf.models.weights import assign_weights, named_weights

__all__ = ["Discriminator", "Generator", "assign_weights", "flat_options", "named_weights"]


def Generator(**options):  # noqa: N802  takes the place of a class
    settings, rest = settings_text.from_flat(_Generator.settings_type, options)
    return _Generator(settings, **rest)


def Discriminator(**options):  # noqa: N802
    settings, rest = settings_text.from_flat(_Discriminator.settings_type, options)
    return _Discriminator(settings, **rest)


def flat_options(network):
    """Settings and shape of a network side by side, as files of version 1 hold them."""
    return {**network.shape_config, **dataclasses.asdict(network.settings)}
