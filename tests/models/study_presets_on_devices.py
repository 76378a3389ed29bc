"""Run as a program by test_study_presets.py: two iterations of tiny presets on 1 and on 2 logical CPUs, weights to an .npz file."""

import sys

import numpy as np
import tensorflow as tf

from stylegan_tf import models
from stylegan_tf.models.weights import named_weights
from stylegan_tf.training.step import Trainer
from tests.models import tiny_presets
from tests.training.stylegan_steps import make_stage

EPSILON = [f"optimizer.{network}.epsilon=1e-2" for network in "GD"]  # rounding of tiny gradients must not become a whole step of Adam
# What each adds: labels, targets and a classifier; drawn targets and the least loss; clipping; penalty and layer norm; dense layers.
OPTIONS = {
    "digits-cdcgan-feedback": ["loss.real_target=[0.8, 1]"],
    "digits-cgan": [],
    "scenes-dcgan-noisy": ["loss.D_min_loss=0.1"],
    "scenes-wgan": ["loss.D_steps=2", "loss.D_trains_ahead=false"],
    "scenes-wgan-gp-elements": ["loss.D_steps=2"],
    "scenes-wgan-gp-resnet": ["loss.D_steps=2"],
}


def run(name, num_devices, classifier):
    """Weights of all networks and statistics by name after two iterations."""
    devices = [f"CPU:{index}" for index in range(num_devices)]
    strategy = tf.distribute.MirroredStrategy(devices) if num_devices > 1 else tf.distribute.OneDeviceStrategy("CPU:0")
    more = [f"G_step.classifier={classifier}"] if name == "digits-cdcgan-feedback" else []
    settings = tiny_presets.tiny(name, "", *EPSILON, *OPTIONS[name], *more)
    model, side = models.find(settings.model), settings.data.resolution
    labels = np.eye(10, dtype=np.float32) if settings.data.conditional else None
    shape = {"resolution": side, "channels": 1 if side == 32 else 3, "label_size": 0 if labels is None else 10}
    with strategy.scope():
        made = {"G": model.Generator(settings.G, **shape), "D": model.Discriminator(settings.D, **shape)}
        made["G_ema"] = model.Generator(settings.G, **shape)
    for network in made.values():
        random = np.random.RandomState(1)
        for weight, variable in sorted(named_weights(network).items()):
            variable.assign(random.uniform(0.1, 0.3, variable.shape) if "variance" in weight else random.normal(0, 0.3, variable.shape))
    trainer = Trainer(model, settings, **made, strategy=strategy, label_pool=labels)
    minibatch, D_steps = tiny_presets.MINIBATCH, settings.loss.D_steps
    random = np.random.RandomState(0)
    images = random.randint(0, 256, (2 * D_steps, minibatch, side, side, shape["channels"]), np.uint8)
    real_labels = np.zeros([len(images), minibatch, 0], np.float32) if labels is None else labels[random.randint(0, 10, images.shape[:2])]
    batches = iter(tf.data.Dataset.from_tensor_slices((images, real_labels)))
    for index in range(2):
        nimg = D_steps * index * minibatch
        (statistics,) = trainer.run(batches, make_stage(minibatch=minibatch, lrate=0.001), nimg=nimg)
    results = {f"statistics/{key}": value.numpy() for key, value in statistics.items() if not key.startswith("Timing/")}
    return {**results, **{f"{kind}/{key}": v.numpy() for kind, network in made.items() for key, v in named_weights(network).items()}}


if __name__ == "__main__":
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
    found = {
        f"{name}|{count}|{key}": array
        for name in OPTIONS
        for count in (1, 2)
        for key, array in run(name, count, classifier=sys.argv[1]).items()
    }
    np.savez(sys.argv[2], **found)
