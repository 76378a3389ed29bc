"""The discriminator: maps an image at any level of detail to one logit."""

import keras
import tensorflow as tf

from stylegan_tf import resolution as growth
from stylegan_tf.layers.activations import nonlinearity as find_nonlinearity
from stylegan_tf.layers.minibatch_stddev import minibatch_stddev
from stylegan_tf.layers.resample import downscale2d
from stylegan_tf.layers.scaled import EqualizedConv2D, EqualizedDense
from stylegan_tf.models import base
from stylegan_tf.models.inputs import check_images, check_labels
from stylegan_tf.models.stylegan.settings import DiscriminatorSettings
from stylegan_tf.models.stylegan.synthesis import is_fused_at, num_features

# From this input resolution on, convolution and downscaling run as one operation where `fused_scale` is "auto".
FUSED_FROM_RESOLUTION = 8


class DiscriminatorBlock(keras.layers.Layer):
    """FromRGB of one resolution, and the two convolutions that halve it (at 4x4: the statistics and the dense layers).

    Args:
        num_outputs: at 4x4, outputs of the last layer.
    """

    def __init__(self, settings: DiscriminatorSettings, *, side: int, num_outputs: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.settings = settings
        self.side = side
        self.filters, self.filters_out = num_features(settings, side), num_features(settings, side // 2)
        self.activation, gain = find_nonlinearity(settings.nonlinearity)
        self.is_last = side == growth.MIN_RESOLUTION
        options = {"use_wscale": settings.use_wscale, "dtype": self.dtype_policy}
        self.from_rgb = EqualizedConv2D(self.filters, 1, gain=gain, name="from_rgb", **options)
        if self.is_last:
            self.conv = EqualizedConv2D(self.filters, 3, gain=gain, name="conv", **options)
            self.dense0 = EqualizedDense(self.filters_out, gain=gain, name="dense0", **options)
            self.dense1 = EqualizedDense(num_outputs, gain=1.0, name="dense1", **options)
        else:
            is_fused = is_fused_at(side, settings.fused_scale, FUSED_FROM_RESOLUTION)
            self.conv0 = EqualizedConv2D(self.filters, 3, gain=gain, name="conv0", **options)
            self.conv1_down = EqualizedConv2D(self.filters_out, 3, gain=gain, resampling="down", blur_filter=settings.blur_filter,
                                              is_fused=is_fused, name="conv1_down", **options)  # fmt: skip

    def build(self, channels):
        """Creates the weights for images with this number of colour channels."""
        side, filters = self.side, self.filters
        self.from_rgb.build((None, side, side, channels))
        if self.is_last:
            extra = self.settings.mbstd_num_features if self.settings.mbstd_group_size > 1 else 0
            self.conv.build((None, side, side, filters + extra))
            self.dense0.build((None, side, side, filters))
            self.dense1.build((None, self.filters_out))
        else:
            self.conv0.build((None, side, side, filters))
            self.conv1_down.build((None, side, side, filters))

    def embed(self, images):
        """Images [N, R, R, channels] to features [N, R, R, filters]: FromRGB."""
        return self.from_rgb(tf.cast(images, self.compute_dtype), activation=self.activation)

    def call(self, x):
        """Features [N, R, R, filters] to [N, R/2, R/2, filters_out], or at 4x4 to scores [N, num_outputs]."""
        if not self.is_last:
            return self.conv1_down(self.conv0(x, activation=self.activation), activation=self.activation)
        x = minibatch_stddev(x, self.settings.mbstd_group_size, self.settings.mbstd_num_features)
        return self.dense1(self.dense0(self.conv(x, activation=self.activation), activation=self.activation))


@keras.saving.register_keras_serializable("stylegan_tf")
class Discriminator(base.Discriminator):
    """Classifies images [N, R, R, channels] as real or generated: logits [N, 1].

    With labels, the logit is the dot product of label_size outputs with the label. Arguments: see `Network`.

    Source: Karras et al. 2018 with the changes of Karras et al. 2019, section 2.
    """

    settings_type = DiscriminatorSettings

    def __init__(self, settings: DiscriminatorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        sides = [2**exponent for exponent in range(growth.log2(self.resolution), 1, -1)]  # full size first
        options = {"num_outputs": max(self.label_size, 1), "dtype": self.dtype_policy}
        self.blocks = [DiscriminatorBlock(self.settings, side=side, name=f"{side}x{side}", **options) for side in sides]
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the options."""
        for block in self.blocks:
            block.build(self.channels)

    def call(self, images, labels=None, lod=0.0, training=False):
        floor, fade = growth.split_lod(lod)
        if floor >= len(self.blocks) or (fade is not None and floor + 1 >= len(self.blocks)):
            raise ValueError(f"lod of a {self.resolution}x{self.resolution} network ends at {len(self.blocks) - 1}. Received: {lod}")
        side = self.resolution >> floor
        check_images(images, side, self.channels)
        x = self.blocks[floor](self.blocks[floor].embed(images))
        if fade is not None:
            old = self.blocks[floor + 1].embed(downscale2d(images))
            x += (old - x) * tf.cast(fade, x.dtype)
        for block in self.blocks[floor + 1 :]:
            x = block(x)
        scores = tf.cast(x, tf.float32)
        if not self.label_size:
            return scores
        check_labels(labels, self.label_size)
        return tf.reduce_sum(scores * tf.cast(labels, tf.float32), axis=1, keepdims=True)
