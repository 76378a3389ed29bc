"""StyleGAN2's trainer for tests of whole steps: tiny networks with random weights, constant noise, batches of random pixels."""

import numpy as np
import tensorflow as tf

from stylegan_tf.models.stylegan2.discriminator import StyleGAN2Discriminator
from stylegan_tf.models.stylegan2.generator import StyleGAN2Generator
from stylegan_tf.models.stylegan2.model import StyleGAN2
from stylegan_tf.models.stylegan2.settings import DiscriminatorSettings, GeneratorSettings, Settings
from stylegan_tf.models.weights import assign_weights, named_weights
from stylegan_tf.settings import DataSettings, LossSettings, NetworkOptimizerSettings, OptimizerSettings
from stylegan_tf.training.step import Trainer
from tests.training.stylegan_steps import make_stage

SMALL_G = GeneratorSettings(z_dim=5, w_dim=6, mapping_layers=2, fmap_base=64, fmap_max=8)
SMALL_D = DiscriminatorSettings(fmap_base=64, fmap_max=8, mapping_layers=2)
SHAPE = {"resolution": 8, "label_size": 3}
LABELS = np.eye(3, dtype=np.float32)
# Adam divides tiny gradients by themselves, so that the order of a sum would show: this epsilon keeps them tiny.
CAUTIOUS = NetworkOptimizerSettings(epsilon=1e-2)


class ConstNoiseStyleGAN2(StyleGAN2):
    """Trains with the noise maps of the network: XLA and accumulation would draw other random noise."""

    noise_mode = "const"


def settings(**groups):
    groups = {"loss": LossSettings(lazy_interval=16), "optimizer": OptimizerSettings(ema_kimg=1, ema_rampup=0.5), **groups}
    return Settings("test", G=SMALL_G, D=SMALL_D, data=DataSettings(resolution=8), **groups)


def make_trainer(run_settings=None, *, strategy=None, model=None, **options):
    """A trainer of fresh networks with random weights; its networks are its attributes G, D and G_ema."""
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope():
        made = {"G": StyleGAN2Generator(SMALL_G, **SHAPE), "D": StyleGAN2Discriminator(SMALL_D, **SHAPE)}
        made["G_ema"] = StyleGAN2Generator(SMALL_G, **SHAPE)
    for network in made.values():
        random = np.random.RandomState(1)
        assign_weights(network, {name: random.normal(0, 0.7, v.shape) for name, v in sorted(named_weights(network).items())})
    return Trainer(model or ConstNoiseStyleGAN2(), run_settings or settings(), **made, strategy=strategy, label_pool=LABELS, **options)


def batches(minibatch, count=4):
    """Endless batches of random pixels and labels, the same in every run."""
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (count, minibatch, 8, 8, 3), np.uint8)
    return iter(tf.data.Dataset.from_tensor_slices((images, LABELS[random.randint(0, 3, (count, minibatch))])).repeat())


def results(trainer, iterations, *, minibatch, **options):
    """Weights and running values after iterations 0, 1, ... (or those of the list), and the statistics of each."""
    iterator, stage, found = batches(minibatch), make_stage(minibatch=minibatch, lrate=0.01, **options), {}
    for index in range(iterations) if isinstance(iterations, int) else iterations:
        (statistics,) = trainer.run(iterator, stage, nimg=index * minibatch)
        found |= {f"{index}/{name}": value.numpy() for name, value in statistics.items() if not name.startswith("Timing/")}
    for kind in ("G", "D", "G_ema"):
        found |= {f"{kind}/{name}": variable.numpy() for name, variable in named_weights(getattr(trainer, kind)).items()}
    return found | {name: variable.numpy() for name, variable in trainer.running.items()}
