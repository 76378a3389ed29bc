"""What a training step draws at random, as a function of the seed and of the images shown: nothing else needs to be saved."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf


class StepInputs(NamedTuple):
    """Draws of one step for the global minibatch.

    Attributes:
        z, z_mix: float32 [minibatch, z_dim].
        mixing_cutoff: int32 scalar, first layer that takes `z_mix`; the number of layers where nothing is mixed.
        labels: float32 [minibatch, label_size], drawn anew.
        noise_seed: int32 [2].
        mixing_factors: float32 [minibatch], between real and fake image (WGAN-GP).
    """

    z: tf.Tensor
    z_mix: tf.Tensor
    mixing_cutoff: tf.Tensor
    labels: tf.Tensor
    noise_seed: tf.Tensor
    mixing_factors: tf.Tensor


class RandomInputs:
    """Draws the inputs of a step.

    Args:
        z_dim: width of z.
        label_pool: float32 [K, label_size], rows that labels are drawn from uniformly; None without labels.
        style_mixing_prob: probability, a step, that two styles are mixed; None or 0 never.
        noise_mode: of the synthesis network in training.
    """

    def __init__(self, *, z_dim: int, label_pool: np.ndarray | None = None, style_mixing_prob: float | None = 0.9, noise_mode="random"):
        self.z_dim = z_dim
        self.label_pool = np.zeros([1, 0], np.float32) if label_pool is None else np.asarray(label_pool, np.float32)
        self.style_mixing_prob = style_mixing_prob or 0.0
        self.noise_mode = noise_mode

    def draw(self, seed: tf.Tensor, minibatch: int, num_layers: int) -> StepInputs:
        """Draws for one step.

        Args:
            seed: int32 [2], another one for each step.
            minibatch: samples of the global step.
            num_layers: style layers in use at this level of detail.
        """
        seeds = [tf.random.experimental.stateless_fold_in(seed, purpose) for purpose in range(7)]
        is_mixed = tf.random.stateless_uniform([], seeds[2]) < self.style_mixing_prob
        cutoff = tf.random.stateless_uniform([], seeds[3], 1, max(num_layers, 2), tf.int32)
        rows = tf.random.stateless_uniform([minibatch], seeds[4], 0, len(self.label_pool), tf.int32)
        return StepInputs(
            z=tf.random.stateless_normal([minibatch, self.z_dim], seeds[0]),
            z_mix=tf.random.stateless_normal([minibatch, self.z_dim], seeds[1]),
            mixing_cutoff=tf.where(is_mixed, cutoff, num_layers),
            labels=tf.gather(tf.constant(self.label_pool), rows),
            noise_seed=seeds[5],
            mixing_factors=tf.random.stateless_uniform([minibatch], seeds[6]),
        )
