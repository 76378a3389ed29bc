"""Steps compiled with XLA move the weights as the others do; on the CPU, where a GPU's kernels cannot be tried."""

import numpy as np
import tensorflow as tf

from stylegan_tf.settings import NetworkOptimizerSettings, OptimizerSettings, RunSettings
from tests import flat_networks as networks
from tests.closeness import assert_close
from tests.training.stylegan_steps import make_stage, make_trainer

OPTIONS = {"resolution": 8, "fmap_base": 64, "fmap_max": 8, "label_size": 2}
WIDTHS = {"z_dim": 8, "w_dim": 8, "mapping_fmaps": 8, "mapping_layers": 2}
LRATE = 0.001
# Other orders of summation. Adam divides tiny gradients by themselves: the epsilon below keeps them tiny.
TOLERANCE = 1e-5


def trained(use_xla, lod):
    """Weights by name after two iterations, and the statistics of the second."""
    G, G_ema = (networks.Generator(**OPTIONS, **WIDTHS) for _ in range(2))
    made = {"G": G, "D": networks.Discriminator(**OPTIONS), "G_ema": G_ema}
    random = np.random.RandomState(1)
    for network in made.values():
        weights = {name: random.normal(0, 0.7, value.shape) for name, value in sorted(networks.named_weights(network).items())}
        networks.assign_weights(network, weights)
    labels = np.eye(2, dtype=np.float32)
    # XLA makes another key of a seed than TensorFlow's own kernels do, and so another noise: the maps of the network instead.
    optimizer = NetworkOptimizerSettings(epsilon=1e-2)
    settings = {"optimizer": OptimizerSettings(G=optimizer, D=optimizer), "run": RunSettings(use_xla=use_xla)}
    trainer = make_trainer(*made.values(), settings=settings, label_pool=labels)
    side = 8 >> int(lod)
    images = np.random.RandomState(2).randint(0, 256, [8, side, side, 3], np.uint8)
    batches = iter(tf.data.Dataset.from_tensors((images, labels[np.arange(8) % 2])).repeat())
    for nimg in (0, 8):
        (statistics,) = trainer.run(batches, make_stage(lod=lod, minibatch=8, lrate=LRATE), nimg=nimg)
    weights = {f"{kind}/{name}": value.numpy() for kind, network in made.items() for name, value in networks.named_weights(network).items()}
    return weights, {name: float(value) for name, value in statistics.items()}


def test_two_iterations_agree():
    (plain, plain_statistics), (compiled, compiled_statistics) = (trained(use_xla, lod=0.5) for use_xla in (False, True))
    for name, value in plain.items():
        assert_close(compiled[name], value, TOLERANCE, name)
    for name in ("Loss/G", "Loss/D", "Loss/penalty"):
        assert_close(compiled_statistics[name], plain_statistics[name], TOLERANCE, name)
