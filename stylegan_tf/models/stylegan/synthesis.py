"""The synthesis network: maps a w for every layer to an image, at any level of detail."""

import keras
import tensorflow as tf

from stylegan_tf import resolution as growth
from stylegan_tf.layers.epilogue import StyledConstant, StyledConv, StyledDense
from stylegan_tf.layers.noise import noise_of_layers
from stylegan_tf.layers.resample import upscale2d
from stylegan_tf.layers.scaled import EqualizedConv2D
from stylegan_tf.models.inputs import check_latents
from stylegan_tf.models.stylegan.settings import DiscriminatorSettings, GeneratorSettings

# From this output resolution on, upscaling and convolution run as one operation where `fused_scale` is "auto".
# docs/experiments.md has the measurement.
FUSED_FROM_RESOLUTION = 8


# Settings of the generator that every layer of the synthesis network shares.
EPILOGUE_OPTIONS = ("use_styles", "use_noise", "nonlinearity", "use_pixel_norm", "use_instance_norm", "use_wscale")


def num_features(settings: GeneratorSettings | DiscriminatorSettings, side: int) -> int:
    """Feature maps at a resolution."""
    return growth.num_features(
        growth.log2(side) - 1, fmap_base=settings.fmap_base, fmap_decay=settings.fmap_decay, fmap_max=settings.fmap_max
    )


def is_fused_at(resolution: int, fused_scale: "bool | str", auto_from: int) -> bool:
    """Whether the convolution at `resolution` is fused with its change of resolution."""
    return resolution >= auto_from if fused_scale == "auto" else bool(fused_scale)


class SynthesisBlock(keras.layers.Layer):
    """Both layers of one resolution, and its ToRGB."""

    def __init__(self, settings: GeneratorSettings, *, side: int, channels: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.side = side
        self.filters = filters = num_features(settings, side)
        options = {name: getattr(settings, name) for name in EPILOGUE_OPTIONS} | {"dtype": self.dtype_policy}
        if side == growth.MIN_RESOLUTION:
            first, name = (StyledConstant, "const") if settings.const_input else (StyledDense, "dense")
            self.layer0 = first(filters, name=name, **options)
            self.layer1 = StyledConv(filters, name="conv", **options)
        else:
            up = {"resampling": "up", "blur_filter": settings.blur_filter}
            is_fused = is_fused_at(side, settings.fused_scale, FUSED_FROM_RESOLUTION)
            self.layer0 = StyledConv(filters, **up, is_fused=is_fused, name="conv0_up", **options)
            self.layer1 = StyledConv(filters, name="conv1", **options)
        self.to_rgb = EqualizedConv2D(channels, 1, gain=1.0, use_wscale=settings.use_wscale, dtype=self.dtype_policy, name="to_rgb")

    def build(self, x_shape, w_shape):
        """Creates the weights. `x_shape` is the shape of the block below, or None at 4x4."""
        if x_shape is None:
            self.layer0.build(w_shape)
        else:
            self.layer0.build(x_shape, w_shape)
        features = (None, self.side, self.side, self.filters)
        self.layer1.build(features, w_shape)
        self.to_rgb.build(features)

    def call(self, x, w0, w1, noise0=None, noise1=None):
        """Features of the block below [N, R/2, R/2, C'] (None at 4x4) to features [N, R, R, C]."""
        x = self.layer0(w0, noise0) if x is None else self.layer0(x, w0, noise0)
        return self.layer1(x, w1, noise1)


class SynthesisNetwork(keras.Model):
    """Generates images [N, R, R, channels] from ws [N, num_ws, w_dim].

    Args:
        resolution: side of the full image, 4 to 1024.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA).

    Source: Karras et al. 2019, figure 1 and table 1 (configurations B to F are settings).
    """

    def __init__(self, settings: GeneratorSettings, *, resolution: int, channels: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.settings = settings
        self.resolution = resolution
        self.num_layers = growth.num_layers(resolution)
        self.num_ws = settings.num_ws(resolution)
        sides = [2**exponent for exponent in range(2, growth.log2(resolution) + 1)]
        options = {"channels": channels, "dtype": self.dtype_policy}
        self.blocks = [SynthesisBlock(settings, side=side, name=f"{side}x{side}", **options) for side in sides]

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the options."""
        x_shape = None
        for block in self.blocks:
            block.build(x_shape, (None, self.settings.w_dim))
            x_shape = (None, block.side, block.side, block.filters)
        self.noise_maps = []
        if self.settings.use_noise:
            for layer in range(self.num_layers):
                side = 2 ** (layer // 2 + 2)
                # Drawn once and kept for noise_mode="const"; not trained.
                variable = self.add_weight(name=f"noise{layer}", shape=(side, side), trainable=False,
                                           initializer=keras.initializers.RandomNormal(stddev=1.0))  # fmt: skip
                self.noise_maps.append(variable)

    def style_layers(self):
        """See `StyleGenerator.style_layers`."""
        layers = [layer for block in self.blocks for layer in (block.layer0, block.layer1)]
        return [(index, layer.style) for index, layer in enumerate(layers)] if self.settings.use_styles else []

    def call(self, ws, noise_mode="random", lod=0.0, noise_seed=None):
        """Generates images at a level of detail; only the layers in use are run.

        Args:
            ws: [N, num_ws, w_dim].
            noise_mode: "random" (new noise in every call), "const" (the stored maps, the same for all images) or "none".
            lod: a float, 0 for the full resolution, or a `Lod`.
            noise_seed: seed of the random noise, which also depends on the level of detail: int32 [2], or [N, 2] with a seed for each
                image; None for TensorFlow's generator.

        Returns:
            float32 [N, R, R, channels], R = resolution / 2^floor(lod). Trained to lie in [-1, 1]; not clipped.

        Raises:
            ValueError: unknown noise mode, ws of another shape, or a lod beyond 4x4.
        """
        floor, fade = growth.split_lod(lod)
        num_blocks = len(self.blocks) - floor
        if num_blocks < 1 or (fade is not None and num_blocks < 2):
            raise ValueError(f"lod of a {self.resolution}x{self.resolution} network ends at {len(self.blocks) - 1}. Received: {lod}")
        check_latents(ws, (self.num_ws, self.settings.w_dim), "ws")
        ws = tf.unstack(tf.cast(ws, self.compute_dtype), num=self.num_ws, axis=1)
        ws = ws if self.settings.use_styles else ws * self.num_layers
        sides = [block.side for block in self.blocks[:num_blocks] for _ in range(2)]
        noise = noise_of_layers(self.noise_maps, sides, mode=noise_mode, batch=tf.shape(ws[0])[0], seed=noise_seed)
        x = below = None
        for index, block in enumerate(self.blocks[:num_blocks]):
            below = x
            layers = slice(2 * index, 2 * index + 2)
            x = block(x, *ws[layers], *noise[layers])
        images = tf.cast(self.blocks[num_blocks - 1].to_rgb(x), tf.float32)
        if fade is not None:
            old = upscale2d(tf.cast(self.blocks[num_blocks - 2].to_rgb(below), tf.float32))
            images += (old - images) * tf.cast(fade, tf.float32)
        return images
