"""Augmentation is a linear map of the image (noise aside): its gradient is the adjoint, and gradients of gradients are right."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.augmentation import ada, axes, diffaugment, geometry, interpolation, sampling
from stylegan_tf.losses import InputGradientPenalty
from tests.closeness import assert_close

SEED = tf.constant([3, 5])


def random(seed, *shape):
    return tf.constant(np.random.RandomState(seed).normal(0, 1, shape), tf.float32)


def test_interpolation_and_its_gradient_are_adjoint():
    positions = tuple(tf.constant(np.random.RandomState(seed).uniform(-3, 9, (2, 5, 6)), tf.float32) for seed in (1, 2))
    places = np.array([4, 0, 1, 2, 3, 2, 1, 0, 4, 4])  # an image of 7x7 from 4 columns and rows; outside of it is the fifth
    mask = np.pad(np.ones([1, 4, 4, 1], np.float32), ((0, 0), (0, 1), (0, 1), (0, 0)))
    x, y = random(3, 2, 5, 5, 3) * mask, random(4, 2, 5, 6, 3)
    with tf.GradientTape() as outer:
        outer.watch(y)
        with tf.GradientTape() as tape:
            tape.watch(x)
            product = tf.reduce_sum(interpolation.interpolate(x, positions, places) * y)  # <A x, y>
        adjoint = tape.gradient(product, x)  # A' y
        again = tf.reduce_sum(adjoint * x)  # <x, A' y>
    assert_close(again, product, 1e-5)
    assert_close(outer.gradient(again, y), interpolation.interpolate(x, positions, places), 1e-5)  # the gradient of A' y is A


def test_interpolation_reads_the_image_of_the_table_and_zeros_outside():
    places = np.array([4, 0, 1, 2, 3, 2, 1, 0, 4, 4])
    table = random(3, 1, 5, 5, 1) * np.pad(np.ones([1, 4, 4, 1], np.float32), ((0, 0), (0, 1), (0, 1), (0, 0)))
    image = np.pad(table[0, :, :, 0].numpy().T[np.ix_(places[1:-2], places[1:-2])], 12)  # rows first
    positions = np.random.RandomState(1).uniform(-9, 15, (2, 1, 300, 1)).astype(np.float32)
    found = interpolation.interpolate(table, tuple(tf.constant(axis) for axis in positions), places)
    columns, rows = positions.reshape(2, 300) + 12
    left, top = np.floor(columns).astype(int), np.floor(rows).astype(int)
    x, y = columns - left, rows - top
    expected = (1 - y) * ((1 - x) * image[top, left] + x * image[top, left + 1])
    expected += y * ((1 - x) * image[top + 1, left] + x * image[top + 1, left + 1])
    np.testing.assert_allclose(found[0, :, 0, 0], expected, atol=1e-5)


def test_both_forms_of_interpolation_and_of_its_adjoint_agree():
    values, weights, pixels = random(1, 2, 50, 3), random(2, 2, 4, 50), random(4, 2, 20, 3)
    indices = tf.constant(np.random.RandomState(3).randint(0, 20, (2, 4, 50)), tf.int32)  # 200 values on 20 pixels
    expected = np.zeros([2, 20, 3])
    for image in range(2):
        np.add.at(expected[image], indices[image].numpy(), (values[image] * weights[image][..., None]).numpy())
    for form in (interpolation.spread.plain, interpolation.spread.fast):
        assert_close(form(values, indices, weights, 20), expected, 1e-6)
    assert_close(interpolation.read.fast(pixels, indices, weights), interpolation.read.plain(pixels, indices, weights), 1e-6)


def test_both_ways_to_warp_agree():
    chances = {name: 0.5 for name in (*geometry.BLIT, *geometry.GENERAL) if name != "rotate"}
    matrices = geometry.draw_matrices(sampling.RandomDraws(SEED, 24), chances, 8)
    assert 2 < np.count_nonzero(matrices[:, 0, 1]) < 22  # quarter turns
    images, upstream = random(1, 24, 8, 8, 3), random(2, 24, 8, 8, 3)

    def warped(way):
        with tf.GradientTape() as tape:
            tape.watch(images)
            moved = way(images, matrices)
        return moved, tape.gradient(moved, images, upstream)

    for found, expected in zip(warped(axes.warp), warped(geometry.warp), strict=True):
        assert_close(found, expected, 1e-5)


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
