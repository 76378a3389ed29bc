"""Run as a program by test_dcgan.py: two iterations of a DCGAN on 1 or 2 logical CPUs, weights to an .npz file."""

import sys

import numpy as np
import tensorflow as tf

from stylegan_tf import models
from stylegan_tf.models.dcgan.networks import DCGANDiscriminator, DCGANGenerator
from stylegan_tf.models.dcgan.settings import DiscriminatorSettings, GeneratorSettings, Settings
from stylegan_tf.models.weights import named_weights
from stylegan_tf.settings import DataSettings, LossSettings, NetworkOptimizerSettings, OptimizerSettings
from stylegan_tf.training.step import Trainer
from tests.training.stylegan_steps import make_stage

MINIBATCH = 6


def run(num_devices):
    """Weights of all networks by name after two iterations."""
    devices = [f"CPU:{index}" for index in range(num_devices)]
    strategy = tf.distribute.MirroredStrategy(devices) if num_devices > 1 else tf.distribute.OneDeviceStrategy("CPU:0")
    G, D = GeneratorSettings(z_dim=5, fmaps=4), DiscriminatorSettings(fmaps=4)
    # This epsilon keeps the rounding of tiny gradients from becoming a whole step of Adam.
    adam = NetworkOptimizerSettings(beta1=0.5, beta2=0.999, epsilon=1e-2)
    settings = Settings("test", G=G, D=D, data=DataSettings(resolution=16), loss=LossSettings(regulariser=None, D_steps=2),
                        optimizer=OptimizerSettings(G=adam, D=adam, ema_kimg=0.01))  # fmt: skip
    with strategy.scope():
        made = {"G": DCGANGenerator(G, resolution=16), "D": DCGANDiscriminator(D, resolution=16), "G_ema": DCGANGenerator(G, resolution=16)}
    for network in made.values():
        random = np.random.RandomState(1)
        for name, variable in sorted(named_weights(network).items()):
            variable.assign(random.uniform(0.1, 0.3, variable.shape) if "variance" in name else random.normal(0, 0.3, variable.shape))
    trainer = Trainer(models.find("dcgan"), settings, **made, strategy=strategy)
    images = np.random.RandomState(0).randint(0, 256, (4, MINIBATCH, 16, 16, 3), np.uint8)
    batches = iter(tf.data.Dataset.from_tensor_slices((images, np.zeros([4, MINIBATCH, 0], np.float32))))
    for index in range(2):
        (statistics,) = trainer.run(batches, make_stage(minibatch=MINIBATCH, lrate=0.01), nimg=2 * index * MINIBATCH)
    results = {f"statistics/{name}": value.numpy() for name, value in statistics.items() if not name.startswith("Timing/")}
    return {**results, **{f"{kind}/{name}": v.numpy() for kind, network in made.items() for name, v in named_weights(network).items()}}


if __name__ == "__main__":
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    np.savez(sys.argv[1], **{f"{count}|{name}": array for count in (1, 2) for name, array in run(count).items()})
