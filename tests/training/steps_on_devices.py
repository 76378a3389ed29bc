"""Run as a program by test_devices_agree.py: the same two iterations on 1, 2 or 3 logical CPUs, weights to an .npz file."""

import sys

import numpy as np
import tensorflow as tf

from stylegan_tf.settings import NetworkOptimizerSettings, OptimizerSettings, RunSettings
from tests import flat_networks as networks
from tests.training.stylegan_steps import make_stage, make_trainer

MINIBATCH = 12  # three groups of the minibatch statistics: two devices cannot share them evenly
# At 8x8 the layers from and to colours at 4x4 take no part: they have no gradient.
# Name: number of devices, most samples computed at once on one of them.
RUNS = {"1 device": (1, None), "1 device in three parts": (1, 4), "2 devices": (2, None), "3 devices": (3, None)}
SHAPE = {"resolution": 8, "label_size": 3, "fmap_base": 16, "fmap_max": 8}
WIDTHS = {"z_dim": 6, "w_dim": 6, "mapping_layers": 1, "mapping_fmaps": 6, "style_mixing_prob": 1.0}
TINY_STEPS = NetworkOptimizerSettings(epsilon=1e-2)


def batches():
    """Endless batches of random pixels and labels, the same in every run."""
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (4, MINIBATCH, 8, 8, 3), np.uint8)
    labels = np.eye(3, dtype=np.float32)[random.randint(0, 3, (4, MINIBATCH))]
    return iter(tf.data.Dataset.from_tensor_slices((images, labels)).repeat())


def run(num_devices, max_part):
    """Weights after two rounds, and the statistics of the last, by name."""
    devices = [f"CPU:{index}" for index in range(num_devices)]
    strategy = tf.distribute.MirroredStrategy(devices) if num_devices > 1 else tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        G, D, G_ema = networks.Generator(**SHAPE, **WIDTHS), networks.Discriminator(**SHAPE), networks.Generator(**SHAPE, **WIDTHS)
    made = {"G": G, "D": D, "G_ema": G_ema}
    for network in made.values():
        random = np.random.RandomState(1)
        arrays = {name: random.normal(0, 0.7, variable.shape) for name, variable in sorted(networks.named_weights(network).items())}
        networks.assign_weights(network, arrays)
    # Adam divides tiny gradients by themselves, so that the order of a sum would show: this epsilon keeps them tiny.
    optimizer = OptimizerSettings(G=TINY_STEPS, D=TINY_STEPS, ema_kimg=0.02)
    settings = {"optimizer": optimizer, "run": RunSettings(seed=5)}
    trainer = make_trainer(G, D, G_ema, settings=settings, strategy=strategy, label_pool=np.eye(3))
    iterator, stage = batches(), make_stage(minibatch=MINIBATCH, lrate=0.01, D_lrate=0.02, max_part=max_part)
    for index in range(2):
        (statistics,) = trainer.run(iterator, stage, nimg=index * MINIBATCH)
    results = {f"statistics/{name}": value.numpy() for name, value in statistics.items() if not name.startswith("Timing/")}
    for name, network in made.items():
        results.update({f"{name}/{weight}": variable.numpy() for weight, variable in networks.named_weights(network).items()})
    return results


def main(path, names):
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 3)
    results = {f"{name}|{key}": value for name in names for key, value in run(*RUNS[name]).items()}
    np.savez(path, **results)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
