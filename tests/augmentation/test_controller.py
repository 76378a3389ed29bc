"""The adaptive strength against a loop in NumPy."""

import numpy as np
import pytest

from stylegan_tf.augmentation import in_training


def strengths(signs, images, **options):
    """p after every iteration."""
    control, found = in_training.FIRST, []
    for sign, count in zip(signs, images, strict=True):
        control = in_training.adjusted(control, np.float32(sign), int(count), **options)
        found.append(float(control.p))
    return found


def test_equals_a_loop():
    random = np.random.RandomState(0)
    signs = np.clip(random.normal(0.6, 0.5, 200) + np.repeat([0.4, -0.4], 100), -1, 1)  # p rises, then falls
    expected, p = [], 0.0
    for index in range(200):
        if index % 4 == 3:  # 16 images an iteration, adjusted in every fourth, 1 in 2,000 images
            p = np.clip(p + np.sign(np.mean(signs[index - 3 : index + 1]) - 0.6) * 64 / 2000, 0.0, 0.3)
        expected.append(p)
    assert max(expected) == 0.3
    assert expected[-1] < 0.1
    np.testing.assert_allclose(strengths(signs, [16] * 200, target=0.6, interval=4, kimg=2.0, cap=0.3), expected, atol=1e-5)


def test_step_of_the_original():  # 32 images, 4 iterations, 500 kimg
    assert strengths([1.0] * 8, [32] * 8, target=0.6, interval=4, kimg=500.0, cap=0.8)[-1] == pytest.approx(2 * 0.000256)


def test_a_smaller_minibatch_counts_the_images_of_both():
    # 3 x 8, then 4 x 2: the fourth iteration finds 26 images, more than four iterations of 2.
    found = strengths([1.0] * 8, [8] * 3 + [2] * 5, target=0.0, interval=4, kimg=1.0, cap=1.0)
    np.testing.assert_allclose(found, [0, 0, 0, 0.026, 0.026, 0.026, 0.026, 0.034], atol=1e-6)


def test_signs_weigh_by_images():
    # +1 on 2 images against -1 on 1: the mean is 1/3, above a target of 0.3 and below one of 0.4.
    for target, moved in ((0.3, 0.003), (0.4, 0.0)):
        options = {"target": target, "interval": 3, "kimg": 1.0, "cap": 1.0}
        assert strengths([1.0, -1.0], [2, 1], **options)[-1] == pytest.approx(moved, abs=1e-7)
