"""Run as a program by test_running_values.py: five iterations on 1 or 2 logical CPUs, at once or in parts, to an .npz file."""

import sys

import numpy as np
import tensorflow as tf

from stylegan_tf.models.weights import named_weights
from stylegan_tf.settings import DataSettings, LossSettings, NetworkOptimizerSettings, OptimizerSettings
from stylegan_tf.training.step import Trainer
from tests.models.running_values.model import MODEL
from tests.models.running_values.settings import Settings
from tests.tiny_model.model import TinyDiscriminator, TinyGenerator
from tests.training.stylegan_steps import make_stage

MINIBATCH = 6
# Name: number of devices, most samples computed at once on one of them.
RUNS = {"1 device": (1, None), "1 device in parts": (1, 2), "2 devices": (2, None)}


def run(num_devices, max_part):
    """Weights, moments and the running value after five iterations, by name."""
    devices = [f"CPU:{index}" for index in range(num_devices)]
    strategy = tf.distribute.MirroredStrategy(devices) if num_devices > 1 else tf.distribute.OneDeviceStrategy("CPU:0")
    adam = NetworkOptimizerSettings(beta1=0.5, epsilon=1e-2)  # this epsilon keeps rounding of tiny gradients small
    optimizer = OptimizerSettings(G=adam, D=adam, ema_kimg=0.01)
    settings = Settings("x", data=DataSettings(resolution=8), loss=LossSettings(D_steps=2), optimizer=optimizer)
    with strategy.scope():
        made = {"G": TinyGenerator(resolution=8), "D": TinyDiscriminator(resolution=8), "G_ema": TinyGenerator(resolution=8)}
    for network in made.values():
        random = np.random.RandomState(1)
        for _, variable in sorted(named_weights(network).items()):
            variable.assign(random.normal(0, 0.3, variable.shape))
    trainer = Trainer(MODEL, settings, **made, strategy=strategy)
    images = np.random.RandomState(0).randint(0, 256, (10, MINIBATCH, 8, 8, 3), np.uint8)
    batches = iter(tf.data.Dataset.from_tensor_slices((images, np.zeros([10, MINIBATCH, 0], np.float32))))
    stage = make_stage(minibatch=MINIBATCH, lrate=0.01, max_part=max_part)
    results = {}
    for index in range(5):  # the lazy step is due in the first and the last one
        (statistics,) = trainer.run(batches, stage, nimg=2 * MINIBATCH * index)
        results |= {f"{index}/{name}": value.numpy() for name, value in statistics.items() if not name.startswith("Timing/")}
    state = trainer.state()
    for name in ("first_moments", "second_moments"):
        results |= {f"{name}/{weight}": array for weight, array in state["G_optimizer"][name].items()}
    return results | {f"{kind}/{name}": v.numpy() for kind, network in made.items() for name, v in named_weights(network).items()}


if __name__ == "__main__":
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    np.savez(sys.argv[1], **{f"{name}|{key}": array for name, options in RUNS.items() for key, array in run(*options).items()})
