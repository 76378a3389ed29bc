"""Projection: finds the w of a photograph, or one for every layer (w+), and tunes a generator to it (pivotal tuning)."""

import dataclasses
import math
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from stylegan_tf.models.base import StyleGenerator
from stylegan_tf.models.weights import assign_weights, weight_arrays

# Distances are taken between images of at most this side, for which LPIPS was made.
MAX_DISTANCE_SIDE = 256

# Two batches of images [N, S, S, C] in [-1, 1], S at most 256, to distances [N]; differentiable in the first.
Distance = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@dataclasses.dataclass(frozen=True)
class ProjectionSettings:
    """Numbers of the search; the defaults are those of Karras et al. 2020."""

    num_steps: int = 1000
    learning_rate: float = 0.1
    rampdown_share: float = 0.25  # of the steps, at the end
    rampup_share: float = 0.05  # of the steps, at the beginning
    w_samples: int = 10_000  # for the mean and the standard deviation of w
    initial_w_noise: float = 0.05  # in standard deviations of w
    w_noise_share: float = 0.75  # of the steps, in which noise is added to w
    noise_weight: float = 1e5  # of the regularisation that keeps noise maps uncorrelated
    per_layer: bool = False  # w+: a w of its own for every layer: closer images, less editable
    spread_weight: float = 0.02  # w+: of the penalty on the distance of the layers' w from their mean, in variances of w
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class ProjectionStep:
    """One step of the search."""

    step: int  # 1 to num_steps
    distance: float  # between the generated image and the target
    loss: float  # distance plus regularisation
    ws: np.ndarray  # float32 [num_ws, w_dim]


def project(
    G: StyleGenerator, target: np.ndarray, distance: Distance, *, settings: ProjectionSettings | None = None,
    labels: np.ndarray | None = None, lod: float = 0.0,
) -> Iterator[ProjectionStep]:  # fmt: skip
    """Searches step by step. The generator's noise maps are optimised too: at the end they hold the noise of the result.

    Args:
        G: the generator.
        target: [R, R, C] in [-1, 1].
        distance: what is minimised, such as LPIPS.
        settings: see `ProjectionSettings`.
        labels: [n, label_size] for a conditional network: the mean of w is taken over them.
        lod: level of detail of the images; R is their resolution.

    Yields:
        One `ProjectionStep` for each step.

    Source: Karras et al. 2020, appendix D (StyleGAN2), on the StyleGAN of 2019.
    """
    settings = settings or ProjectionSettings()
    w_avg, w_std = statistics_of_w(G, settings.w_samples, seed=settings.seed, labels=labels)
    start = np.tile(w_avg, [1, G.num_ws if settings.per_layer else 1, 1])
    w = keras.Variable(start, dtype="float32", name="w")  # [1, 1 or num_ws, w_dim]
    noises = [variable.value for variable in G.synthesis.noise_maps]
    rng = np.random.RandomState(settings.seed)
    for variable in noises:
        variable.assign(rng.randn(*variable.shape))
    variables = [w, *G.synthesis.noise_maps]
    optimizer = _adam(settings.learning_rate, variables)
    goal = shrunk(tf.constant(target[None], tf.float32))
    copies = 1 if settings.per_layer else G.num_ws

    @tf.function
    def step(w_noise, seed):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([w.value, *noises])
            disturbed = w.value + tf.random.stateless_normal(w.shape, seed=seed) * w_noise
            images = G.synthesis(tf.tile(disturbed, [1, copies, 1]), noise_mode="const", lod=lod)
            difference = tf.reduce_sum(distance(shrunk(images), goal))
            loss = difference + settings.noise_weight * _noise_correlation(noises)
            if settings.per_layer:
                spread = tf.reduce_sum(tf.math.reduce_variance(w.value, axis=1)) / w_std**2
                loss += settings.spread_weight * spread
        optimizer.apply(tape.gradient(loss, [w.value, *noises]), variables)
        for noise in noises:
            mean, variance = tf.nn.moments(noise, axes=[0, 1])
            noise.assign((noise - mean) * tf.math.rsqrt(variance + 1e-12))
        return difference, loss

    for number in range(settings.num_steps):
        share = number / settings.num_steps
        rampdown = min(1.0, (1.0 - share) / settings.rampdown_share)
        rampdown = 0.5 - 0.5 * math.cos(rampdown * math.pi)
        rampup = min(1.0, share / settings.rampup_share)
        w_noise = w_std * settings.initial_w_noise * max(0.0, 1.0 - share / settings.w_noise_share) ** 2
        optimizer.learning_rate.assign(settings.learning_rate * rampdown * rampup)
        difference, loss = step(tf.constant(w_noise, tf.float32), tf.constant([settings.seed, number], tf.int32))
        yield ProjectionStep(number + 1, float(difference), float(loss), np.tile(w.numpy()[0], [copies, 1]))


@dataclasses.dataclass(frozen=True)
class TuningSettings:
    """Numbers of the tuning; those of Roich et al. 2021 where no comment says otherwise."""

    num_steps: int = 800  # the paper: 350, for a wide network; narrow ones change more slowly
    learning_rate: float = 3e-4
    pixel_weight: float = 1.0  # of the mean squared difference of the pixels, beside the distance
    locality_weight: float = 0.1  # of the penalty on changes of other images; 0 for none
    locality_radius: float = 1.0  # how far from the pivot they are, in standard deviations of w (the paper: 30 for its network)
    locality_samples: int = 1  # other images a step
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class TuningStep:
    """One step of the tuning."""

    step: int  # 1 to num_steps
    distance: float  # between the generated image and the target
    change: float  # the same distance, between other images of the tuned and of the original generator; 0 without the penalty.


def tune(
    G: StyleGenerator, ws: np.ndarray, target: np.ndarray, distance: Distance, *, settings: TuningSettings | None = None,
    labels: np.ndarray | None = None, lod: float = 0.0,
) -> Iterator[TuningStep]:  # fmt: skip
    """Pivotal tuning: changes the synthesis network until the w of a photograph gives that photograph, step by step.

    The mapping network, w_avg and the noise maps do not change.

    Args:
        G: the generator.
        ws: the pivot, [num_ws, w_dim], such as the result of `projection.project`.
        target: [R, R, C] in [-1, 1].
        distance: what is minimised, such as LPIPS.
        settings: see `TuningSettings`.
        labels: [n, label_size] for a conditional network: other images have these labels in turn.
        lod: level of detail of the images; R is their resolution.

    Yields:
        One `TuningStep` for each step.

    Source: Roich et al. 2021, "Pivotal Tuning for Latent-based Editing of Real Images", equations 3 to 6.
    """
    settings = settings or TuningSettings()
    original = type(G)(G.settings, **G.shape_config, dtype=G.dtype_policy)
    assign_weights(original, weight_arrays(G))
    radius = settings.locality_radius * statistics_of_w(G, seed=settings.seed, labels=labels)[1]
    variables = G.synthesis.trainable_variables
    optimizer = _adam(settings.learning_rate, variables)
    pivot = tf.constant(ws[None], tf.float32)  # [1, num_ws, w_dim]
    goal = tf.constant(target[None], tf.float32)
    count = settings.locality_samples if settings.locality_weight else 0

    def differences(images, goals):
        distances = distance(shrunk(images), shrunk(goals))
        return distances, distances + settings.pixel_weight * tf.reduce_mean(tf.math.squared_difference(images, goals), axis=[1, 2, 3])

    def synthesis(network, styles):
        return network.synthesis(styles, noise_mode="const", lod=lod)

    @tf.function
    def step(seed, other_labels):
        if count:
            w = G.mapping(tf.random.stateless_normal([count, G.z_dim], seed=seed), other_labels)[:, 0]
            offsets = w - tf.reduce_mean(pivot, axis=1)  # [count, w_dim]
            others = pivot + radius * tf.math.l2_normalize(offsets, axis=1)[:, None]
            unchanged = synthesis(original, others)
        with tf.GradientTape() as tape:
            reached, loss = differences(synthesis(G, pivot), goal)
            loss = tf.reduce_sum(loss)
            change = tf.zeros([1])
            if count:
                change, penalty = differences(synthesis(G, others), unchanged)
                loss += settings.locality_weight * tf.reduce_mean(penalty)
        zero = tf.UnconnectedGradients.ZERO  # layers that this level of detail does not use
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables], unconnected_gradients=zero), variables)
        return reached[0], tf.reduce_mean(change)

    for number in range(settings.num_steps):
        rows = np.arange(number * count, (number + 1) * count)
        chosen = None if labels is None else tf.constant(labels[rows % len(labels)], tf.float32)
        reached, change = step(tf.constant([settings.seed, number], tf.int32), chosen)
        yield TuningStep(number + 1, float(reached), float(change))


def _adam(learning_rate: float, variables: list[keras.Variable]) -> keras.optimizers.Adam:
    optimizer = keras.optimizers.Adam(learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
    optimizer.build(variables)
    return optimizer


def pixel_distance(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Mean squared difference of images [N, S, S, C] at every size down to 4x4, summed: [N]. Needs no other network."""
    total = tf.zeros([tf.shape(first)[0]])
    while True:
        total += tf.reduce_mean(tf.math.squared_difference(first, second), axis=[1, 2, 3])
        if first.shape[1] <= 4:
            return total
        first, second = (tf.nn.avg_pool2d(images, 2, 2, "VALID") for images in (first, second))


def statistics_of_w(
    G: StyleGenerator, num_samples: int = 10_000, *, seed: int = 0, labels: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """Mean [w_dim] and standard deviation of w over many z: the root of the mean squared distance from the mean.

    Args:
        G: the generator.
        num_samples: number of z.
        seed: of z.
        labels: [n, label_size], used in turn; None for an unconditional network.
    """
    z = np.random.RandomState(seed).randn(num_samples, G.z_dim).astype(np.float32)
    parts = []
    for start in range(0, len(z), 1000):
        part = z[start : start + 1000]
        part_labels = None if labels is None else np.resize(labels, (len(part), G.label_size))  # all classes in turn
        parts.append(np.asarray(G.mapping(part, part_labels))[:, 0])
    w = np.concatenate(parts)
    mean = w.mean(axis=0)
    return mean, float(np.sqrt(np.sum((w - mean) ** 2) / len(w)))


def shrunk(images: tf.Tensor) -> tf.Tensor:
    """Means of blocks of pixels: images of at most 256 a side."""
    factor = images.shape[1] // MAX_DISTANCE_SIDE
    return tf.nn.avg_pool2d(images, factor, factor, "VALID") if factor > 1 else images


def _noise_correlation(noises: list[tf.Variable]) -> tf.Tensor:
    """Correlation of neighbouring pixels of the noise maps, at every size down to 8x8: the image must not be stored in them."""
    total = tf.constant(0.0)
    for noise in noises:
        level = noise[None, :, :, None]
        while True:
            total += tf.reduce_mean(level * tf.roll(level, 1, axis=2)) ** 2 + tf.reduce_mean(level * tf.roll(level, 1, axis=1)) ** 2
            if level.shape[1] <= 8:
                break
            level = tf.nn.avg_pool2d(level, 2, 2, "VALID")
    return total
