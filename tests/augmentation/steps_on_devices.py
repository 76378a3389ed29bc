"""Run as a program by test_training.py: augmented iterations on one logical CPU, in parts, and on two, weights to an .npz file."""

import sys

import numpy as np
import tensorflow as tf

from stylegan_tf.settings import AugmentSettings, NetworkOptimizerSettings, OptimizerSettings, RunSettings
from tests import flat_networks as networks
from tests.training.stylegan_steps import make_stage, make_trainer

MINIBATCH = 12
# Name: number of devices, most samples computed at once on one of them.
RUNS = {"1 device": (1, None), "1 device in three parts": (1, 4), "2 devices": (2, None)}
SHAPE = {"resolution": 8, "fmap_base": 16, "fmap_max": 8}
WIDTHS = {"z_dim": 6, "w_dim": 6, "mapping_layers": 1, "mapping_fmaps": 6}
TINY_STEPS = NetworkOptimizerSettings(epsilon=1e-2)
# A target that no sign reaches: p falls or rises in every second iteration, by 0.6 at most.
AUGMENT = AugmentSettings(kind="ada", pipe="bgcfnc", target=-1.0, interval=2, kimg=0.04)
NUM_ITERATIONS = 4


def run(num_devices, max_part, augment=AUGMENT, xla="off"):
    """Weights after four iterations, and the statistics of the last, by name."""
    devices = [f"CPU:{index}" for index in range(num_devices)]
    strategy = tf.distribute.MirroredStrategy(devices) if num_devices > 1 else tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        G, D, G_ema = networks.Generator(**SHAPE, **WIDTHS), networks.Discriminator(**SHAPE), networks.Generator(**SHAPE, **WIDTHS)
    for network in (G, D, G_ema):
        random = np.random.RandomState(1)
        arrays = {name: random.normal(0, 0.7, variable.shape) for name, variable in sorted(networks.named_weights(network).items())}
        networks.assign_weights(network, arrays)
    # Adam divides tiny gradients by themselves, so that the order of a sum would show: this epsilon keeps them tiny.
    optimizer = OptimizerSettings(G=TINY_STEPS, D=TINY_STEPS, ema_kimg=0.02)
    trainer = make_trainer(
        G, D, G_ema, settings={"optimizer": optimizer, "augment": augment, "run": RunSettings(xla=xla)}, strategy=strategy
    )
    images = np.random.RandomState(0).randint(0, 256, (4, MINIBATCH, 8, 8, 3), np.uint8)
    iterator = iter(tf.data.Dataset.from_tensor_slices((images, np.zeros([4, MINIBATCH, 0], np.float32))).repeat())
    for index in range(NUM_ITERATIONS):
        stage = make_stage(minibatch=MINIBATCH, lrate=0.01, max_part=max_part)
        (statistics,) = trainer.run(iterator, stage, nimg=index * MINIBATCH)
    results = {f"statistics/{name}": value.numpy() for name, value in statistics.items() if not name.startswith("Timing/")}
    for name, network in (("G", G), ("D", D), ("G_ema", G_ema)):
        results.update({f"{name}/{weight}": variable.numpy() for weight, variable in networks.named_weights(network).items()})
    return results


if __name__ == "__main__":
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    np.savez(sys.argv[1], **{f"{name}|{key}": array for name, options in RUNS.items() for key, array in run(*options).items()})
