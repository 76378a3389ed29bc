"""Arithmetic of the dry run."""

from types import SimpleNamespace

import pytest

from stylegan_tf.models.stylegan.settings import DiscriminatorSettings, GeneratorSettings, Settings
from stylegan_tf.settings import DataSettings, LossSettings
from stylegan_tf.training import estimate


def test_flops_of_the_full_network_are_those_counted_by_hand():
    # 276 GFLOP for a whole training iteration of one image at 64x64, both resamplings fused (the field's figures).
    whole = estimate.STEP_FACTOR * estimate.forward_flops(Settings("x"), 64)
    assert whole == pytest.approx(276e9, rel=0.02)


def test_lazy_penalties_cost_less():
    lazy, without = (LossSettings(lazy_interval=4), LossSettings(regulariser=None))
    factors = [estimate.step_factor(Settings("x", loss=loss)) for loss in (LossSettings(), lazy, without)]
    assert factors == [7.5, 6.0, 5.5]


def test_narrower_networks_cost_less():
    narrow = Settings("x", G=GeneratorSettings(fmap_max=64), D=DiscriminatorSettings(fmap_max=64))
    assert estimate.forward_flops(narrow, 32) < estimate.forward_flops(Settings("x"), 32) / 30
    counts = {"G": 10**6, "D": 10**6, "G_ema": 10**6}
    memory = [estimate.memory_bytes(settings, 32, 8, counts, "float32") for settings in (narrow, Settings("x"))]
    assert memory[0] < memory[1]
    assert estimate.memory_bytes(Settings("x"), 32, 8, counts, "mixed_bfloat16") < memory[1]


def test_weights_are_counted_without_being_made():
    settings = Settings("x", data=DataSettings(resolution=1024))
    dataset = SimpleNamespace(label_size=0, channels=3)
    counts = estimate.count_weights(settings, dataset)
    assert counts == {"G": 26_219_627, "D": 23_087_249, "G_ema": 26_219_627}  # configuration F at 1024x1024
