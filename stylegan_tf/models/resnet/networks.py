"""The networks of the residual GAN: blocks of two 3x3 convolutions, each after a normalisation and a ReLU, beside a 1x1 shortcut.

At 64x64 and 64 feature maps the generator is 128 > 512 (4x4) > 512 > 256 > 128 > 64 (64x64) > 3, the discriminator its mirror image.

Source: Gulrajani et al. 2017, appendix F; the residual networks for 64x64 of their code.
"""

import keras
import tensorflow as tf

from stylegan_tf.layers.batch_norm import BatchNorm
from stylegan_tf.layers.linear import Linear
from stylegan_tf.layers.normalization import LayerNorm
from stylegan_tf.layers.resample import downscale2d, upscale2d
from stylegan_tf.models.base import Discriminator, Generator
from stylegan_tf.models.inputs import check_latents
from stylegan_tf.models.resnet.settings import DiscriminatorSettings, GeneratorSettings
from stylegan_tf.resolution import MIN_RESOLUTION, check_lod_is_zero


def num_features(fmaps: int, side: int, resolution: int) -> int:
    """Feature maps at a side: `fmaps` at the resolution, doubled with each halving, up to eight times as many."""
    return fmaps * min(resolution // side, 8)


class ResidualBlock(keras.layers.Layer):
    """Normalisation, ReLU, 3x3, twice, beside a 1x1 shortcut; doubles or halves the side.

    Up: nearest upscaling before the first convolution and before the shortcut's. Down: 2x2 means after the second convolution and
    before the shortcut's, and the first convolution keeps the feature maps.

    Args:
        is_up: doubles the side; else halves it.
        channels, filters: feature maps in and out.
    """

    def __init__(self, settings: GeneratorSettings | DiscriminatorSettings, *, is_up: bool, channels: int, filters: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.is_up, self.channels, self.inner = is_up, channels, filters if is_up else channels
        self.norm0, self.norm1 = (make_norm(settings, self.dtype_policy, name) for name in ("norm0", "norm1"))
        options = {"dtype": self.dtype_policy}
        self.conv0 = Linear(self.inner, 3, use_bias=False, name="conv0", **options)
        self.conv1 = Linear(filters, 3, name="conv1", **options)
        self.shortcut = Linear(filters, 1, scale=1.0, name="shortcut", **options)

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the arguments."""
        self.norm0.build((None, None, None, self.channels))
        self.conv0.build(self.channels)
        self.norm1.build((None, None, None, self.inner))
        self.conv1.build(self.inner)
        self.shortcut.build(self.channels)

    def call(self, x, training=False):
        """[N, H, W, in] to [N, 2H, 2W, filters] or [N, H/2, W/2, filters]."""
        shortcut = self.shortcut(upscale2d(x) if self.is_up else downscale2d(x))
        x = tf.nn.relu(self.norm0(x, training=training))
        x = self.conv0(upscale2d(x) if self.is_up else x)
        x = self.conv1(tf.nn.relu(self.norm1(x, training=training)))
        return shortcut + (x if self.is_up else downscale2d(x))


def make_norm(settings: GeneratorSettings | DiscriminatorSettings, dtype: keras.DTypePolicy, name: str) -> BatchNorm | LayerNorm:
    """Batch normalisation in G, layer normalisation in D: the gradient penalty is of each image alone."""
    if isinstance(settings, GeneratorSettings):
        return BatchNorm(settings.keep, settings.epsilon, dtype=dtype, name=name)
    return LayerNorm(settings.epsilon, dtype=dtype, name=name)


def residual_blocks(
    settings: GeneratorSettings | DiscriminatorSettings, resolution: int, *, is_up: bool, dtype: keras.DTypePolicy
) -> list[ResidualBlock]:
    """The blocks of a network in order, each with the side of its output as its name."""
    sides = [2**exponent for exponent in range(2, resolution.bit_length())]
    sides = sides if is_up else sides[::-1]
    widths = [num_features(settings.fmaps, side, resolution) for side in sides]
    return [
        ResidualBlock(settings, is_up=is_up, channels=channels, filters=filters, name=f"{side}x{side}", dtype=dtype)
        for side, channels, filters in zip(sides[1:], widths[:-1], widths[1:], strict=True)
    ]


@keras.saving.register_keras_serializable("stylegan_tf.resnet", "Generator")
class ResNetGenerator(Generator):
    """Generates images [N, R, R, channels] in (-1, 1) from z [N, z_dim]. Arguments: see `Network`."""

    settings_type = GeneratorSettings

    def __init__(self, settings: GeneratorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        settings, resolution = self.settings, self.resolution
        self.z_dim = settings.z_dim
        options = {"dtype": self.dtype_policy}
        self.first_filters = num_features(settings.fmaps, MIN_RESOLUTION, resolution)
        self.dense = Linear(MIN_RESOLUTION**2 * self.first_filters, scale=1.0, name="dense", **options)
        self.blocks = residual_blocks(settings, resolution, is_up=True, dtype=self.dtype_policy)
        self.norm = make_norm(settings, self.dtype_policy, "norm")
        self.to_rgb = Linear(self.channels, 3, name="to_rgb", **options)
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the settings."""
        self.dense.build(self.z_dim)
        for block in self.blocks:
            block.build()
        self.norm.build((None, None, None, self.settings.fmaps))
        self.to_rgb.build(self.settings.fmaps)

    def call(self, z, labels=None, training=False):
        """z [N, z_dim] to float32 images [N, R, R, channels] in (-1, 1)."""
        check_latents(z, (self.z_dim,))
        x = tf.reshape(self.dense(z), [-1, MIN_RESOLUTION, MIN_RESOLUTION, self.first_filters])
        for block in self.blocks:
            x = block(x, training=training)
        x = self.to_rgb(tf.nn.relu(self.norm(x, training=training)))
        return tf.tanh(tf.cast(x, tf.float32))

    def sample(self, z, labels=None, *, lod=0.0, training=False, noise_seed=None):
        check_lod_is_zero(lod)
        return self(z, training=training)


@keras.saving.register_keras_serializable("stylegan_tf.resnet", "Discriminator")
class ResNetDiscriminator(Discriminator):
    """Gives images [N, R, R, channels] a value: logits [N, 1]. No ReLU precedes the last layer. Arguments: see `Network`."""

    settings_type = DiscriminatorSettings

    def __init__(self, settings: DiscriminatorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        settings, resolution = self.settings, self.resolution
        options = {"dtype": self.dtype_policy}
        self.from_rgb = Linear(settings.fmaps, 3, scale=1.0, name="from_rgb", **options)
        self.blocks = residual_blocks(settings, resolution, is_up=False, dtype=self.dtype_policy)
        self.dense = Linear(1, scale=1.0, name="dense", **options)
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the settings."""
        self.from_rgb.build(self.channels)
        for block in self.blocks:
            block.build()
        self.dense.build(MIN_RESOLUTION**2 * num_features(self.settings.fmaps, MIN_RESOLUTION, self.resolution))

    def call(self, images, labels=None, lod=0.0, training=False):
        check_lod_is_zero(lod)
        self.check_images(images)
        x = self.from_rgb(images)
        for block in self.blocks:
            x = block(x)
        x = tf.reshape(x, [-1, MIN_RESOLUTION**2 * x.shape[-1]])
        return tf.cast(self.dense(x), tf.float32)
