"""The discriminator: maps an image to one logit, through residual blocks."""

import math

import keras
import tensorflow as tf

from stylegan_tf import resolution as growth
from stylegan_tf.layers.activations import leaky_relu
from stylegan_tf.layers.fir import conv2d_downsample2d
from stylegan_tf.layers.minibatch_stddev import minibatch_stddev
from stylegan_tf.layers.scaled import EqualizedConv2D, EqualizedDense
from stylegan_tf.models.base import Discriminator
from stylegan_tf.models.inputs import check_images
from stylegan_tf.models.stylegan2.mapping import GAIN, MappingNetwork
from stylegan_tf.models.stylegan2.settings import DiscriminatorSettings, is_half, num_features
from stylegan_tf.models.stylegan2.synthesis import clamped


class DownConv2D(EqualizedConv2D):
    """A convolution with equalised learning rate that halves the side: [N, 2H, 2W, in] to [N, H, W, filters].

    Args:
        filters, kernel_size: as in `EqualizedConv2D`; the kernel is 1x1 or 3x3.
        taps: of the low-pass filter before it.
    """

    def __init__(self, filters, kernel_size, *, taps, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        self.taps = taps

    def convolve(self, x):
        """The layer without its bias."""
        return conv2d_downsample2d(x, self.scaled_kernel(x), self.taps)


class Stage(keras.layers.Layer):
    """Base of the layers of one resolution; those of the full resolution begin with FromRGB.

    Args:
        channels: colour channels of the images where the stage takes images, None where it takes features.
    """

    def __init__(self, settings: DiscriminatorSettings, *, side: int, channels: int | None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.settings, self.side, self.channels = settings, side, channels
        self.filters = num_features(settings, side)
        options = {"gain": 1.0, "dtype": self.dtype_policy}
        self.from_rgb = EqualizedConv2D(self.filters, 1, name="from_rgb", **options) if channels else None

    def build(self, input_shape=None):
        """Creates the weights of FromRGB."""
        if self.from_rgb:
            self.from_rgb.build((None, self.side, self.side, self.channels))

    def features(self, x):
        """Images [N, R, R, channels], or features, to features [N, R, R, C] in the compute dtype."""
        x = tf.cast(x, self.compute_dtype)
        return activated(self.from_rgb(x), self.settings.clamp) if self.from_rgb else x


class DiscriminatorBlock(Stage):
    """Two convolutions that halve a resolution, with a 1x1 convolution around them where the network is residual."""

    def __init__(self, settings, **kwargs):
        super().__init__(settings, **kwargs)
        filters_out = num_features(settings, self.side // 2)
        options = {"gain": 1.0, "dtype": self.dtype_policy}
        down = {"taps": settings.resample_filter, **options}
        self.conv0 = EqualizedConv2D(self.filters, 3, name="conv0", **options)
        self.conv1_down = DownConv2D(filters_out, 3, name="conv1_down", **down)
        self.skip = DownConv2D(filters_out, 1, use_bias=False, name="skip", **down) if settings.architecture == "resnet" else None

    def build(self, input_shape=None):
        """Creates the weights."""
        super().build()
        for layer in (self.conv0, self.conv1_down, self.skip):
            if layer:
                layer.build((None, self.side, self.side, self.filters))

    def call(self, x):
        """Images or features [N, R, R, C] to [N, R/2, R/2, C']."""
        x, clamp = self.features(x), self.settings.clamp
        y = activated(self.conv1_down(activated(self.conv0(x), clamp)), clamp)
        # Each of the two has unit variance: their sum times sqrt(1/2) has it too.
        return (y + self.skip(x)) * math.sqrt(0.5) if self.skip else y


class Head(Stage):
    """The layers at 4x4: minibatch statistics, a convolution and two dense layers.

    Args:
        num_outputs: of the last layer.
    """

    def __init__(self, settings, *, num_outputs, **kwargs):
        super().__init__(settings, side=growth.MIN_RESOLUTION, **kwargs)
        self.conv = EqualizedConv2D(self.filters, 3, gain=1.0, dtype=self.dtype_policy, name="conv")
        self.dense0 = EqualizedDense(self.filters, gain=1.0, dtype=self.dtype_policy, name="dense0")
        self.dense1 = EqualizedDense(num_outputs, gain=1.0, dtype=self.dtype_policy, name="dense1")

    def build(self, input_shape=None):
        """Creates the weights."""
        super().build()
        extra = self.settings.mbstd_num_features if self.settings.mbstd_group_size > 1 else 0
        self.conv.build((None, 4, 4, self.filters + extra))
        self.dense0.build((None, 4, 4, self.filters))
        self.dense1.build((None, self.filters))

    def call(self, x):
        """Images or features [N, 4, 4, C] to [N, num_outputs]."""
        x = minibatch_stddev(self.features(x), self.settings.mbstd_group_size, self.settings.mbstd_num_features)
        return self.dense1(activated(self.dense0(activated(self.conv(x), self.settings.clamp)), None))


@keras.saving.register_keras_serializable("stylegan_tf.stylegan2", "Discriminator")
class StyleGAN2Discriminator(Discriminator):
    """Classifies images [N, R, R, channels] as real or generated: logits [N, 1].

    With labels, the logit is the dot product of C features with the embedding of the label, divided by sqrt(C) (projection).
    Arguments: see `Network`.

    Source: Karras et al. 2020, figure 7; labels: Miyato and Koyama 2018, as in the release of StyleGAN2-ADA.
    """

    settings_type = DiscriminatorSettings

    def __init__(self, settings: DiscriminatorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        settings, resolution = self.settings, self.resolution
        sides = [2**exponent for exponent in range(growth.log2(resolution), 2, -1)]  # full size first
        self.blocks = [
            DiscriminatorBlock(
                settings, side=side, channels=self.channels if side == resolution else None, name=f"{side}x{side}",
                dtype=self.dtype_policy if is_half(settings, side, resolution) else "float32",
            )
            for side in sides
        ]  # fmt: skip
        self.width = num_features(settings, growth.MIN_RESOLUTION)
        self.head = Head(settings, channels=None if sides else self.channels, num_outputs=self.width if self.label_size else 1,
                         dtype="float32", name="4x4")  # fmt: skip
        self.mapping = None
        if self.label_size:
            self.mapping = MappingNetwork(z_dim=0, label_size=self.label_size, w_dim=self.width, num_layers=settings.mapping_layers,
                                          lrmul=settings.mapping_lrmul, name="mapping")  # fmt: skip
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the settings."""
        for layer in (*self.blocks, self.head, self.mapping):
            if layer:
                layer.build()

    def call(self, images, labels=None, lod=0.0, training=False):
        growth.check_lod_is_zero(lod)
        check_images(images, self.resolution, self.channels)
        x = images
        for layer in (*self.blocks, self.head):
            x = layer(x)
        if not self.label_size:
            return x
        embedded = self.mapping.map_once(None, labels)
        return tf.reduce_sum(x * embedded, axis=1, keepdims=True) / math.sqrt(self.width)


def activated(x: tf.Tensor, clamp: float | None) -> tf.Tensor:
    """Leaky ReLU, times its gain, clamped."""
    return clamped(leaky_relu(x) * GAIN, clamp)
