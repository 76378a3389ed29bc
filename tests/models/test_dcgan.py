"""DCGAN: the counts of PyTorch's tutorial, its layers against NumPy, its training, and the program around it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import config
from stylegan_tf import models, settings_text
from stylegan_tf.errors import UserError
from stylegan_tf.models.dcgan.networks import DCGANDiscriminator, DCGANGenerator
from stylegan_tf.models.dcgan.settings import DiscriminatorSettings, GeneratorSettings, GStepSettings, Settings
from stylegan_tf.models.weights import named_weights
from stylegan_tf.settings import AugmentSettings, DataSettings, LossSettings, NetworkOptimizerSettings, OptimizerSettings, RunSettings
from stylegan_tf.training import states
from stylegan_tf.training.settings_check import check
from stylegan_tf.training.step import Trainer
from tests.closeness import assert_close
from tests.models.network_weights import count, random_weights
from tests.training.stylegan_steps import make_stage

ROOT = Path(__file__).parents[2]
TOLERANCE = 2e-5  # float32 against float64 over four layers; measured below 2e-6
SMALL_G, SMALL_D = GeneratorSettings(z_dim=5, fmaps=2), DiscriminatorSettings(fmaps=2)


def test_counts_are_those_of_the_tutorial():
    assert count(lambda: DCGANGenerator(resolution=64)) == 3_576_704
    assert count(lambda: DCGANDiscriminator(resolution=64)) == 2_765_568


def upconv(x, kernel):
    """Transposed 4x4 convolution with stride 2 and padding 1: every input pixel adds its kernel to a 4x4 patch of the output."""
    n, side, _, _ = x.shape
    y = np.zeros((n, 2 * side + 2, 2 * side + 2, kernel.shape[2]))
    for i in range(side):
        for j in range(side):
            y[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += np.einsum("nc,hwoc->nhwo", x[:, i, j], kernel)
    return y[:, 1:-1, 1:-1]


def downconv(x, kernel):
    """4x4 convolution with stride 2 and padding 1."""
    x = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    half = (x.shape[1] - 2) // 2
    rows = [[np.einsum("nhwc,hwco->no", x[:, 2 * i : 2 * i + 4, 2 * j : 2 * j + 4], kernel) for j in range(half)] for i in range(half)]
    return np.array(rows).transpose(2, 0, 1, 3)


def norm(x, weights, name, training):
    moments = x.mean((0, 1, 2)), x.var((0, 1, 2))
    mean, variance = moments if training else (weights[f"{name}/moving_mean"], weights[f"{name}/moving_variance"])
    return (x - mean) / np.sqrt(variance + 1e-5) * weights[f"{name}/gain"] + weights[f"{name}/offset"]


@pytest.mark.parametrize("training", [False, True])
def test_generator_equals_numpy(training):
    G = DCGANGenerator(SMALL_G, resolution=16)
    weights, z = random_weights(G), np.random.RandomState(2).normal(0, 1, (3, 5))
    x = np.einsum("nc,hwoc->nhwo", z, weights["4x4/kernel"])
    x = np.maximum(norm(x, weights, "4x4/norm", training), 0)
    x = np.maximum(norm(upconv(x, weights["8x8/kernel"]), weights, "8x8/norm", training), 0)
    expected = np.tanh(upconv(x, weights["16x16/kernel"]))
    assert_close(G.sample(np.float32(z), training=training), expected, TOLERANCE)


@pytest.mark.parametrize("training", [False, True])
def test_discriminator_equals_numpy(training):
    D = DCGANDiscriminator(SMALL_D, resolution=16)
    weights, images = random_weights(D), np.random.RandomState(2).normal(0, 1, (3, 16, 16, 3))
    x = downconv(images, weights["8x8/kernel"])  # no normalisation in the first layer
    x = np.where(x > 0, x, 0.2 * x)
    x = norm(downconv(x, weights["4x4/kernel"]), weights, "4x4/norm", training)
    x = np.where(x > 0, x, 0.2 * x)
    expected = np.einsum("nhwc,hwco->no", x, weights["1x1/kernel"])
    assert_close(D(np.float32(images), training=training), expected, TOLERANCE)


def test_fresh_weights_are_those_of_the_tutorial():
    G = DCGANGenerator(resolution=64)
    weights = {name: variable.numpy() for name, variable in named_weights(G).items()}
    assert weights["8x8/kernel"].std() == pytest.approx(0.02, rel=0.01)
    assert (weights["4x4/norm/gain"].mean(), weights["4x4/norm/gain"].std()) == pytest.approx((1, 0.02), rel=0.15)
    assert not weights["4x4/norm/offset"].any()


def settings(**groups):
    adam = NetworkOptimizerSettings(beta1=0.5, beta2=0.999)
    groups = {"loss": LossSettings(regulariser=None), "optimizer": OptimizerSettings(G=adam, D=adam, ema_kimg=0), **groups}
    return Settings("test", G=SMALL_G, D=SMALL_D, data=DataSettings(resolution=8), **groups)


def one_iteration(D_steps=1):
    """Networks before (arrays) and after one iteration, the latents of its steps, and the images."""
    model = models.find("dcgan")
    G, D, G_ema = DCGANGenerator(SMALL_G, resolution=8), DCGANDiscriminator(SMALL_D, resolution=8), DCGANGenerator(SMALL_G, resolution=8)
    before = {"G": random_weights(G), "D": random_weights(D)}
    random_weights(G_ema)
    trainer = Trainer(model, settings(loss=LossSettings(regulariser=None, D_steps=D_steps)), G, D, G_ema)
    make, latents = trainer.inputs.make, []

    def note(*arguments):
        inputs = make(*arguments)
        latents.append(tf.py_function(lambda z: seen.append(z.numpy()) or 0, [inputs.z], tf.int32))
        with tf.control_dependencies(latents[-1:]):
            return inputs._replace(z=tf.identity(inputs.z))

    seen = []
    trainer.inputs.make = note
    images = np.random.RandomState(3).randint(0, 256, (D_steps, 4, 8, 8, 3), np.uint8)
    batches = iter(tf.data.Dataset.from_tensor_slices((images, np.zeros([D_steps, 4, 0], np.float32))))
    (statistics,) = trainer.run(batches, make_stage(lrate=0.0002), nimg=0)
    return trainer, before, seen, images, statistics


def test_one_iteration_equals_the_tutorial():
    trainer, before, seen, images, statistics = one_iteration()
    np.testing.assert_array_equal(*seen)  # G's step has the latents of D's step
    G, D = DCGANGenerator(SMALL_G, resolution=8), DCGANDiscriminator(SMALL_D, resolution=8)
    for network, which in ((G, "G"), (D, "D")):
        for name, variable in named_weights(network).items():
            variable.assign(before[which][name])
    reals = tf.constant(images[0] * np.float32(2 / 255) - 1)

    def trained(network):
        return {name: v.value for name, v in named_weights(network).items() if v.trainable}

    def adam(network, gradients):  # the first step of Adam: gradient / (|gradient| + epsilon), whatever its size
        for variable, gradient in zip(trained(network).values(), gradients, strict=True):
            scale = np.sqrt(1 - 0.999) / (1 - 0.5)
            m, v = 0.5 * gradient, 0.001 * gradient**2
            variable.assign_sub(0.0002 * scale * m / (np.sqrt(v) + 1e-8))

    fakes = G(seen[0], training=True)
    with tf.GradientTape() as tape:
        loss_D = tf.reduce_mean(tf.nn.softplus(-D(reals, training=True))) + tf.reduce_mean(tf.nn.softplus(D(fakes, training=True)))
    adam(D, [g.numpy() for g in tape.gradient(loss_D, list(trained(D).values()))])
    moving = {name: v.numpy() for name, v in named_weights(G).items() if "moving" in name}
    with tf.GradientTape() as tape:
        loss_G = tf.reduce_mean(tf.nn.softplus(-D(G(seen[0], training=True), training=True)))
    adam(G, [g.numpy() for g in tape.gradient(loss_G, list(trained(G).values()))])
    assert_close(statistics["Loss/D"], loss_D, 1e-5)
    assert_close(statistics["Loss/G"], loss_G, 1e-5)
    for name, variable in named_weights(D).items():
        assert_close(named_weights(trainer.D)[name], variable, 1e-4, name)  # Adam divides small gradients by themselves
    for name, variable in named_weights(G).items():
        expected = moving[name] if "moving" in name else variable  # one pass of G moves its averages, as in the tutorial
        assert_close(named_weights(trainer.G)[name], expected, 1e-4, name)
        np.testing.assert_array_equal(named_weights(trainer.G_ema)[name], named_weights(trainer.G)[name])  # no average: a copy


def test_several_steps_of_the_discriminator_show_images_of_their_own():
    trainer, _, seen, _, _ = one_iteration(D_steps=3)
    assert trainer.images_shown(minibatch=4) == 12
    assert len(seen) == 4
    assert not np.array_equal(seen[0], seen[1])
    np.testing.assert_array_equal(seen[3], seen[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": LossSettings()}, "loss.regulariser must be none"),
        ({"loss": LossSettings(G="wgan", D="wgan_gp", regulariser=None)}, "D normalises over the batch, and a gradient penalty"),
        ({"data": DataSettings(resolution=4)}, "starts at 8x8"),
        ({"G": GeneratorSettings(border=2)}, "the same border and side"),
        ({"G": GeneratorSettings(border=2), "D": DiscriminatorSettings(border=2), "augment": AugmentSettings("ada")}, "another size"),
        ({"G_step": GStepSettings(classifier="x.npz")}, "data.conditional must be true"),
        ({"G_step": GStepSettings(classifier="x.npz"), "data": DataSettings(conditional=True)}, "x.npz does not exist. Make one"),
    ],
)
def test_what_a_dcgan_cannot_do_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        check(settings_text.override(Settings("x", **{"loss": LossSettings(regulariser=None), **changes}), []))


def test_growing_and_accumulation_are_refused():
    from types import SimpleNamespace

    dataset = SimpleNamespace(name="x", num_images=9, resolution=64, channels=3, label_size=0)
    preset = config.preset("dcgan")
    with pytest.raises(UserError, match=r"does not grow: schedule.start_resolution must be 64"):
        check(settings_text.override(preset, ["schedule.start_resolution=8"]), dataset)
    with pytest.raises(UserError, match="normalises over the whole minibatch: 128 images"):
        check(settings_text.override(preset, ["schedule.max_minibatch_per_device=32"]), dataset)


def test_images_of_another_size_and_levels_of_detail_are_refused():
    G, D = DCGANGenerator(SMALL_G, resolution=8), DCGANDiscriminator(SMALL_D, resolution=8)
    with pytest.raises(ValueError, match="does not grow: lod must be 0"):
        G.sample(tf.zeros([1, 5]), lod=1.0)
    with pytest.raises(ValueError, match=r"Expected images \[N, 8, 8, 3\]"):
        D(tf.zeros([1, 16, 16, 3]))


def test_settings_of_the_networks_do_not_change_in_a_resumed_run():  # train.py --resume ended in an AttributeError
    requested = settings_text.override(settings(), ["G.fmaps=4", "loss.D_steps=2"])
    resumed, report = states.merged(settings(), requested)
    assert (resumed.G.fmaps, resumed.loss.D_steps) == (2, 2)
    assert report == [
        "loss.D_steps: 1 in the run, 2 requested: changed from now on",
        "G.fmaps: 2 in the run, 4 requested: not changed, it cannot change within a run",
    ]


def test_a_run_is_resumed_scored_and_loaded(tmp_path, tiny_dataset, start_run, resume_run):
    import stylegan_tf

    run = RunSettings(grid_columns=3, grid_rows=2, precision="float32", state_ticks=1, network_snapshot_ticks=2)
    whole = settings_text.override(
        settings(run=run),
        [f"data.path={tiny_dataset}", "schedule.start_resolution=8", "schedule.minibatch_base=4", "schedule.total_kimg=0.064",
         "schedule.tick_kimg=0.032", "schedule.tick_kimg_by_resolution={}"],
    )  # fmt: skip
    code, path = start_run(whole)
    assert code == 0
    nets = stylegan_tf.load(path)
    assert nets.model == "dcgan"
    assert isinstance(nets.G_ema, DCGANGenerator)
    assert named_weights(nets.G_ema)["4x4/norm/moving_mean"].numpy().any()  # batch statistics are saved
    _, cut = start_run(settings_text.override(whole, ["schedule.total_kimg=0.032"]))
    assert resume_run(cut, whole) == 0
    for name, variable in named_weights(nets.D).items():
        np.testing.assert_array_equal(named_weights(stylegan_tf.load(cut).D)[name], variable, err_msg=name)


def test_two_devices_train_as_one_does(tmp_path):  # batch statistics are those of the whole minibatch
    command = [sys.executable, "-m", "tests.models.dcgan_on_devices", str(tmp_path / "found.npz")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"})
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(tmp_path / "found.npz") as arrays:
        names = [key.removeprefix("1|") for key in arrays if key.startswith("1|")]
        assert len(names) > 30
        for name in names:
            assert_close(arrays[f"2|{name}"], arrays[f"1|{name}"], 2e-5, name)  # other orders of summation; measured below 3e-6
