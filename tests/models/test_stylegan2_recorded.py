"""StyleGAN2's networks and losses against arrays recorded from the release of StyleGAN2-ADA, in float32."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf

import config
from stylegan_tf import models
from stylegan_tf.models.base import Context, Part
from stylegan_tf.models.stylegan2.discriminator import StyleGAN2Discriminator
from stylegan_tf.models.stylegan2.generator import StyleGAN2Generator
from stylegan_tf.models.stylegan2.path_length import MEAN, NOISE
from stylegan_tf.models.stylegan2.settings import DiscriminatorSettings, GeneratorSettings, Settings
from stylegan_tf.models.weights import assign_weights, named_weights, weight_shapes
from stylegan_tf.resolution import Lod
from stylegan_tf.settings import DataSettings, LossSettings
from stylegan_tf.training.step import compute_part
from tests.closeness import assert_close
from tests.recorded import arrays, golden_path, nhwc
from tests.recorded_stylegan2 import our_array, our_name, our_weights

# Sums in other orders; measured below 2e-6 on images, logits and losses, 3e-6 on path lengths and 7e-6 on gradients of R1.
TOLERANCE = 2e-5
RECORDED = {"sg2_32c": (32, 3, 2), "sg2_16_map8": (16, 0, 8)}  # resolution, classes, layers of the mapping network
GAMMA, EVERY_G, EVERY_D = 10.0, 4, 16


class Recorded:
    """One recording, and our networks with its weights."""

    def __init__(self, name):
        resolution, label_size, mapping_layers = RECORDED[name]
        self.arrays = arrays(name)
        shape = {"resolution": resolution, "label_size": label_size}
        G = GeneratorSettings(z_dim=32, w_dim=32, mapping_layers=mapping_layers, fmap_base=512, fmap_max=32, style_mixing_prob=None)
        D = DiscriminatorSettings(fmap_base=512, fmap_max=32)
        self.G, self.D = StyleGAN2Generator(G, **shape), StyleGAN2Discriminator(D, **shape)
        for network, prefix in ((self.G, "G/"), (self.D, "D/")):
            assign_weights(network, our_weights(self.arrays, prefix))
        self.labels = self.arrays["c"] if label_size else None
        loss = LossSettings(gamma=GAMMA, lazy_interval=EVERY_D)
        self.settings = Settings("recorded", G=G, D=D, loss=loss, data=DataSettings(resolution=resolution))

    def __getitem__(self, key):
        return nhwc(self.arrays[key])

    def phase(self, name):
        """The phase of that name with the mean of path lengths at 0.3, and the noise that was recorded."""
        model = models.find("stylegan2").__class__()
        model.noise_mode = "const"
        phases = model.phases(self.settings, self.G, self.D, {MEAN: tf.Variable(0.3)})
        return next(phase for phase in phases if phase.name == name)

    def step(self, name, count=8, *, parts=1):
        """Gradients by our names, statistics and sums of one phase on the first `count` recorded samples, split into parts."""
        phase, size = self.phase(name), count // parts
        context = Context(lambda images, labels: self.D(images, labels), Lod(0), tf.constant(GAMMA), 1.0)
        network = self.G if phase.network == "G" else self.D
        variables = {name: variable.value for name, variable in named_weights(network).items() if variable.trainable}
        chosen = [self.part(slice(index * size, (index + 1) * size), count) for index in range(parts)]
        if phase.prepare and parts > 1:
            prepared = [phase.prepare(part, context) for part in chosen]
            context = context._replace(prepared={key: tf.add_n([sums[key] for sums in prepared]) for key in prepared[0]})
        found = [compute_part(phase, context, variables, part) for part in chosen]
        return tf.nest.map_structure(lambda *values: sum(np.asarray(value) for value in values), *found)

    def part(self, rows, count):
        labels = tf.constant(self.arrays["c"][rows])
        own = {}
        if rows.stop <= len(self["pl_noise"]):
            own[NOISE] = tf.constant(self["pl_noise"][rows] / self.G.resolution)
        weights = tf.fill([rows.stop - rows.start], 1.0 / count)
        return Part(tf.constant(self["real"][rows]), labels, tf.constant(self["z"][rows]), labels, None, own, {}, None, weights)


@pytest.fixture(scope="module", params=RECORDED)
def recorded(request):
    return Recorded(request.param)


def test_mapping_and_truncation(recorded):
    G = recorded.G
    assert_close(G.mapping(recorded["z"], recorded.labels), recorded["ws"], TOLERANCE)
    assert_close(G.truncate(recorded["ws"], 0.7), recorded["ws_psi0.7"], TOLERANCE)
    assert_close(G.truncate(recorded["ws"], 0.5, 4), recorded["ws_psi0.5_cut4"], TOLERANCE)
    assert_close(G.truncate(recorded["ws"]), recorded["ws"], TOLERANCE)  # the release truncates only where it is asked to


def test_images(recorded):
    for key in ("img_const", "img_const_fused"):  # two forms of the modulated convolution there
        assert_close(recorded.G.synthesis(recorded["ws"], noise_mode="const"), recorded[key], TOLERANCE, key)
    assert_close(recorded.G.synthesis(recorded["ws"], noise_mode="none"), recorded["img_none"], TOLERANCE)
    assert_close(recorded.G.preview(recorded["z"], recorded.labels), recorded["img_const"], TOLERANCE)


def test_style_mixing(recorded):
    G = recorded.G
    w, w_mix = G.mapping.map_once(recorded["z"], recorded.labels), G.mapping.map_once(recorded["z"][::-1], recorded.labels)
    images = G.synthesis(G.mix_styles(w, w_mix, 3), noise_mode="const")
    assert_close(images, recorded["img_mixed_cut3"], TOLERANCE)


def test_logits(recorded):
    assert_close(recorded.D(recorded["img_const"], recorded.labels), recorded["D_fake"], TOLERANCE)
    assert_close(recorded.D(recorded["real"], recorded.labels), recorded["D_real"], TOLERANCE)


def assert_gradients(found, recorded, prefix, factor=1.0):
    """Every recorded gradient, times `factor`, is among those found; where there is none, it is zero."""
    keys = [key for key in recorded.arrays if key.startswith(prefix)]
    assert len(keys) >= 5
    for key in keys:
        theirs = key.removeprefix(prefix)
        name = our_name(theirs)
        assert_close(found[name], factor * our_array(name, recorded.arrays[key]), TOLERANCE, name)


def test_losses_and_gradients(recorded):
    gradients, statistics, sums = recorded.step("G")
    assert_close(statistics["Loss/G"], recorded["loss_G"], TOLERANCE)
    assert_gradients(gradients, recorded, "grad_G/")
    assert_close(sums["w"], recorded["ws"][:, 0].mean(0), TOLERANCE)
    gradients, statistics, _ = recorded.step("D")
    assert_close(statistics["Loss/D"], recorded["loss_D"], TOLERANCE)
    assert_gradients(gradients, recorded, "grad_D/")


def test_r1_is_a_step_of_its_own(recorded):
    gradients, statistics, _ = recorded.step("D_r1")
    assert_close(statistics["Loss/penalty"], recorded["r1_penalty"].mean(), TOLERANCE)
    assert_gradients(gradients, recorded, "grad_r1/", factor=GAMMA * EVERY_D)


@pytest.mark.parametrize("parts", [1, 2])
def test_path_lengths(recorded, parts):  # in parts, as several devices or accumulation compute them
    gradients, statistics, sums = recorded.step("G_pl", 4, parts=parts)
    assert_close(statistics["Loss/path_length"], recorded["pl_lengths"].mean(), TOLERANCE)
    assert_close(statistics["Loss/G_pl"], 2 * EVERY_G * recorded["pl_penalty"].mean(), TOLERANCE)
    assert_close(0.99 * 0.3 + 0.01 * sums[MEAN], recorded["pl_mean_after"], TOLERANCE)
    assert_gradients(gradients, recorded, "grad_pl/", factor=EVERY_G)


def count(make):
    return sum(math.prod(shape) for shape in weight_shapes(make, only_trainable=True).values())


@pytest.mark.parametrize("resolution", [32, 64, 128, 256])
def test_names_shapes_and_counts_are_those_of_auto(resolution):
    recorded = json.loads(golden_path("sg2_params.json").read_text())[str(resolution)]
    settings = config.stylegan2_auto(resolution)
    for which, make in (("G", StyleGAN2Generator), ("D", StyleGAN2Discriminator)):
        shapes = weight_shapes(lambda make=make, which=which: make(getattr(settings, which), resolution=resolution), only_trainable=True)
        names = {our_name(theirs): shape for theirs, shape in recorded[which].items()}
        assert shapes == {name: our_array(name, np.broadcast_to(np.float32(0), shape)).shape for name, shape in names.items()}
        assert sum(map(math.prod, shapes.values())) == recorded[f"{which}_total"]


def test_counts_at_64_and_with_eight_mapping_layers():
    G, D = GeneratorSettings(fmap_base=16384, mapping_layers=2), DiscriminatorSettings(fmap_base=16384)
    assert count(lambda: StyleGAN2Generator(G, resolution=64)) == 22_243_608
    assert count(lambda: StyleGAN2Discriminator(D, resolution=64)) == 23_407_361
    G = GeneratorSettings(fmap_base=16384)
    assert count(lambda: StyleGAN2Generator(G, resolution=64)) == 22_243_608 + 1_575_936


def test_counts_at_1024():  # as the release of StyleGAN2 prints those of configuration F
    assert count(lambda: StyleGAN2Generator(resolution=1024)) == 30_370_060
    assert count(lambda: StyleGAN2Discriminator(resolution=1024)) == 29_012_513
