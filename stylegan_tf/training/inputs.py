"""Inputs of an iteration: random inputs as a function of seed and image count, and real images in the range of the networks."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from stylegan_tf.layers.resample import downscale2d, upscale2d
from stylegan_tf.models.base import Model
from stylegan_tf.resolution import Lod
from stylegan_tf.settings import TrainingSettings

_TARGETS = {"real_target": 1001, "fake_target": 1002}  # setting to the purpose that its random numbers are seeded with


class Inputs(NamedTuple):
    """Random inputs of one step for the global minibatch; fields as in `models.base.Part`."""

    z: tf.Tensor
    labels: tf.Tensor
    mixing_factors: tf.Tensor
    own: dict[str, tf.Tensor]
    shared: dict[str, tf.Tensor]
    noise_seed: tf.Tensor


class RandomInputs:
    """Random inputs that depend on the seed alone, so that no generator needs to be saved.

    Args:
        model: may add own inputs.
        settings: of the run.
        z_dim: features of a latent.
        label_pool: float32 [K, label_size], rows from which labels are chosen uniformly; None without labels.
    """

    def __init__(self, model: Model, settings: TrainingSettings, *, z_dim: int, label_pool: np.ndarray | None = None):
        self.model = model
        self.settings = settings
        self.z_dim = z_dim
        self.label_pool = np.zeros([1, 0], np.float32) if label_pool is None else np.asarray(label_pool, np.float32)

    def make(self, seed: tf.Tensor, minibatch: int, lod: Lod) -> Inputs:
        """Inputs of one step. `seed` is int32 [2] and differs for each step."""
        # Purposes 1 to 3 are reserved for the model.
        seeds = {purpose: tf.random.experimental.stateless_fold_in(seed, purpose) for purpose in (0, 4, 5, 6)}
        rows = tf.random.stateless_uniform([minibatch], seeds[4], 0, len(self.label_pool), tf.int32)
        own, shared = self.model.own_inputs(self.settings, seed, minibatch, lod)
        for kind, purpose in _TARGETS.items():
            ends = getattr(self.settings.loss, kind)
            if isinstance(ends, tuple):  # drawn for each image
                target_seed = tf.random.experimental.stateless_fold_in(seed, purpose)
                own[kind] = tf.random.stateless_uniform([minibatch], target_seed, *ends)
        return Inputs(
            z=tf.random.stateless_normal([minibatch, self.z_dim], seeds[0]),
            labels=tf.gather(tf.constant(self.label_pool), rows),
            mixing_factors=tf.random.stateless_uniform([minibatch], seeds[6]),
            own=own,
            shared=shared,
            noise_seed=seeds[5],
        )


def process_reals(images: tf.Tensor, fade: tf.Tensor | float | None) -> tf.Tensor:
    """Converts uint8 [N, R, R, C] to float32 [N, R, R, C] in [-1, 1]; while a level fades in, blends each image with its 2x2 means.

    Args:
        images: real images of the level being trained.
        fade: lod - floor(lod), None if no level fades in.

    Source: the original release.
    """
    x = tf.cast(images, tf.float32) * (2.0 / 255.0) - 1.0
    if fade is None:
        return x
    return x + (upscale2d(downscale2d(x)) - x) * fade
