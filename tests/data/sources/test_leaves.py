"""Tests of the drawn leaves: the same at every call and size, different between species, never cropped by the frame."""

import numpy as np
import pytest

from stylegan_tf.data.sources.leaves import BACKGROUND, CLASS_NAMES, FACTOR_RANGES, LeavesSource, draw_factors, draw_leaf
from stylegan_tf.errors import UserError


def test_same_seed_and_index_give_the_same_leaf():
    first, second = draw_leaf(3, 17, 32), draw_leaf(3, 17, 32)
    assert (first[0] == second[0]).all()
    assert first[1:] == second[1:]
    assert (draw_leaf(4, 17, 32)[0] != first[0]).any()
    assert (draw_leaf(3, 17 + len(CLASS_NAMES), 32)[0] != first[0]).any()


@pytest.mark.parametrize("resolution", [4, 8, 16, 32, 64, 256])
def test_every_power_of_two_resolution_shows_the_same_leaf(resolution):
    image, species, factors = draw_leaf(0, 9, resolution)
    assert image.shape == (resolution, resolution, 3)
    assert image.dtype == np.uint8
    large = draw_leaf(0, 9, 512)
    assert (species, factors) == large[1:]
    reduced = large[0].reshape(resolution, 512 // resolution, resolution, 512 // resolution, 3).mean(axis=(1, 3))
    assert np.abs(reduced - image).mean() < 4  # grey levels: line widths are rounded to pixels


def test_resolution_must_be_a_power_of_two():
    with pytest.raises(UserError, match="power of two"):
        draw_leaf(0, 0, 48)


def test_more_leaves_than_a_set_may_have_are_refused_at_once():  # names were made until the memory was full
    with pytest.raises(UserError, match="more than 10,000,000 images"):
        LeavesSource(10**30, 64, 0)


def test_species_take_turns_and_factors_stay_in_their_ranges():
    for index in range(64):
        species, factors = draw_factors(1, index)
        assert species == index % len(CLASS_NAMES)
        assert all(low <= factors[name] <= high for name, (low, high) in FACTOR_RANGES.items())


def test_leaves_are_large_and_inside_the_frame():
    paper = np.array(BACKGROUND) * 255
    for index in range(48):
        image = draw_leaf(0, index, 64)[0].astype(float)
        drawn = np.abs(image - paper).max(axis=2) > 12
        assert drawn.sum() == drawn[1:-1, 1:-1].sum()
        rows, columns = np.where(drawn)
        assert max(np.ptp(rows), np.ptp(columns)) > 50


def test_species_can_be_distinguished_at_low_resolution():
    """A nearest-mean rule on blurred 16x16 images names the species, by colour and, in grey, by outline alone."""
    images = np.array([draw_leaf(5, index, 16)[0] for index in range(480)], np.float64)
    species = np.arange(480) % len(CLASS_NAMES)
    silhouettes = (np.abs(images - np.array(BACKGROUND) * 255).max(axis=3, keepdims=True) > 40) * 255.0
    for features, least in ((images, 0.99), (silhouettes, 0.8)):  # chance is 1 in 8
        flat = features.reshape(480, -1)
        means = np.array([flat[:240][species[:240] == s].mean(axis=0) for s in range(len(CLASS_NAMES))])
        guesses = ((flat[240:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
        assert (guesses == species[240:]).mean() > least
