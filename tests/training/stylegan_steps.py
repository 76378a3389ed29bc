"""StyleGAN's trainer for tests of whole steps: fixed noise, and stages of the schedule by hand."""

from stylegan_tf.models.stylegan.model import StyleGAN
from stylegan_tf.models.stylegan.settings import Settings
from stylegan_tf.settings import DataSettings
from stylegan_tf.training.schedule import Stage
from stylegan_tf.training.step import Trainer


class ConstNoiseStyleGAN(StyleGAN):
    """Trains with the noise maps of the network: XLA and accumulation would draw other random noise."""

    noise_mode = "const"


def make_stage(*, lod=0.0, minibatch=4, lrate=0.01, D_lrate=None, gamma=10.0, max_part=None):
    rates = {"G_lrate": lrate, "D_lrate": lrate if D_lrate is None else D_lrate}
    return Stage(lod=lod, resolution=0, minibatch=minibatch, max_minibatch_per_device=max_part, gamma=gamma, tick_kimg=1.0, **rates)


def make_trainer(G, D, G_ema, *, model=None, settings=None, **options):
    """A trainer of networks that were made already; `settings` are groups of `Settings`."""
    resolution = DataSettings(resolution=G.resolution)
    whole = Settings("test", G=G.settings, D=D.settings, data=resolution, **(settings or {}))
    return Trainer(model or ConstNoiseStyleGAN(), whole, G, D, G_ema, **options)
