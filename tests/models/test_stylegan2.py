"""StyleGAN2 in training and in the program: phases, averages, precision, devices, XLA, resuming, files and transfer."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import config
import stylegan_tf
from stylegan_tf import models, settings_text, snapshot
from stylegan_tf.errors import UserError
from stylegan_tf.models.stylegan2.discriminator import StyleGAN2Discriminator
from stylegan_tf.models.stylegan2.generator import StyleGAN2Generator
from stylegan_tf.models.stylegan2.path_length import MEAN
from stylegan_tf.models.stylegan2.settings import PathLengthSettings, Settings
from stylegan_tf.models.weights import assign_weights, named_weights, weight_arrays
from stylegan_tf.settings import DataSettings, LossSettings, OptimizerSettings, RunSettings
from stylegan_tf.training.inputs import RandomInputs
from stylegan_tf.training.settings_check import check
from stylegan_tf.training.step import ema_beta
from stylegan_tf.training.transfer import transfer
from tests.closeness import assert_close
from tests.models.stylegan2_steps import CAUTIOUS, LABELS, SHAPE, SMALL_D, SMALL_G, batches, make_trainer, results, settings
from tests.training.comparison import assert_same_run
from tests.training.stylegan_steps import make_stage

ROOT = Path(__file__).parents[2]
TOLERANCE = 2e-5  # other orders of summation; measured below 4e-6
XLA_TOLERANCE = 5e-5  # the same; measured 1.2e-5


@pytest.fixture(scope="module")
def trained():
    """Networks and statistics after the iterations 0, 1, 4 and 16."""
    trainer = make_trainer()
    return trainer, results(trainer, (0, 1, 4, 16), minibatch=8)


def test_which_steps_an_iteration_consists_of(trained):
    trainer, found = trained
    steps = {index: [name for name in ("G", "G_pl", "D", "D_r1") if f"{index}/Loss/{name}" in found] for index in (0, 1, 4, 16)}
    assert steps == {0: ["G", "G_pl", "D", "D_r1"], 1: ["G", "D"], 4: ["G", "G_pl", "D"], 16: ["G", "G_pl", "D", "D_r1"]}
    assert len(trainer._traced) == 3
    assert (int(trainer.optimizers["G"].step), int(trainer.optimizers["D"].step)) == (7, 6)  # each regulariser is a step of its own


def test_rates_and_decays_are_corrected_for_lazy_steps():
    G, D = make_trainer().optimizers.values()
    assert 0.0025 * G.rate_factor == pytest.approx(0.002)
    assert 0.0025 * D.rate_factor == pytest.approx(0.00235294, abs=1e-8)
    assert (G.beta2, D.beta2) == pytest.approx((0.99**0.8, 0.99 ** (16 / 17)))


def test_mean_of_path_lengths_runs(trained):
    _, found = trained
    first, fifth = found["0/Loss/path_length"], found["4/Loss/path_length"]
    assert found["0/Running/path_length_mean"] == pytest.approx(0.01 * first, rel=1e-5)
    assert found["1/Running/path_length_mean"] == found["0/Running/path_length_mean"]
    assert found["4/Running/path_length_mean"] == pytest.approx(0.99 * 0.01 * first + 0.01 * fifth, rel=1e-5)


def test_a_regulariser_counts_a_step_for_weights_without_a_gradient(trained):  # the bias of the last layer has none in R1
    trainer = make_trainer()
    results(trainer, 1, minibatch=8)
    D = trainer.optimizers["D"]
    whole = make_trainer(settings(loss=LossSettings(regulariser=None)))
    results(whole, 1, minibatch=8)
    before, after = (t.optimizers["D"].second_moments["4x4/dense0/bias"].numpy() for t in (whole, trainer))
    share = (1 - D.beta2) / (1 - whole.optimizers["D"].beta2)
    assert_close(after, D.beta2 * share * before, 1e-3)  # two exponents of almost equal betas in float32


class SameLatents(RandomInputs):
    """Every sample of every step has the latent of ones."""

    def make(self, seed, minibatch, lod):
        return super().make(seed, minibatch, lod)._replace(z=tf.ones([minibatch, self.z_dim]), labels=tf.tile(LABELS[:1], [minibatch, 1]))


def test_w_avg_is_moved_after_every_step_that_maps_latents():
    run_settings = settings()
    trainer = make_trainer(run_settings)
    trainer.inputs = SameLatents(models.find("stylegan2"), run_settings, z_dim=5, label_pool=LABELS)
    trainer.G.w_avg.assign(tf.zeros([6]))
    w = trainer.G.mapping.map_once(tf.ones([1, 5]), LABELS[:1])[0].numpy()
    trainer.run(batches(8), make_stage(minibatch=8, lrate=0.0), nimg=0)
    assert_close(trainer.G.w_avg, w * (1 - 0.995**3), 1e-4)  # G, G_pl and D; 1 - 0.995^3 in float32
    assert_close(trainer.G_ema.w_avg, trainer.G.w_avg, 1e-7)


def test_average_of_the_generator_begins_as_a_copy_and_slows_down():
    trainer = make_trainer()
    assert (
        results(trainer, 1, minibatch=8)["G_ema/synthesis/4x4/const"].tolist()
        == named_weights(trainer.G)["synthesis/4x4/const"].numpy().tolist()
    )
    assert ema_beta(32, 10.0, 0, 0.05) == 0
    assert ema_beta(32, 10.0, 64_000, 0.05) == pytest.approx(0.5 ** (32 / 3200))
    assert ema_beta(32, 10.0, 1_000_000, 0.05) == ema_beta(32, 10.0) == pytest.approx(0.5 ** (32 / 10_000))


@pytest.mark.slow
def test_several_iterations_in_one_call_are_those_of_several_calls():
    stage, trainers = make_stage(minibatch=8), (make_trainer(), make_trainer())
    trainers[0].run(batches(8), stage, nimg=0, num_iterations=2)
    iterator = batches(8)
    for nimg in (0, 8):
        trainers[1].run(iterator, stage, nimg=nimg)
    for name, variable in named_weights(trainers[0].G_ema).items():  # each with the average's own half-life
        assert_close(named_weights(trainers[1].G_ema)[name], variable, 1e-6, name)


def test_two_devices_and_accumulation_train_as_one_device_does(tmp_path):
    command = [sys.executable, "-m", "tests.models.stylegan2_on_devices", str(tmp_path / "found.npz")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"})
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(tmp_path / "found.npz") as arrays:
        names = [key.removeprefix("1 device|") for key in arrays if key.startswith("1 device|")]
        assert {"0/Loss/G_pl", "0/Loss/D_r1", MEAN, "G/w_avg"} <= set(names)
        for run in ("1 device in parts", "2 devices"):
            for name in names:
                assert_close(arrays[f"{run}|{name}"], arrays[f"1 device|{name}"], TOLERANCE, f"{run} {name}")


@pytest.mark.slow
def test_steps_compiled_with_xla_agree():
    optimizer = OptimizerSettings(G=CAUTIOUS, D=CAUTIOUS, ema_kimg=1)
    plain, compiled = (
        results(make_trainer(settings(optimizer=optimizer, run=RunSettings(xla=xla))), 1, minibatch=4) for xla in ("off", "on")
    )
    for name, value in plain.items():
        assert_close(compiled[name], value, XLA_TOLERANCE, name)


@pytest.mark.parametrize(("policy", "tolerance"), [("mixed_bfloat16", 0.05), ("mixed_float16", 0.01)])  # 8 and 11 bits, ten layers
def test_half_precision_is_used_at_high_resolutions_alone(policy, tolerance):
    networks = {}
    for dtype in ("float32", policy):
        networks[dtype] = (
            StyleGAN2Generator(SMALL_G, resolution=16, dtype=dtype),
            StyleGAN2Discriminator(SMALL_D, resolution=16, dtype=dtype),
        )
        for network in networks[dtype]:
            random = np.random.RandomState(2)
            assign_weights(network, {name: random.normal(0, 1, v.shape) for name, v in sorted(named_weights(network).items())})
    (G, D), (G_half, D_half) = networks.values()
    assert [block.compute_dtype for block in G_half.synthesis.blocks] == [
        "float32",
        policy.removeprefix("mixed_"),
        policy.removeprefix("mixed_"),
    ]
    assert D_half.head.compute_dtype == "float32"
    z = np.random.RandomState(3).normal(0, 1, (4, 5))
    images = G.preview(z)
    assert_close(G_half.preview(z), images, tolerance)
    assert_close(D_half(images), D(images), tolerance)
    assert G_half.preview(z).dtype == D_half(images).dtype == tf.float32


def test_large_weights_do_not_overflow_in_float16():  # kernels and styles are brought to size 1 before they are used
    G = StyleGAN2Generator(SMALL_G, resolution=8, dtype="mixed_float16")
    for name, variable in named_weights(G).items():
        if "8x8/conv" in name and "kernel" in name:
            variable.assign(variable * 1e4)
    assert np.isfinite(G.preview(np.ones([1, 5]))).all()


def test_activations_are_clamped():
    x = np.random.RandomState(0).normal(0, 1, (2, 5))
    networks = [StyleGAN2Generator(replace(SMALL_G, clamp=clamp), resolution=8) for clamp in (None, 0.01)]
    assign_weights(networks[1], weight_arrays(networks[0]))
    assert np.abs(networks[0].preview(x)).max() > 0.1
    assert np.abs(networks[1].preview(x)).max() <= 0.01 * (1 + 9 / 16 * 4)  # of 4x4 upscaled, and of 8x8


def test_a_run_is_resumed_bit_for_bit(tiny_dataset, start_run, resume_run):
    run = RunSettings(grid_columns=3, grid_rows=2, precision="float32", state_ticks=1, network_snapshot_ticks=2)
    whole = settings_text.override(
        settings(run=run, loss=LossSettings(lazy_interval=2), path_length=PathLengthSettings(interval=2)),
        [f"data.path={tiny_dataset}", "schedule.start_resolution=8", "schedule.minibatch_base=4", "schedule.total_kimg=0.064",
         "schedule.tick_kimg=0.032", "schedule.tick_kimg_by_resolution={}", "optimizer.ema_kimg=0.05", "data.conditional=true"],
    )  # fmt: skip
    code, path = start_run(whole)
    assert code == 0
    _, cut = start_run(settings_text.override(whole, ["schedule.total_kimg=0.032"]))
    assert resume_run(cut, whole) == 0
    assert_same_run(path, cut)
    nets = stylegan_tf.load(path)
    assert (nets.model, type(nets.G_ema)) == ("stylegan2", StyleGAN2Generator)
    assert snapshot.load_state(path / "training-state.pkl")["trainer"]["running"][MEAN] > 0


def test_files_keep_networks(tmp_path):
    G, D = StyleGAN2Generator(SMALL_G, **SHAPE), StyleGAN2Discriminator(SMALL_D, **SHAPE)
    for network in (G, D):
        for variable in network.variables:
            variable.assign(np.random.RandomState(0).normal(0, 1, variable.shape))
    snapshot.save_networks(tmp_path / "network.pkl", snapshot.Networks(G, D, G, model="stylegan2"))
    G.save(tmp_path / "G.keras")
    z, images = np.ones([2, 5], np.float32), np.ones([2, 8, 8, 3], np.float32)
    loaded = stylegan_tf.load(tmp_path / "network.pkl")
    for copy in (loaded.G_ema, keras.saving.load_model(tmp_path / "G.keras")):
        np.testing.assert_array_equal(copy.preview(z, LABELS[:2]), G.preview(z, LABELS[:2]))
    np.testing.assert_array_equal(loaded.D(images, LABELS[:2]), D(images, LABELS[:2]))


def random_networks(G, D, **shape):
    made = snapshot.build_networks("stylegan2", {"G": G, "D": D, "G_ema": G}, {"channels": 3, "label_size": 0, **shape})
    return snapshot.Networks(**made, model="stylegan2")


def test_another_resolution_takes_the_layers_of_the_same_name():
    source, target = random_networks(SMALL_G, SMALL_D, resolution=8), random_networks(SMALL_G, SMALL_D, resolution=16)
    rows = transfer(models.find("stylegan2"), source, target.by_name(), min_share=0.3)
    fresh = {row.name for row in rows if row.action == "fresh"}
    assert {name.split("/")[1] for name in fresh if name.startswith("synthesis/")} == {"16x16", "noise3", "noise4"}
    assert {name.split("/")[0] for name in fresh} == {"synthesis", "16x16"}
    np.testing.assert_array_equal(target.D.get_layer("8x8").conv0.kernel, source.D.get_layer("8x8").conv0.kernel)


def test_other_widths_take_what_fits_at_its_scale():
    source, target = (
        random_networks(SMALL_G, SMALL_D, resolution=8),
        random_networks(replace(SMALL_G, fmap_max=4), replace(SMALL_D, fmap_max=4), resolution=8, label_size=3),
    )
    transfer(models.find("stylegan2"), source, target.by_name(), min_share=0.3)
    old, new = weight_arrays(source.G), weight_arrays(target.G)
    np.testing.assert_array_equal(new["synthesis/8x8/conv1/kernel"], old["synthesis/8x8/conv1/kernel"][:, :, :4, :4])  # demodulated
    np.testing.assert_array_equal(new["synthesis/8x8/conv1/style/bias"], old["synthesis/8x8/conv1/style/bias"][:4])
    old, new = weight_arrays(source.D), weight_arrays(target.D)
    assert_close(new["8x8/conv0/kernel"], old["8x8/conv0/kernel"][:, :, :4, :4] / np.sqrt(2), 1e-6)  # applied times 1 / sqrt(fan_in)


def test_frozen_layers_are_counted_from_the_image():
    D = StyleGAN2Discriminator(SMALL_D, resolution=16, label_size=3)
    frozen = models.find("stylegan2").frozen(list(named_weights(D)), 2)
    layers = ("from_rgb/kernel", "from_rgb/bias", "conv0/kernel", "conv0/bias", "conv1_down/kernel", "conv1_down/bias", "skip/kernel")
    assert sorted(frozen) == sorted(f"16x16/{layer}" for layer in layers)


@pytest.mark.parametrize(("changes", "message"), [
    ({"loss": LossSettings(regulariser="r1+r2")}, "must be r1 or none"),
    ({"loss": LossSettings(D_steps=2)}, "loss.D_steps must be 1"),
])  # fmt: skip
def test_what_it_cannot_do_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        check(Settings("x", **changes))


def test_levels_of_detail_and_images_of_another_size_are_refused():
    with pytest.raises(ValueError, match="does not grow: lod must be 0"):
        StyleGAN2Generator(SMALL_G, resolution=8).sample(tf.zeros([1, 5]), lod=1.0)
    with pytest.raises(ValueError, match=r"Expected images \[N, 8, 8, 3\]"):
        StyleGAN2Discriminator(SMALL_D, resolution=8)(tf.zeros([1, 16, 16, 3]))
    with pytest.raises(ValueError, match="This network is conditional"):
        StyleGAN2Generator(SMALL_G, **SHAPE).sample(tf.zeros([1, 5]))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("resolution", [4, 16])
def test_colours_and_resolutions(channels, resolution):
    G, D = (
        make(part, resolution=resolution, channels=channels)
        for make, part in ((StyleGAN2Generator, SMALL_G), (StyleGAN2Discriminator, SMALL_D))
    )
    images = G.sample(tf.ones([2, 5]), noise_seed=tf.constant([1, 2]))
    assert images.shape == (2, resolution, resolution, channels)
    assert D(images).shape == (2, 1)


def test_auto_has_the_published_constants():
    # The release's own choice at 64x64 for one GPU, and its formulas at the ends.
    auto = config.preset("stylegan2-auto")
    assert (auto.schedule.minibatch_base, auto.D.mbstd_group_size, auto.loss.gamma) == (32, 4, pytest.approx(0.0256))
    assert (auto.optimizer.ema_kimg, auto.optimizer.ema_rampup, auto.G.mapping_layers, auto.schedule.G_lrate) == (10, 0.05, 2, 0.0025)
    large = config.stylegan2_auto(1024, num_gpus=8)
    assert (large.schedule.minibatch_base, large.G.fmap_base, large.schedule.D_lrate, large.D.mbstd_group_size) == (32, 32768, 0.002, 4)
    assert large.loss.gamma == pytest.approx(0.0002 * 1024**2 / 32)
    assert config.stylegan2_auto(1024).schedule.minibatch_base == 4


def test_cifar_has_no_path_length_and_plain_blocks():
    cifar = config.preset("stylegan2-cifar")
    D = StyleGAN2Discriminator(SMALL_D.__class__(architecture="orig", fmap_base=64, fmap_max=8, mbstd_group_size=32), resolution=8)
    assert not [name for name in named_weights(D) if "skip" in name]
    G = StyleGAN2Generator(SMALL_G, resolution=8)
    phases = models.find("stylegan2").phases(cifar, G, D, {})
    assert [phase.name for phase in phases] == ["G", "D", "D_r1"]
    assert models.find("stylegan2").running_values(cifar) == {}
    assert D(tf.ones([4, 8, 8, 3])).shape == (4, 1)


def test_data_settings_of_presets_name_their_resolution():
    assert [config.preset(f"stylegan2-paper{side}").data for side in (256, 512)] == [
        DataSettings(path="datasets/images", resolution=side) for side in (256, 512)
    ]
