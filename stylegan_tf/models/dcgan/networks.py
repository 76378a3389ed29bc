"""The networks of DCGAN and its conditional forms: strided convolutions with normalisations.

By default, at 64x64 and 64 feature maps, the generator is 100 > 512 (4x4) > 256 > 128 > 64 > 3 (64x64), the discriminator its
mirror image, with 4x4 kernels and without biases (PyTorch's tutorial). The networks for digits of 28x28 differ in settings:

    DCGAN, compact   G 100 > 512 (4x4) > 256 > 128 (16x16) > 1 (28x28, a 13x13 kernel)    D 1 > 128 (14x14) > 256 > 512 (4x4) > 1
    CDCGAN           G 110 > 256 (7x7) > 128 (14x14) > 1 (28x28), kernels of 5x5          D 11 > 128 (14x14) > 256 (7x7) > 1

Source: Radford et al. 2016, section 3; layers and initial weights of PyTorch's DCGAN tutorial, and of the public TensorFlow code
for MNIST that the study of digits refers to (docs/config.md).
"""

import keras
import tensorflow as tf

from stylegan_tf.layers import borders
from stylegan_tf.models.base import Discriminator, Generator
from stylegan_tf.models.dcgan.convolution import KEEPING_KERNEL, Convolution
from stylegan_tf.models.dcgan.settings import DiscriminatorSettings, GeneratorSettings
from stylegan_tf.models.inputs import check_latents
from stylegan_tf.resolution import check_lod_is_zero


@keras.saving.register_keras_serializable("stylegan_tf.dcgan", "Generator")
class DCGANGenerator(Generator):
    """Generates images [N, R, R, channels] in (-1, 1) from z [N, z_dim] and, if conditional, labels. Arguments: see `Network`."""

    settings_type = GeneratorSettings

    def __init__(self, settings: GeneratorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        settings, side = self.settings, self.settings.inner_side(self.resolution)
        self.z_dim = settings.z_dim
        sides = settings.sides(self.resolution)
        widths = [settings.fmaps << index for index in reversed(range(len(sides)))]
        options = {"dtype": self.dtype_policy}
        first = {"kind": "first", "side": sides[0], "kernel_size": sides[0], "is_normalised": True, **options}
        self.branch = self.label_size > 0 and settings.labels == "branches"
        self.firsts = [Convolution(settings, filters=widths[0] >> self.branch, name=f"{sides[0]}x{sides[0]}", **first)]
        if self.branch:
            self.firsts.append(Convolution(settings, filters=widths[0] >> 1, name=f"{sides[0]}x{sides[0]}_labels", **first))
        self.hidden = keeping_convolutions(settings, sides[0], widths[0], options)
        for size, width in zip(sides[1:], widths[1:], strict=True):
            up = {"kind": "up", "side": size, "kernel_size": settings.kernel, "is_normalised": True, **options}
            self.hidden.append(Convolution(settings, filters=width, name=f"{size}x{size}", **up))
            self.hidden += keeping_convolutions(settings, size, width, options)
        is_double = side == 2 * sides[-1]
        last = {"kind": "up" if is_double else "grow", "kernel_size": settings.kernel if is_double else side - sides[-1] + 1}
        self.last = Convolution(
            settings, filters=self.channels, side=side, is_normalised=False, name=f"{side}x{side}", **last, **options
        )  # fmt: skip
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the settings."""
        build_layers(self, self.z_dim)

    def call(self, z, labels=None, training=False):
        """z [N, z_dim] and labels [N, label_size] to float32 images [N, S, S, channels] in (-1, 1), S the side inside the network."""
        check_latents(z, (self.z_dim,))
        self.check_labels(labels)
        inputs = [z, labels] if self.label_size else [z]
        return tf.tanh(tf.cast(self.last(hidden_features(self, inputs, training)), tf.float32))

    def sample(self, z, labels=None, *, lod=0.0, training=False, noise_seed=None):
        check_lod_is_zero(lod)
        return self.with_border(self(z, labels, training=training))

    def with_border(self, images: tf.Tensor) -> tf.Tensor:
        """Images of `call` in the size of the dataset: [N, R, R, channels]."""
        return borders.with_border(images, self.settings.border, self.resolution)


@keras.saving.register_keras_serializable("stylegan_tf.dcgan", "Discriminator")
class DCGANDiscriminator(Discriminator):
    """Classifies images [N, R, R, channels] as real or generated: logits [N, 1]. Arguments: see `Network`."""

    settings_type = DiscriminatorSettings

    def __init__(self, settings: DiscriminatorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        settings, sides = self.settings, self.settings.sides(self.resolution)
        self.side = settings.inner_side(self.resolution)
        options = {"dtype": self.dtype_policy}
        down = {"kind": "down", "kernel_size": settings.kernel, **options}
        # No normalisation in the layers that see the image.
        first = {"side": sides[0], "is_normalised": False, **down}
        self.branch = self.label_size > 0 and settings.labels == "branches"
        self.firsts = [Convolution(settings, filters=settings.fmaps >> self.branch, name=f"{sides[0]}x{sides[0]}", **first)]
        if self.branch:
            self.firsts.append(Convolution(settings, filters=settings.fmaps >> 1, name=f"{sides[0]}x{sides[0]}_labels", **first))
        self.hidden = keeping_convolutions(settings, sides[0], settings.fmaps, options)
        for index, size in enumerate(sides[1:], start=1):
            width = settings.fmaps << index
            self.hidden.append(Convolution(settings, filters=width, side=size, is_normalised=True, name=f"{size}x{size}", **down))
            self.hidden += keeping_convolutions(settings, size, width, options)
        self.last = Convolution(
            settings, kind="last", filters=1, side=sides[-1], kernel_size=sides[-1], is_normalised=False, name="1x1", **options
        )
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the settings."""
        build_layers(self, self.channels)

    def call(self, images, labels=None, lod=0.0, training=False):
        """As `Discriminator.call`; images may also be [N, S, S, channels], as returned by `DCGANGenerator.call`."""
        check_lod_is_zero(lod)
        self.check_labels(labels)
        self.check_images(images, self.side)
        inputs = [images if images.shape[1] == self.side else borders.without_border(images, self.settings.border, self.side)]
        if self.label_size:  # a constant plane for each entry of the label
            planes = tf.cast(labels, inputs[0].dtype)[:, None, None]
            inputs.append(tf.tile(planes, [1, self.side, self.side, 1]))
        return tf.cast(self.last(hidden_features(self, inputs, training)), tf.float32)


def keeping_convolutions(settings: GeneratorSettings | DiscriminatorSettings, side: int, filters: int, options: dict) -> list[Convolution]:
    """The convolutions of a side that keep it: all but the first of `convs_per_side`."""
    kept = {"kind": "same", "filters": filters, "side": side, "kernel_size": KEEPING_KERNEL, "is_normalised": True, **options}
    return [Convolution(settings, name=f"{side}x{side}_conv{index}", **kept) for index in range(1, settings.convs_per_side)]


def build_layers(network: DCGANGenerator | DCGANDiscriminator, channels: int) -> None:
    """Creates the weights of all layers for so many features in, and labels."""
    inputs = [channels, network.label_size] if network.branch else [channels + network.label_size]
    for layer, width in zip(network.firsts, inputs, strict=True):
        layer.build(width)
    width = sum(layer.filters for layer in network.firsts)
    for layer in (*network.hidden, network.last):
        layer.build(width)
        width = layer.filters


def hidden_features(network: DCGANGenerator | DCGANDiscriminator, inputs: list[tf.Tensor], training: bool) -> tf.Tensor:
    """Features before the last layer, from the input and what the labels add to it."""
    slope = network.settings.slope

    def activated(layer, x):
        x = layer(x, training=training)
        return tf.nn.leaky_relu(x, slope) if slope else tf.nn.relu(x)

    inputs = inputs if network.branch else [tf.concat(inputs, axis=-1)]
    x = tf.concat([activated(layer, part) for layer, part in zip(network.firsts, inputs, strict=True)], axis=-1)
    for layer in network.hidden:
        x = activated(layer, x)
    return x
