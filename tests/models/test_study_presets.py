"""The presets of the studies: parameter counts, layers against NumPy, training, exact resume, and what they are drawn by."""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import config
import stylegan_tf
from stylegan_tf import models, settings_text, study_presets
from stylegan_tf.layers import borders
from stylegan_tf.models.dcgan.networks import DCGANDiscriminator, DCGANGenerator
from stylegan_tf.models.dcgan.settings import DiscriminatorSettings, GeneratorSettings
from stylegan_tf.models.weights import named_weights, weight_shapes
from tests.closeness import assert_close
from tests.models import tiny_presets
from tests.models.network_weights import count, random_weights

ROOT = Path(__file__).parents[2]
# Trained weights of G and D, counted from the layers that the studies and the public code give (at 64x64 for StyleGAN).
COUNTS = {
    "digits-dcgan": (12_656_257, 11_033_985),
    "digits-dcgan-compact": (3_464_961, 2_634_113),
    "digits-dcgan-deep": (3_464_961, 11_021_697),  # of our own last layer
    "digits-dcgan-no-norm": (3_463_169, 2_632_577),
    "digits-dcgan-3-steps": (3_464_961, 2_634_113),
    "digits-dcgan-fast": (3_464_961, 2_634_113),
    "digits-cgan": (115_344, 101_889),
    "digits-cdcgan": (2_203_393, 867_841),
    "digits-cdcgan-no-norm": (2_202_625, 867_329),
    "digits-cdcgan-extended": (4_252_545, 2_916_993),
    "digits-cdcgan-branches": (1_513_473, 850_241),
    "digits-cdcgan-smoothing": (2_203_393, 867_841),
    "digits-cdcgan-feedback": (2_203_393, 867_841),
    "dcgan": (3_576_704, 2_765_568),
    "scenes-dcgan-min-loss": (3_576_704, 2_765_568),
    "scenes-dcgan-noisy": (3_576_704, 2_765_568),
    "scenes-dcgan-ada": (3_576_704, 2_765_568),
    "scenes-dcgan-wide": (12_658_432, 11_036_160),
    "scenes-wgan": (3_576_704, 2_765_568),
    "scenes-wgan-tf": (3_576_704, 2_765_568),
    "scenes-wgan-gp": (3_576_704, 2_765_568),
    "scenes-wgan-gp-elements": (3_576_704, 2_878_464),
    "scenes-wgan-gp-resnet": (8_540_483, 7_491_841),
    "scenes-stylegan2-ada": (22_243_608, 23_407_361),
    "scenes-stylegan2": (22_243_608, 23_407_361),
    "stylegan-a": (22_490_383, 22_498_049),
    "stylegan-b": (22_490_383, 22_498_049),
    "stylegan-c": (29_319_439, 22_498_049),
    "stylegan-d": (25_133_327, 22_498_049),
    "stylegan-e": (25_137_935, 22_498_049),
    "stylegan-f": (25_137_935, 22_498_049),
}
TOLERANCE = 2e-5  # float32 against float64 over a few layers; measured below 3e-6


@pytest.mark.parametrize(("name", "counts"), COUNTS.items())
def test_parameter_counts(name, counts):
    settings, model = config.preset(name), models.find(config.preset(name).model)
    shape = {"resolution": settings.data.resolution or 64, "label_size": 10 if settings.data.conditional else 0}
    shape["channels"] = 1 if name.startswith("digits") else 3
    assert (count(lambda: model.Generator(settings.G, **shape)), count(lambda: model.Discriminator(settings.D, **shape))) == counts


def test_every_preset_of_the_studies_is_counted_and_trained():
    assert set(study_presets.PRESETS) <= COUNTS.keys()
    assert set(COUNTS) - set(tiny_presets.NAMES) == set()


@pytest.mark.parametrize(("depth", "number"), [(4, 1_050_624), (5, 1_313_280), (8, 2_101_248)])
def test_mapping_networks_of_the_flowers(depth, number):  # the code of the study has 4 layers where its text says 5
    settings = config.preset(f"flowers-{depth}")
    assert settings.data.balance == "uniform"
    shapes = weight_shapes(lambda: models.find("stylegan").Generator(settings.G, resolution=8), only_trainable=True)
    assert sum(math.prod(shape) for name, shape in shapes.items() if name.startswith("mapping/")) == number


def transposed(x, kernel, stride, before, side):
    """Every input pixel adds its kernel [k, k, out, in] to a patch of the output, of which `before` rows are cut off at the start."""
    n, height, width, _ = x.shape
    size = kernel.shape[0]
    y = np.zeros((n, stride * height + size + before + side, stride * width + size + before + side, kernel.shape[2]))
    for i in range(height):
        for j in range(width):
            y[:, stride * i : stride * i + size, stride * j : stride * j + size] += np.einsum("nc,hwoc->nhwo", x[:, i, j], kernel)
    return y[:, before : before + side, before : before + side]


def convolved(x, kernel, stride):
    """TensorFlow's SAME padding: what the output needs, an odd row at the end."""
    side, size = -(-x.shape[1] // stride), kernel.shape[0]
    total = max((side - 1) * stride + size - x.shape[1], 0)
    pad = (total // 2, total - total // 2)
    x = np.pad(x, [(0, 0), pad, pad, (0, 0)])
    rows = [
        [np.einsum("nhwc,hwco->no", x[:, stride * i : stride * i + size, stride * j : stride * j + size], kernel) for j in range(side)]
        for i in range(side)
    ]
    return np.array(rows).transpose(2, 0, 1, 3)


class Layers:
    """The layers of a network in float64, one after the other, from its weights."""

    def __init__(self, weights, epsilon):
        self.weights, self.epsilon = weights, epsilon

    def finish(self, x, name, slope=None):
        """Bias; then batch normalisation if the layer has one, and the leaky ReLU."""
        x = x + self.weights[f"{name}/bias"]
        if f"{name}/norm/gain" in self.weights:
            mean, variance, gain, offset = (
                self.weights[f"{name}/norm/{kind}"] for kind in ("moving_mean", "moving_variance", "gain", "offset")
            )
            x = (x - mean) / np.sqrt(variance + self.epsilon) * gain + offset
        return x if slope is None else np.where(x > 0, x, slope * x)

    def first(self, z, name):
        return self.finish(np.einsum("nc,hwoc->nhwo", z, self.weights[f"{name}/kernel"]), name, 0.2)

    def up(self, x, name, before, slope=0.2):
        return self.finish(transposed(x, self.weights[f"{name}/kernel"], 2, before, 2 * x.shape[1]), name, slope)

    def conv(self, x, name, stride):
        return self.finish(convolved(x, self.weights[f"{name}/kernel"], stride), name, 0.2)

    def last(self, x, name):
        return self.finish(np.einsum("nhwc,hwco->no", x, self.weights[f"{name}/kernel"]), name)


def networks_of(name, label_size):
    options = config.preset(name)
    G, D = (settings_text.to_plain(network) | {"fmaps": 2} for network in (options.G, options.D))
    shape = {"resolution": 32, "channels": 1, "label_size": label_size}
    G = DCGANGenerator(settings_text.from_plain(GeneratorSettings, G | {"z_dim": 5}), **shape)
    return G, DCGANDiscriminator(settings_text.from_plain(DiscriminatorSettings, D), **shape)


def inputs():
    random = np.random.RandomState(2)
    return (
        np.float32(random.normal(0, 1, (3, 5))),
        np.float32(random.uniform(-1, 1, (3, 32, 32, 1))),
        np.eye(10, dtype=np.float32)[[9, 0, 4]],
    )


def test_layers_of_the_compact_dcgan_equal_numpy():
    G, D = networks_of("digits-dcgan-compact", 0)
    z, images, _ = inputs()
    layers = Layers(random_weights(G), 1e-3)
    x = layers.up(layers.up(layers.first(z, "4x4"), "8x8", 1), "16x16", 1)
    x = np.tanh(layers.finish(transposed(x, layers.weights["28x28/kernel"], 1, 0, 28), "28x28"))
    assert_close(G.sample(z), np.pad(x, [(0, 0), (2, 2), (2, 2), (0, 0)], constant_values=-1), TOLERANCE)
    layers = Layers(random_weights(D), 1e-3)
    x = layers.conv(layers.conv(layers.conv(images[:, 2:-2, 2:-2], "14x14", 2), "7x7", 2), "4x4", 2)
    assert_close(D(images), layers.last(x, "1x1"), TOLERANCE)


@pytest.mark.parametrize("name", ["digits-cdcgan", "digits-cdcgan-extended", "digits-cdcgan-branches"])
def test_layers_of_conditional_dcgans_equal_numpy(name):
    G, D = networks_of(name, 10)
    z, images, labels = inputs()
    layers = Layers(random_weights(G), 1e-3)
    if name == "digits-cdcgan-branches":
        x = np.concatenate([layers.first(z, "7x7"), layers.first(labels, "7x7_labels")], axis=-1)
    else:
        x = layers.first(np.concatenate([z, labels], axis=1), "7x7")
    x = layers.conv(x, "7x7_conv1", 1) if name == "digits-cdcgan-extended" else x
    x = layers.up(x, "14x14", 1)  # of 3 rows of padding, 1 is before and 2 are after the image
    x = layers.conv(x, "14x14_conv1", 1) if name == "digits-cdcgan-extended" else x
    x = np.tanh(layers.up(x, "28x28", 1, slope=None))
    assert_close(G(z, labels), x, TOLERANCE)
    layers = Layers(random_weights(D), 1e-3)
    planes = np.tile(labels[:, None, None], [1, 28, 28, 1])
    if name == "digits-cdcgan-branches":
        parts = [layers.conv(images[:, 2:-2, 2:-2], "14x14", 2), layers.conv(planes, "14x14_labels", 2)]
        x = np.concatenate(parts, axis=-1)
    else:
        x = layers.conv(np.concatenate([images[:, 2:-2, 2:-2], planes], axis=-1), "14x14", 2)
    x = layers.conv(x, "14x14_conv1", 1) if name == "digits-cdcgan-extended" else x
    x = layers.conv(x, "7x7", 2)
    x = layers.conv(x, "7x7_conv1", 1) if name == "digits-cdcgan-extended" else x
    assert_close(D(images, labels), layers.last(x, "1x1"), TOLERANCE)


def test_digits_are_enlarged_as_tensorflow_1_does_and_come_back():
    _, D = networks_of("digits-dcgan", 0)
    assert D.side == 64
    row = np.arange(32, dtype=np.float32)
    images = np.tile(row[None, None, :, None], [1, 32, 1, 1])
    found = borders.without_border(images, 2, 64)[0, 5, :, 0]
    np.testing.assert_allclose(found, np.minimum(2 + np.arange(64) * 28 / 64, 29), rtol=1e-6)  # the last pixel is repeated
    back = borders.with_border(borders.without_border(images, 2, 64), 2, 32)[0]
    np.testing.assert_allclose(back[5, 2:-3, 0], row[2:-3], atol=1e-5)  # but for the last pixel
    assert np.all(back[:2] == -1)
    assert np.all(back[:, -2:] == -1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory, tiny_dataset):
    """Tiny datasets, and the file of a classifier."""
    folder = tmp_path_factory.mktemp("studies")
    classifier = tiny_presets.write_classifier(folder / "lenet.npz")
    return {"digits": tiny_presets.write_digits(folder / "digits"), "scenes": tiny_dataset, "classifier": classifier}


def tiny_preset(name, folders, *more):
    more = [f"G_step.classifier={folders['classifier']}", *more] if name == "digits-cdcgan-feedback" else more
    return tiny_presets.tiny(name, folders["digits" if name.startswith("digits") else "scenes"], *more)


def check_resumed(name, folders, start_run, resume_run, *more):
    """Trains a preset, and again with an interruption: the same weights, which have changed, and a snapshot that generates."""
    whole = tiny_preset(name, folders, *more)
    code, path = start_run(whole)
    assert code == 0
    _, cut = start_run(settings_text.override(whole, [f"schedule.total_kimg={whole.schedule.total_kimg / 2}",
                                                      "schedule.if_too_short=allow"]))  # fmt: skip
    assert resume_run(cut, whole) == 0
    networks, resumed = stylegan_tf.load(path), stylegan_tf.load(cut)
    assert networks.model == whole.model
    for kind, network in networks.by_name().items():
        others = named_weights(resumed.by_name()[kind])
        for weight, variable in named_weights(network).items():
            np.testing.assert_array_equal(others[weight], variable, err_msg=f"{kind} {weight}")
    assert (path / "fakes000000.png").exists()
    labels = np.eye(10, dtype=np.float32)[[9, 9]] if whole.data.conditional else None
    images = networks.G_ema.sample(np.float32(np.random.RandomState(0).normal(0, 1, (2, networks.G_ema.z_dim))), labels)
    assert np.all(np.isfinite(images))
    return networks, path


def test_a_preset_trains_and_resumes_exactly(folders, start_run, resume_run):
    check_resumed("digits-cdcgan-feedback", folders, start_run, resume_run)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in tiny_presets.NAMES if name != "digits-cdcgan-feedback"])
def test_every_preset_trains_and_resumes_exactly(name, folders, start_run, resume_run):
    check_resumed(name, folders, start_run, resume_run)


@pytest.mark.slow
def test_two_devices_train_as_one_does(folders, tmp_path):
    command = [sys.executable, "-m", "tests.models.study_presets_on_devices", str(folders["classifier"]), str(tmp_path / "found.npz")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"})
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(tmp_path / "found.npz") as arrays:
        keys = [key for key in arrays if "|1|" in key]
        assert len({key.partition("|")[0] for key in keys}) == 6
        for key in keys:
            assert_close(arrays[key.replace("|1|", "|2|")], arrays[key], 5e-5, key)  # other orders of summation
