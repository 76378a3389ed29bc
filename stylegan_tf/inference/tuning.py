"""Pivotal tuning: changes the weights of a generator until the w of a photograph gives that photograph.

Source: Roich et al. 2021, "Pivotal Tuning for Latent-based Editing of Real Images", equations 3 to 6.
"""

import dataclasses
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from stylegan_tf.inference.projection import Distance, shrunk, statistics_of_w
from stylegan_tf.models.base import StyleGenerator
from stylegan_tf.models.weights import assign_weights, weight_arrays


@dataclasses.dataclass(frozen=True)
class TuningSettings:
    """Numbers of the tuning; those of the paper where no comment says otherwise."""

    num_steps: int = 350
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
    """Tunes the synthesis network in place, step by step. The mapping network, w_avg and the noise maps do not change.

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
    """
    settings = settings or TuningSettings()
    original = type(G)(G.settings, **G.shape_config, dtype=G.dtype_policy)
    assign_weights(original, weight_arrays(G))
    radius = settings.locality_radius * statistics_of_w(G, seed=settings.seed, labels=labels)[1]
    variables = G.synthesis.trainable_variables
    optimizer = keras.optimizers.Adam(settings.learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
    optimizer.build(variables)
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
