"""The discriminator: an image at any level of detail to one logit."""

import keras
import tensorflow as tf

from stylegan_tf import resolution as growth
from stylegan_tf.layers.activations import nonlinearity as find_nonlinearity
from stylegan_tf.layers.minibatch_stddev import minibatch_stddev
from stylegan_tf.layers.resample import downscale2d
from stylegan_tf.layers.scaled import EqualizedConv2D, EqualizedDense
from stylegan_tf.networks.synthesis import is_fused_at

# From this input resolution on, convolution and downscaling run as one operation where `fused_scale` is "auto".
FUSED_FROM_RESOLUTION = 8


@keras.saving.register_keras_serializable("stylegan_tf")
class DiscriminatorBlock(keras.layers.Layer):
    """FromRGB of one resolution, and the two convolutions that halve it (at 4x4: the statistics and the dense layers).

    Args:
        resolution: side of the input.
        filters: feature maps of the input.
        filters_out: feature maps of the output; at 4x4 the width of the first dense layer.
        num_outputs: at 4x4, outputs of the last layer.
        nonlinearity, use_wscale, blur_filter, is_fused, mbstd_group_size, mbstd_num_features: see `Discriminator`.
    """

    def __init__(self, resolution, filters, filters_out, *, num_outputs=1, nonlinearity="lrelu", use_wscale=True, blur_filter=None,
                 is_fused=False, mbstd_group_size=4, mbstd_num_features=1, **kwargs):  # fmt: skip
        super().__init__(autocast=False, **kwargs)
        self.resolution = resolution
        self.filters = filters
        self.filters_out = filters_out
        self.num_outputs = num_outputs
        self.nonlinearity = nonlinearity
        self.use_wscale = use_wscale
        self.blur_filter = blur_filter
        self.is_fused = is_fused
        self.mbstd_group_size = mbstd_group_size
        self.mbstd_num_features = mbstd_num_features
        self.activation, gain = find_nonlinearity(nonlinearity)
        self.is_last = resolution == growth.MIN_RESOLUTION
        options = {"use_wscale": use_wscale, "dtype": self.dtype_policy}
        self.from_rgb = EqualizedConv2D(filters, 1, gain=gain, name="from_rgb", **options)
        if self.is_last:
            self.conv = EqualizedConv2D(filters, 3, gain=gain, name="conv", **options)
            self.dense0 = EqualizedDense(filters_out, gain=gain, name="dense0", **options)
            self.dense1 = EqualizedDense(num_outputs, gain=1.0, name="dense1", **options)
        else:
            self.conv0 = EqualizedConv2D(filters, 3, gain=gain, name="conv0", **options)
            self.conv1_down = EqualizedConv2D(filters_out, 3, gain=gain, resampling="down", blur_filter=blur_filter,
                                              is_fused=is_fused, name="conv1_down", **options)  # fmt: skip

    def build(self, channels):
        """Creates the weights for images of so many colour channels."""
        side, filters = self.resolution, self.filters
        self.from_rgb.build((None, side, side, channels))
        if self.is_last:
            extra = self.mbstd_num_features if self.mbstd_group_size > 1 else 0
            self.conv.build((None, side, side, filters + extra))
            self.dense0.build((None, side, side, filters))
            self.dense1.build((None, self.filters_out))
        else:
            self.conv0.build((None, side, side, filters))
            self.conv1_down.build((None, side, side, filters))

    def embed(self, images):
        """Images [N, R, R, channels] to features [N, R, R, filters]: FromRGB."""
        return self.activation(self.from_rgb(tf.cast(images, self.compute_dtype)))

    def call(self, x):
        """Features [N, R, R, filters] to [N, R/2, R/2, filters_out], or at 4x4 to scores [N, num_outputs]."""
        if not self.is_last:
            return self.activation(self.conv1_down(self.activation(self.conv0(x))))
        x = minibatch_stddev(x, self.mbstd_group_size, self.mbstd_num_features)
        return self.dense1(self.activation(self.dense0(self.activation(self.conv(x)))))

    def get_config(self):
        names = ("resolution", "filters", "filters_out", "num_outputs", "nonlinearity", "use_wscale", "blur_filter", "is_fused",
                 "mbstd_group_size", "mbstd_num_features")  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("stylegan_tf")
class Discriminator(keras.Model):
    """Judges images [N, R, R, channels] in [-1, 1]: logits [N, 1].

    Args:
        resolution, channels: of the images at full size.
        label_size: width of the labels, 0 for an unconditional network; with labels, the logit is the dot product of
            label_size outputs with the label.
        fmap_base, fmap_decay, fmap_max: feature maps at stage s are min(fmap_base / 2^(s * fmap_decay), fmap_max).
        nonlinearity: "lrelu" or "relu".
        use_wscale: equalised learning rate.
        mbstd_group_size, mbstd_num_features: of the minibatch statistics at 4x4; a group of 0 or 1 turns them off.
        blur_filter: taps of the blur before downscaling, or None.
        fused_scale: True, False or "auto" (where it is faster); speed alone.

    Source: Karras et al. 2018 with the changes of Karras et al. 2019, section 2.
    """

    def __init__(self, *, resolution=1024, channels=3, label_size=0, fmap_base=8192, fmap_decay=1.0, fmap_max=512, nonlinearity="lrelu",
                 use_wscale=True, mbstd_group_size=4, mbstd_num_features=1, blur_filter=(1, 2, 1), fused_scale="auto",
                 **kwargs):  # fmt: skip
        super().__init__(autocast=False, **kwargs)
        self.resolution = growth.check_resolution(resolution)
        self.channels = channels
        self.label_size = label_size
        self.fmap_base = fmap_base
        self.fmap_decay = fmap_decay
        self.fmap_max = fmap_max
        self.nonlinearity = nonlinearity
        self.use_wscale = use_wscale
        self.mbstd_group_size = mbstd_group_size
        self.mbstd_num_features = mbstd_num_features
        self.blur_filter = tuple(blur_filter) if blur_filter else None
        self.fused_scale = fused_scale
        self.blocks = [self._make_block(2**exponent) for exponent in range(growth.log2(resolution), 1, -1)]  # full size first
        self.build()

    def _make_block(self, side):
        stage = growth.log2(side) - 1
        filters, filters_out = (
            growth.num_features(s, fmap_base=self.fmap_base, fmap_decay=self.fmap_decay, fmap_max=self.fmap_max) for s in (stage, stage - 1)
        )
        return DiscriminatorBlock(
            side, filters, filters_out, num_outputs=max(self.label_size, 1), nonlinearity=self.nonlinearity, use_wscale=self.use_wscale,
            blur_filter=self.blur_filter, is_fused=is_fused_at(side, self.fused_scale, FUSED_FROM_RESOLUTION),
            mbstd_group_size=self.mbstd_group_size, mbstd_num_features=self.mbstd_num_features, dtype=self.dtype_policy,
            name=f"{side}x{side}",
        )  # fmt: skip

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the options."""
        for block in self.blocks:
            block.build(self.channels)

    def call(self, images, labels=None, lod=0.0):
        """Judges images at a level of detail; only the layers in use are run.

        Args:
            images: [N, R, R, channels], R = resolution / 2^floor(lod).
            labels: [N, label_size], None for an unconditional network.
            lod: a float, 0 for the full resolution, or a `Lod`.

        Returns:
            float32 logits [N, 1].

        Raises:
            ValueError: images of another size or number of channels, missing labels, or a lod beyond 4x4.
        """
        floor, fade = growth.split_lod(lod)
        if floor >= len(self.blocks) or (fade is not None and floor + 1 >= len(self.blocks)):
            raise ValueError(f"lod of a {self.resolution}x{self.resolution} network ends at {len(self.blocks) - 1}. Received: {lod}")
        side = self.resolution >> floor
        if tuple(images.shape[1:]) != (side, side, self.channels):
            raise ValueError(f"Expected images [N, {side}, {side}, {self.channels}] at lod {lod}. Received: {list(images.shape)}")
        x = self.blocks[floor](self.blocks[floor].embed(images))
        if fade is not None:
            old = self.blocks[floor + 1].embed(downscale2d(images))
            x += (old - x) * tf.cast(fade, x.dtype)
        for block in self.blocks[floor + 1 :]:
            x = block(x)
        scores = tf.cast(x, tf.float32)
        if not self.label_size:
            return scores
        if labels is None:
            raise ValueError(f"This network is conditional: labels [N, {self.label_size}] are needed. Received: labels=None")
        return tf.reduce_sum(scores * tf.cast(labels, tf.float32), axis=1, keepdims=True)

    def get_config(self):
        """Arguments of the constructor."""
        names = ("resolution", "channels", "label_size", "fmap_base", "fmap_decay", "fmap_max", "nonlinearity", "use_wscale",
                 "mbstd_group_size", "mbstd_num_features", "blur_filter", "fused_scale")  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
