"""An 8x8 generator with random weights, for tests: every latent gives another image."""

import numpy as np

from stylegan_tf.models.stylegan2.generator import StyleGAN2Generator
from tests import flat_networks as networks

OPTIONS = {"resolution": 8, "z_dim": 4, "w_dim": 5, "mapping_fmaps": 6, "mapping_layers": 2, "fmap_base": 16, "fmap_max": 4}


def small_generator(seed=0, **options):
    """Every weight from N(0, 0.5^2), so that every term counts."""
    G = networks.Generator(**OPTIONS | options)
    rng = np.random.default_rng(seed)
    for name, variable in networks.named_weights(G).items():
        scale = 30 if name.startswith("mapping") else 0.5  # the learning-rate multiplier makes mapping weights small
        variable.assign(rng.normal(0, scale, variable.shape))
    return G


def small_discriminator(**options):
    kept = {name: OPTIONS[name] for name in ("resolution", "fmap_base", "fmap_max")}
    return networks.Discriminator(**kept | options)


def small_stylegan2():
    """A StyleGAN2 of the same sizes, every weight from N(0, 1)."""
    settings = StyleGAN2Generator.settings_type(z_dim=4, w_dim=5, mapping_layers=2, fmap_base=32, fmap_max=4)
    G = StyleGAN2Generator(settings, resolution=8)
    rng = np.random.default_rng(0)
    for variable in networks.named_weights(G).values():
        variable.assign(rng.normal(0, 1, variable.shape))
    return G
