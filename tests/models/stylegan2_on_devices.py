"""Run as a program by test_stylegan2.py: the same iteration on 1 or 2 logical CPUs and in parts, results to an .npz file."""

import sys

import numpy as np
import tensorflow as tf

from stylegan_tf.settings import OptimizerSettings
from tests.models.stylegan2_steps import CAUTIOUS, make_trainer, results, settings

MINIBATCH = 12  # three groups of the minibatch statistics: two devices cannot share them evenly
# Name: number of devices, most samples computed at once on one of them.
RUNS = {"1 device": (1, None), "1 device in parts": (1, 4), "2 devices": (2, None)}


def run(num_devices, max_part):
    devices = [f"CPU:{index}" for index in range(num_devices)]
    strategy = tf.distribute.MirroredStrategy(devices) if num_devices > 1 else tf.distribute.OneDeviceStrategy("CPU:0")
    optimizer = OptimizerSettings(G=CAUTIOUS, D=CAUTIOUS, ema_kimg=1, ema_rampup=0.5)
    trainer = make_trainer(settings(optimizer=optimizer), strategy=strategy)
    return results(trainer, 1, minibatch=MINIBATCH, max_part=max_part)  # all four phases


if __name__ == "__main__":
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    np.savez(sys.argv[1], **{f"{name}|{key}": value for name, counts in RUNS.items() for key, value in run(*counts).items()})
