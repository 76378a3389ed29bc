"""Levels of a dataset are exact means, rounded once, half to even."""

import numpy as np
import pytest

from stylegan_tf.data.records.writing import halve, pyramid


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("resolution", [4, 8, 32])
def test_every_level_is_the_rounded_mean_of_full_size_blocks(resolution, channels):
    images = np.random.default_rng(0).integers(0, 256, (3, resolution, resolution, channels)).astype(np.uint8)
    levels = list(pyramid(images))
    assert [level.shape[1] for level in levels] == [resolution >> k for k in range(len(levels))]
    assert levels[-1].shape == (3, 4, 4, channels)
    for level in levels:
        side = level.shape[1]
        blocks = images.reshape(3, side, resolution // side, side, resolution // side, channels).astype(np.float64)
        np.testing.assert_array_equal(level, np.rint(blocks.mean(axis=(2, 4))))


def test_halves_round_to_even():
    block = np.zeros((1, 8, 8, 1), np.uint8)
    block[0, 0:2, 0:2, 0] = [[0, 1], [0, 1]]  # 0.5
    block[0, 0:2, 2:4, 0] = [[1, 2], [1, 2]]  # 1.5
    block[0, 0:2, 4:6, 0] = [[2, 3], [2, 3]]  # 2.5
    np.testing.assert_array_equal(list(pyramid(block))[1][0, 0, :3, 0], [0, 2, 2])


def test_white_is_exact_at_every_level():  # 4^8 * 255 is the largest sum; float32 holds it
    *_, smallest = pyramid(np.full((1, 1024, 1024, 1), 255, np.uint8))
    assert (smallest == 255).all()


def test_halving_floats_keeps_fractions():
    np.testing.assert_array_equal(halve(np.array([[0, 1], [0, 0]], np.float32).reshape(1, 2, 2, 1)), [[[[0.25]]]])
