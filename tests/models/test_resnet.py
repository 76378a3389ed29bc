"""The residual GAN and layer normalisation: layers against NumPy, and fresh weights."""

import numpy as np
import pytest

from stylegan_tf import settings_text
from stylegan_tf.errors import UserError
from stylegan_tf.layers.normalization import LayerNorm
from stylegan_tf.models.resnet.networks import ResNetDiscriminator, ResNetGenerator
from stylegan_tf.models.resnet.settings import DiscriminatorSettings, GeneratorSettings, Settings
from stylegan_tf.models.weights import named_weights
from stylegan_tf.training.settings_check import check
from tests.closeness import assert_close
from tests.models.test_study_presets import convolved, random_weights

TOLERANCE = 2e-5  # float32 against float64 over a few layers; measured below 3e-6


def upscaled(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def halved(x):
    n, side, _, channels = x.shape
    return x.reshape(n, side // 2, 2, side // 2, 2, channels).mean((2, 4))


class Reference:
    """The layers in float64. `is_batch`: moving averages of batch normalisation; else layer normalisation."""

    def __init__(self, weights, is_batch):
        self.weights, self.is_batch = weights, is_batch

    def relu_of_norm(self, x, name):
        if self.is_batch:
            mean, variance = self.weights[f"{name}/moving_mean"], self.weights[f"{name}/moving_variance"]
        else:
            mean, variance = x.mean((1, 2, 3), keepdims=True), x.var((1, 2, 3), keepdims=True)
        return np.maximum((x - mean) / np.sqrt(variance + 1e-5) * self.weights[f"{name}/gain"] + self.weights[f"{name}/offset"], 0)

    def conv(self, x, name):
        return convolved(x, self.weights[f"{name}/kernel"], 1) + self.weights.get(f"{name}/bias", 0)

    def up(self, x, name):
        y = self.conv(upscaled(self.relu_of_norm(x, f"{name}/norm0")), f"{name}/conv0")
        y = self.conv(self.relu_of_norm(y, f"{name}/norm1"), f"{name}/conv1")
        return self.conv(upscaled(x), f"{name}/shortcut") + y

    def down(self, x, name):
        y = self.conv(self.relu_of_norm(x, f"{name}/norm0"), f"{name}/conv0")
        y = halved(self.conv(self.relu_of_norm(y, f"{name}/norm1"), f"{name}/conv1"))
        return self.conv(halved(x), f"{name}/shortcut") + y


def test_generator_equals_numpy():
    G = ResNetGenerator(GeneratorSettings(z_dim=5, fmaps=2), resolution=16)
    reference, z = Reference(random_weights(G), is_batch=True), np.random.RandomState(2).normal(0, 1, (3, 5))
    x = (z @ reference.weights["dense/kernel"] + reference.weights["dense/bias"]).reshape(3, 4, 4, 8)
    x = reference.up(reference.up(x, "8x8"), "16x16")
    assert_close(G.sample(np.float32(z)), np.tanh(reference.conv(reference.relu_of_norm(x, "norm"), "to_rgb")), TOLERANCE)


def test_discriminator_equals_numpy():
    D = ResNetDiscriminator(DiscriminatorSettings(fmaps=2), resolution=16)
    reference, images = Reference(random_weights(D), is_batch=False), np.random.RandomState(2).normal(0, 1, (3, 16, 16, 3))
    x = reference.down(reference.down(reference.conv(images, "from_rgb"), "8x8"), "4x4").reshape(3, -1)
    assert_close(D(np.float32(images)), x @ reference.weights["dense/kernel"] + reference.weights["dense/bias"], TOLERANCE)


@pytest.mark.parametrize("is_per_element", [False, True])
def test_layer_norm_is_of_each_image_alone(is_per_element):
    layer, random = LayerNorm(is_per_element=is_per_element), np.random.RandomState(0)
    x = random.normal(3, 2, (2, 4, 4, 3)).astype(np.float32)
    layer.build(x.shape)
    assert layer.gain.shape == ((4, 4, 3) if is_per_element else (3,))
    gain, offset = random.normal(0, 1, (2, *layer.gain.shape))
    layer.gain.assign(gain)
    layer.offset.assign(offset)
    expected = (x - x.mean((1, 2, 3), keepdims=True)) / np.sqrt(x.var((1, 2, 3), keepdims=True) + 1e-5) * gain + offset
    assert_close(layer(x), expected, 1e-5)
    assert_close(layer(x[:1]), expected[:1], 1e-5)


def test_fresh_weights_are_uniform_with_the_deviations_of_the_paper():
    weights = {
        name: variable.numpy()
        for name, variable in named_weights(ResNetDiscriminator(DiscriminatorSettings(fmaps=32), resolution=8)).items()
    }
    for name, scale in (("4x4/conv0/kernel", 4), ("4x4/conv1/kernel", 4), ("4x4/shortcut/kernel", 2), ("from_rgb/kernel", 2)):
        kernel = weights[name]
        connections = np.prod(kernel.shape[:2]) * sum(kernel.shape[2:])
        assert kernel.std() == pytest.approx((scale / connections) ** 0.5, rel=0.05), name
        assert np.abs(kernel).max() <= (3 * scale / connections) ** 0.5


def test_labels_are_refused():
    with pytest.raises(UserError, match="has no labels"):
        check(settings_text.override(Settings("x"), ["data.conditional=true"]))
