"""Arithmetic of growth: levels, resolutions, layers, feature maps."""

import pytest

from stylegan_tf.errors import UserError
from stylegan_tf.resolution import (
    Lod,
    check_resolution,
    is_power_of_two,
    log2,
    max_lod,
    num_features,
    num_layers,
    resolution_at,
    split_lod,
)


@pytest.mark.parametrize(("lod", "parts"), [(0, (0, None)), (6.0, (6, None)), (6.25, (6, 0.25)), (0.5, (0, 0.5)), (2.999, (2, 0.999))])
def test_a_lod_splits_into_level_and_fade(lod, parts):
    floor, fade = split_lod(lod)
    assert floor == parts[0]
    assert isinstance(floor, int)
    assert fade is None if parts[1] is None else fade == pytest.approx(parts[1])


def test_a_lod_that_is_split_stays_as_it_is():
    lod = Lod(3, 0.5)
    assert split_lod(lod) is lod
    assert lod == Lod(3, 0.5)
    assert lod != Lod(3)


def test_a_lod_below_zero_is_refused():
    with pytest.raises(ValueError, match=r"lod=-0\.1"):
        split_lod(-0.1)


@pytest.mark.parametrize(("number", "is_power"), [(1, True), (2, True), (1024, True), (0, False), (-4, False), (3, False), (1023, False)])
def test_powers_of_two(number, is_power):
    assert is_power_of_two(number) == is_power


def test_log2_is_exact_and_refuses_other_numbers():
    assert [log2(2**exponent) for exponent in range(11)] == list(range(11))
    with pytest.raises(ValueError, match="Received: 48"):
        log2(48)


@pytest.mark.parametrize("resolution", [4, 8, 16, 32, 64, 128, 256, 512, 1024])
def test_resolutions_of_the_original_are_accepted(resolution):
    assert check_resolution(resolution) == resolution
    assert resolution_at(resolution, max_lod(resolution)) == 4


@pytest.mark.parametrize("resolution", [0, 2, 6, 1000, 2048, -8])
def test_other_resolutions_are_refused(resolution):
    with pytest.raises(UserError, match=f"power of two from 4 to 1024. Received: {resolution}"):
        check_resolution(resolution)


@pytest.mark.parametrize(("lod", "side"), [(0, 1024), (0.5, 1024), (1, 512), (7.75, 8), (Lod(8), 4)])
def test_side_of_images_at_a_level(lod, side):  # a level that fades in counts already
    assert resolution_at(1024, lod) == side


def test_two_layers_a_resolution():
    assert [num_layers(side) for side in (4, 8, 1024)] == [2, 4, 18]


def test_feature_maps_of_the_paper():  # 512 up to 32x32, then halved down to 16
    maps = [num_features(stage, fmap_base=8192, fmap_decay=1.0, fmap_max=512) for stage in range(1, 10)]
    assert maps == [512, 512, 512, 512, 256, 128, 64, 32, 16]


def test_feature_maps_with_another_decay():
    assert [num_features(stage, fmap_base=100, fmap_decay=0.5, fmap_max=60) for stage in (0, 1, 2, 3)] == [60, 60, 50, 35]


def test_settings_that_leave_no_feature_maps_are_refused():  # once a division by zero
    with pytest.raises(UserError, match="leave no feature maps at 1024x1024"):
        num_features(9, fmap_base=256, fmap_decay=1.0, fmap_max=512)
