"""Arithmetic of the dry run."""

from types import SimpleNamespace

import pytest

import config
from stylegan_tf.models.stylegan.settings import DiscriminatorSettings, GeneratorSettings, Settings
from stylegan_tf.settings import AugmentSettings, DataSettings, LossSettings, ScheduleSettings
from stylegan_tf.training import estimate
from stylegan_tf.training.schedule import TrainingSchedule


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


def test_dense_networks_take_the_time_of_their_iterations():  # 25 images/s were estimated for 6,000: a convolution was timed
    settings, devices = config.preset("digits-cgan"), SimpleNamespace(has_gpus=False, num_devices=1, policy="float32", xla="off")
    cost, _, _ = estimate._benchmarked_cost(settings, TrainingSchedule(settings.schedule, 32, 1), devices)
    assert cost((32, False)) == pytest.approx(10 * estimate.ITERATION_SEC * 5.5 / 7.5)  # 10 iterations of 100 images a kimg


def test_weights_are_counted_without_being_made():
    settings = Settings("x", data=DataSettings(resolution=1024))
    dataset = SimpleNamespace(label_size=0, channels=3)
    counts = estimate.count_weights(settings, dataset)
    assert counts == {"G": 26_219_627, "D": 23_087_249, "G_ema": 26_219_627}  # configuration F at 1024x1024


def test_augmentation_before_d_needs_memory():
    counts = {"G": 10**6, "D": 10**6, "G_ema": 10**6}

    def memory(**augment):
        settings = Settings("x", augment=AugmentSettings(**augment))
        return estimate.memory_bytes(settings, 128, 32, counts, "float32") / 1e9

    # Peaks of four iterations on a CPU with narrow networks: 0.683 GB more for ada's bgc, 0.715 GB for bgcfnc, 0.082 GB for blit.
    assert memory(kind="ada") - memory() == pytest.approx(0.683, abs=0.01)
    assert memory(kind="ada", pipe="bgcfnc") - memory() == pytest.approx(0.715, abs=0.01)
    assert memory(kind="ada", pipe="blit") - memory() == pytest.approx(0.082, abs=0.01)
    assert memory() < memory(kind="ada", pipe="color") < memory(kind="ada", pipe="blit") < memory(kind="diffaugment")


def test_what_does_not_fit_into_the_gpu_is_halved_until_it_fits():
    counts = {"G": 10**6, "D": 10**6, "G_ema": 10**6}
    need = [estimate.memory_bytes(Settings("x"), 64, part, counts, "float32") / 1e9 for part in (32, 8)]
    devices = SimpleNamespace(policy="float32", memory_gb=need[1] + 0.01)
    assert need[0] > devices.memory_gb
    assert estimate.largest_part(Settings("x"), 64, 32, 4, counts, devices) == 8
    assert estimate.largest_part(Settings("x"), 64, 32, 16, counts, devices) == 0
    devices.memory_gb = 0.1
    assert estimate.largest_part(Settings("x"), 64, 32, 1, counts, devices) == 0


TOO_SMALL = "Try --set run.precision=mixed_float16, narrower networks, or a lower --set data.resolution."


@pytest.mark.parametrize(
    ("memory_gb", "advice"),
    [
        (8.0, "A GPU has only 8.0 GB. Same results with less memory: --set schedule.max_minibatch_per_device_by_resolution.64=16"),
        (3.0, "A GPU has only 3.0 GB. Same results with less memory: --set schedule.max_minibatch_per_device_by_resolution.64=4"),
        (2.2, f"A GPU of 2.2 GB is too small for 64x64. {TOO_SMALL}"),  # the group of the minibatch standard deviation
    ],
)
def test_a_dry_run_for_a_gpu_names_the_parts_that_fit(monkeypatch, tmp_path, memory_gb, advice):
    monkeypatch.setattr(estimate, "measured_flops", lambda *_: 1e12)
    devices = SimpleNamespace(
        policy="float32", xla="off", has_gpus=False, num_devices=1, description="1 x GPU", memory_gb=memory_gb, notes=["Note."]
    )
    settings = Settings("x", data=DataSettings(resolution=64), schedule=ScheduleSettings(start_resolution=64, minibatch_base=32))
    dataset = SimpleNamespace(label_size=0, channels=3, path="p", num_images=1, resolution=64)
    lines = estimate.describe(settings, dataset, devices, tmp_path)
    assert advice in lines
    assert lines[-1] == "Note."
