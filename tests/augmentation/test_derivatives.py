"""Augmentation is a linear map of the image (noise aside): its gradient is the adjoint, and gradients of gradients are right."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.augmentation import ada, diffaugment, geometry
from stylegan_tf.losses import InputGradientPenalty
from tests.closeness import assert_close

SEED = tf.constant([3, 5])


def random(seed, *shape):
    return tf.constant(np.random.RandomState(seed).normal(0, 1, shape), tf.float32)


def test_interpolation_and_its_gradient_are_adjoint():
    rows, columns = (tf.constant(np.random.RandomState(seed).uniform(-3, 9, (2, 5, 6)), tf.float32) for seed in (1, 2))
    x, y = random(3, 2, 7, 8, 3), random(4, 2, 5, 6, 3)
    with tf.GradientTape() as outer:
        outer.watch(y)
        with tf.GradientTape() as tape:
            tape.watch(x)
            product = tf.reduce_sum(geometry.interpolate(x, rows, columns) * y)  # <A x, y>
        adjoint = tape.gradient(product, x)  # A' y
        again = tf.reduce_sum(adjoint * x)  # <x, A' y>
    assert_close(again, product, 1e-5)
    assert_close(outer.gradient(again, y), geometry.interpolate(x, rows, columns), 1e-5)  # the gradient of A' y is A


def test_both_forms_of_the_adjoint_agree():
    values, weights = random(1, 2, 50, 3), random(2, 2, 4, 50, 1)
    indices = tf.constant(np.random.RandomState(3).randint(0, 20, (2, 4, 50)), tf.int32)  # 200 values on 20 pixels
    expected = np.zeros([2, 20, 3])
    for image in range(2):
        np.add.at(expected[image], indices[image].numpy(), (values[image] * weights[image]).numpy())
    for form in (geometry.add_at.plain, geometry.add_at.fast):
        assert_close(form(values, weights, indices, 20), expected, 1e-6)


@pytest.mark.parametrize("pipe", ["bg", "bgcfnc"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_augmentation_and_its_gradient_are_adjoint(pipe, channels):
    x, y = random(1, 4, 8, 8, channels), random(2, 4, 8, 8, channels)
    offset = ada.augment(tf.zeros_like(x), pipe=pipe, seed=SEED)  # brightness and noise
    with tf.GradientTape() as tape:
        tape.watch(x)
        moved = ada.augment(x, pipe=pipe, seed=SEED)
        product = tf.reduce_sum((moved - offset) * y)
    assert_close(tf.reduce_sum(x * tape.gradient(product, x)), product, 1e-4, scale=float(tf.reduce_sum(moved**2)))


AUGMENTATIONS = {
    "ada": lambda images: ada.augment(images, pipe="bgcfnc", probability=0.7, seed=SEED),
    "diffaugment": lambda images: diffaugment.augment(images, seed=SEED),
}


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_second_gradient_of_r1_through_it(kind):
    # R1's gradient by a weight of D, against central differences of R1 itself. D is smooth: its kinks would spoil the differences.
    images, kernel, head = random(1, 3, 8, 8, 3), random(2, 3, 3, 3, 4) * 0.3, random(3, 4)
    direction = random(4, 3, 3, 3, 4)

    def penalty(kernel):
        def critic(images):
            features = tf.tanh(tf.nn.conv2d(AUGMENTATIONS[kind](images), kernel, 1, "SAME"))
            return tf.reduce_mean(features, axis=[1, 2]) @ head[:, None]

        _, norms = InputGradientPenalty("real").logits_and_penalty(critic, images, lod_floor=0)
        return tf.reduce_sum(norms)

    with tf.GradientTape() as tape:
        tape.watch(kernel)
        value = penalty(kernel)
    found = tf.reduce_sum(tape.gradient(value, kernel) * direction)
    step = 1e-3
    expected = (penalty(kernel + step * direction) - penalty(kernel - step * direction)) / (2 * step)
    assert_close(found, expected, 2e-3)  # the differences' own error: step^2, and float32 rounding divided by the step
