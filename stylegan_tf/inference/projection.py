"""Finds the w, and the noise, that draw a given picture.

Source: Karras et al. 2020, appendix D (StyleGAN2), on the StyleGAN of 2019.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from stylegan_tf.networks import Generator

# Distances are taken on pictures of at most this side: what LPIPS was made for.
MAX_DISTANCE_SIDE = 256


@dataclasses.dataclass(frozen=True)
class ProjectionSettings:
    """Numbers of the search; the defaults are those of the paper."""

    num_steps: int = 1000
    learning_rate: float = 0.1
    rampdown_share: float = 0.25  # of the steps, at the end
    rampup_share: float = 0.05  # of the steps, at the beginning
    w_samples: int = 10_000  # for the centre and the width of w
    initial_w_noise: float = 0.05  # in widths of w
    w_noise_share: float = 0.75  # of the steps, in which w is disturbed
    noise_weight: float = 1e5  # of the regularisation that keeps noise maps noise
    per_layer: bool = False  # a w of its own for every layer: closer pictures, less meaning
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class ProjectionStep:
    """Where the search stands.

    Attributes:
        step: 1 to num_steps.
        distance: of the drawn picture from the target.
        loss: distance plus regularisation.
        ws: float32 [num_ws, w_dim].
    """

    step: int
    distance: float
    loss: float
    ws: np.ndarray


def project(
    G: Generator, target: np.ndarray, distance: Callable, *, settings: ProjectionSettings | None = None,
    labels: np.ndarray | None = None, lod: float = 0.0,
) -> Iterator[ProjectionStep]:  # fmt: skip
    """Searches step by step; the generator's noise maps are changed on the way and hold the result's noise at the end.

    Args:
        G: the generator.
        target: [R, R, C] in [-1, 1].
        distance: (images [N, S, S, C], images [N, S, S, C]) -> [N], S at most 256, differentiable in the first.
        settings: see `ProjectionSettings`.
        labels: [n, label_size] for a conditional network: what the average w is taken over.
        lod: level of detail that is drawn; R is its resolution.

    Yields:
        One `ProjectionStep` for each step.
    """
    settings = settings or ProjectionSettings()
    w_avg, w_std = _statistics_of_w(G, settings, labels)
    start = np.tile(w_avg, [1, G.num_ws if settings.per_layer else 1, 1])
    w = tf.Variable(start, dtype=tf.float32)  # [1, 1 or num_ws, w_dim]
    noises = [variable.value for variable in G.synthesis.noise_maps]
    rng = np.random.RandomState(settings.seed)
    for variable in noises:
        variable.assign(rng.randn(*variable.shape))
    optimizer = _Adam([w, *noises])
    goal = _shrink(tf.constant(target[None], tf.float32))
    copies = 1 if settings.per_layer else G.num_ws

    @tf.function
    def step(learning_rate, w_noise):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([w, *noises])
            ws = tf.tile(w + tf.random.stateless_normal(tf.shape(w), seed=w_noise[1]) * w_noise[0], [1, copies, 1])
            images = G.synthesis(ws, noise_mode="const", lod=lod)
            far = tf.reduce_sum(distance(_shrink(images), goal))
            loss = far + settings.noise_weight * _noise_correlation(noises)
        optimizer.apply(tape.gradient(loss, [w, *noises]), learning_rate)
        for noise in noises:
            mean, variance = tf.nn.moments(noise, axes=[0, 1])
            noise.assign((noise - mean) * tf.math.rsqrt(variance + 1e-12))
        return far, loss

    for number in range(settings.num_steps):
        share = number / settings.num_steps
        rampdown = min(1.0, (1.0 - share) / settings.rampdown_share)
        rampdown = 0.5 - 0.5 * math.cos(rampdown * math.pi)
        rampup = min(1.0, share / settings.rampup_share)
        w_noise = w_std * settings.initial_w_noise * max(0.0, 1.0 - share / settings.w_noise_share) ** 2
        far, loss = step(
            tf.constant(settings.learning_rate * rampdown * rampup, tf.float32),
            (tf.constant(w_noise, tf.float32), tf.constant([settings.seed, number], tf.int32)),
        )
        yield ProjectionStep(number + 1, float(far), float(loss), np.tile(w.numpy()[0], [copies, 1]))


def pixel_distance(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of images [N, S, S, C] at every size down to 4x4, summed: [N]. Needs no other network."""
    total = tf.zeros([tf.shape(first)[0]])
    while True:
        total += tf.reduce_mean(tf.math.squared_difference(first, second), axis=[1, 2, 3])
        if first.shape[1] <= 4:
            return total
        first, second = (tf.nn.avg_pool2d(images, 2, 2, "VALID") for images in (first, second))


def _statistics_of_w(G: Generator, settings: ProjectionSettings, labels: np.ndarray | None) -> tuple[np.ndarray, float]:
    """Centre [w_dim] and width of w over many z."""
    z = np.random.RandomState(settings.seed).randn(settings.w_samples, G.z_dim).astype(np.float32)
    parts = []
    for start in range(0, len(z), 1000):
        part = z[start : start + 1000]
        part_labels = None if labels is None else np.resize(labels, (len(part), G.label_size))  # taken in turns
        parts.append(np.asarray(G.mapping(part, part_labels))[:, 0])
    w = np.concatenate(parts)
    centre = w.mean(axis=0)
    return centre, float(np.sqrt(np.sum((w - centre) ** 2) / len(w)))


def _shrink(images: tf.Tensor) -> tf.Tensor:
    """Means of blocks of pixels, to at most 256 a side."""
    factor = images.shape[1] // MAX_DISTANCE_SIDE
    return tf.nn.avg_pool2d(images, factor, factor, "VALID") if factor > 1 else images


def _noise_correlation(noises: list) -> tf.Tensor:
    """Correlation of neighbouring pixels of the noise maps, at every size down to 8x8: no picture may hide in them."""
    total = tf.constant(0.0)
    for noise in noises:
        level = noise[None, :, :, None]
        while True:
            total += tf.reduce_mean(level * tf.roll(level, 1, axis=2)) ** 2 + tf.reduce_mean(level * tf.roll(level, 1, axis=1)) ** 2
            if level.shape[1] <= 8:
                break
            level = tf.nn.avg_pool2d(level, 2, 2, "VALID")
    return total


class _Adam:
    """Adam with a learning rate that each step brings along.

    Source: Kingma and Ba 2015; beta 0.9 and 0.999.
    """

    def __init__(self, variables: list):
        self.variables = variables
        self.moments = [(tf.Variable(tf.zeros_like(v)), tf.Variable(tf.zeros_like(v))) for v in variables]
        self.count = tf.Variable(0.0)

    def apply(self, gradients: list, learning_rate: tf.Tensor) -> None:
        """One step; variables without a gradient stay."""
        self.count.assign_add(1.0)
        rate = learning_rate * tf.sqrt(1 - 0.999**self.count) / (1 - 0.9**self.count)
        for variable, (first, second), gradient in zip(self.variables, self.moments, gradients, strict=True):
            if gradient is None:
                continue
            first.assign(0.9 * first + 0.1 * gradient)
            second.assign(0.999 * second + 0.001 * gradient * gradient)
            variable.assign_sub(rate * first / (tf.sqrt(second) + 1e-8))
