"""Arithmetic of the dry run."""

import pytest

from stylegan_tf.settings import DiscriminatorSettings, GeneratorSettings, ScheduleSettings, TrainingSettings
from stylegan_tf.training import estimate
from stylegan_tf.training.schedule import TrainingSchedule


def test_kimg_by_resolution_adds_up_and_counts_fading_in():
    schedule = TrainingSchedule(ScheduleSettings(steady_kimg=600, fade_kimg=400), 32)
    assert estimate.kimg_by_resolution(schedule, 25000) == [(8, 600), (16, 1000), (32, 23400)]
    assert estimate.kimg_by_resolution(schedule, 700) == [(8, 600), (16, 100)]


def test_flops_of_the_full_network_are_those_counted_by_hand():
    # 276 GFLOP for a whole training iteration of one image at 64x64, both resamplings fused (the field's figures).
    whole = estimate.STEP_FACTOR * estimate.forward_flops(TrainingSettings("x"), 64)
    assert whole == pytest.approx(276e9, rel=0.02)


def test_narrower_networks_cost_less():
    narrow = TrainingSettings("x", G=GeneratorSettings(fmap_max=64), D=DiscriminatorSettings(fmap_max=64))
    assert estimate.forward_flops(narrow, 32) < estimate.forward_flops(TrainingSettings("x"), 32) / 30
    assert estimate.memory_bytes(narrow, 32, 8, 10**6, 10**6) < estimate.memory_bytes(TrainingSettings("x"), 32, 8, 10**6, 10**6)
