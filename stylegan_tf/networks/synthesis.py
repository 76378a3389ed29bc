"""The synthesis network: a style for every layer to an image, at any level of detail."""

import functools

import keras
import tensorflow as tf

from stylegan_tf import resolution as growth
from stylegan_tf.layers.epilogue import StyledConstant, StyledConv, StyledDense
from stylegan_tf.layers.resample import upscale2d
from stylegan_tf.layers.scaled import EqualizedConv2D

NOISE_MODES = ("random", "const", "none")

# From this output resolution on, upscaling and convolution run as one operation where `fused_scale` is "auto".
# docs/performance.md has the measurement.
FUSED_FROM_RESOLUTION = 8


def is_fused_at(resolution: int, fused_scale: "bool | str", auto_from: int) -> bool:
    """Whether the convolution that works at `resolution` is fused with its change of resolution."""
    return resolution >= auto_from if fused_scale == "auto" else bool(fused_scale)


@keras.saving.register_keras_serializable("stylegan_tf")
class SynthesisBlock(keras.layers.Layer):
    """Both layers of one resolution, and its ToRGB.

    Args:
        resolution: side of the output.
        filters: feature maps.
        channels: colour channels of ToRGB.
        const_input: at 4x4, a learned constant instead of a dense layer from w.
        blur_filter, is_fused: of the upscaling convolution, see `EqualizedConv2D`.
        epilogue: options shared with `EpilogueLayer`.
    """

    def __init__(self, resolution, filters, channels, *, const_input=True, blur_filter=None, is_fused=False, epilogue=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.resolution = resolution
        self.filters = filters
        self.channels = channels
        self.const_input = const_input
        self.blur_filter = blur_filter
        self.is_fused = is_fused
        self.epilogue = dict(epilogue or {})
        options = {**self.epilogue, "dtype": self.dtype_policy}
        if resolution == growth.MIN_RESOLUTION:
            self.layer0 = StyledConstant(filters, name="const", **options) if const_input else StyledDense(filters, name="dense", **options)
            self.layer1 = StyledConv(filters, name="conv", **options)
        else:
            self.layer0 = StyledConv(filters, resampling="up", blur_filter=blur_filter, is_fused=is_fused, name="conv0_up", **options)
            self.layer1 = StyledConv(filters, name="conv1", **options)
        self.to_rgb = EqualizedConv2D(channels, 1, gain=1.0, use_wscale=self.layer1.use_wscale, dtype=self.dtype_policy, name="to_rgb")

    def build(self, x_shape, w_shape):
        """Creates the weights. `x_shape` is the shape of the block below, or None at 4x4."""
        if x_shape is None:
            self.layer0.build(w_shape)
        else:
            self.layer0.build(x_shape, w_shape)
        features = (None, self.resolution, self.resolution, self.filters)
        self.layer1.build(features, w_shape)
        self.to_rgb.build(features)

    def call(self, x, w0, w1, noise0=None, noise1=None):
        """Features of the block below [N, R/2, R/2, C'] (None at 4x4) to features [N, R, R, C]."""
        x = self.layer0(w0, noise0) if x is None else self.layer0(x, w0, noise0)
        return self.layer1(x, w1, noise1)

    def get_config(self):
        options = {"resolution": self.resolution, "filters": self.filters, "channels": self.channels, "const_input": self.const_input}
        return {**super().get_config(), **options, "blur_filter": self.blur_filter, "is_fused": self.is_fused, "epilogue": self.epilogue}


@keras.saving.register_keras_serializable("stylegan_tf")
class SynthesisNetwork(keras.Model):
    """Draws images [N, R, R, channels] in [-1, 1] from ws [N, num_ws, w_dim].

    Args:
        resolution: side of the full image, 4 to 1024.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        w_dim: width of w.
        fmap_base, fmap_decay, fmap_max: feature maps at stage s are min(fmap_base / 2^(s * fmap_decay), fmap_max).
        use_styles: without, one w feeds the input and no layer is modulated.
        const_input: a learned constant instead of a dense layer from w at 4x4.
        use_noise, use_pixel_norm, use_instance_norm, nonlinearity, use_wscale: as in `EpilogueLayer`.
        blur_filter: taps of the blur after upscaling, or None.
        fused_scale: True, False or "auto" (where it is faster); speed alone.

    Source: Karras et al. 2019, figure 1 and table 1 (configurations B to F are options).
    """

    def __init__(self, *, resolution=1024, channels=3, w_dim=512, fmap_base=8192, fmap_decay=1.0, fmap_max=512, use_styles=True,
                 const_input=True, use_noise=True, nonlinearity="lrelu", use_pixel_norm=False, use_instance_norm=True,
                 use_wscale=True, blur_filter=(1, 2, 1), fused_scale="auto", **kwargs):  # fmt: skip
        super().__init__(autocast=False, **kwargs)
        self.resolution = growth.check_resolution(resolution)
        self.channels = channels
        self.w_dim = w_dim
        self.fmap_base = fmap_base
        self.fmap_decay = fmap_decay
        self.fmap_max = fmap_max
        self.use_styles = use_styles
        self.const_input = const_input
        self.use_noise = use_noise
        self.nonlinearity = nonlinearity
        self.use_pixel_norm = use_pixel_norm
        self.use_instance_norm = use_instance_norm
        self.use_wscale = use_wscale
        self.blur_filter = tuple(blur_filter) if blur_filter else None
        self.fused_scale = fused_scale
        self.num_layers = growth.num_layers(resolution)
        self.num_ws = self.num_layers if use_styles else 1
        self.blocks = [self._make_block(2**exponent) for exponent in range(2, growth.log2(resolution) + 1)]

    def _make_block(self, side):
        filters = growth.num_features(growth.log2(side) - 1, fmap_base=self.fmap_base, fmap_decay=self.fmap_decay, fmap_max=self.fmap_max)
        epilogue = {name: getattr(self, name) for name in ("use_styles", "use_noise", "nonlinearity", "use_pixel_norm",
                                                           "use_instance_norm", "use_wscale")}  # fmt: skip
        return SynthesisBlock(side, filters, self.channels, const_input=self.const_input, blur_filter=self.blur_filter,
                              is_fused=is_fused_at(side, self.fused_scale, FUSED_FROM_RESOLUTION), epilogue=epilogue,
                              dtype=self.dtype_policy, name=f"{side}x{side}")  # fmt: skip

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the options."""
        x_shape = None
        for block in self.blocks:
            block.build(x_shape, (None, self.w_dim))
            x_shape = (None, block.resolution, block.resolution, block.filters)
        self.noise_maps = []
        if self.use_noise:
            for layer in range(self.num_layers):
                side = 2 ** (layer // 2 + 2)
                # Drawn once and kept for noise_mode="const"; not trained.
                variable = self.add_weight(name=f"noise{layer}", shape=(side, side), trainable=False,
                                           initializer=keras.initializers.RandomNormal(stddev=1.0))  # fmt: skip
                self.noise_maps.append(variable)

    def call(self, ws, noise_mode="random", lod=0.0, noise_seed=None):
        """Draws images at a level of detail; only the layers in use are run.

        Args:
            ws: [N, num_ws, w_dim].
            noise_mode: "random" (drawn anew), "const" (the kept maps, shared by the batch) or "none".
            lod: a float, 0 for the full resolution, or a `Lod`.
            noise_seed: int32 [2] that random noise is a function of, with the level of detail; None draws from TensorFlow's generator.

        Returns:
            float32 [N, R, R, channels], R = resolution / 2^floor(lod).

        Raises:
            ValueError: unknown noise mode, or a lod beyond 4x4.
        """
        if noise_mode not in NOISE_MODES:
            raise ValueError(f"noise_mode must be one of {', '.join(NOISE_MODES)}. Received: {noise_mode!r}")
        floor, fade = growth.split_lod(lod)
        num_blocks = len(self.blocks) - floor
        if num_blocks < 1 or (fade is not None and num_blocks < 2):
            raise ValueError(f"lod of a {self.resolution}x{self.resolution} network ends at {len(self.blocks) - 1}. Received: {lod}")
        ws = tf.unstack(tf.cast(ws, self.compute_dtype), num=self.num_ws, axis=1)
        ws = ws if self.use_styles else ws * self.num_layers
        noise = self._noise(2 * num_blocks, tf.shape(ws[0])[0], noise_mode, noise_seed)
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

    def _noise(self, num_layers, batch, noise_mode, noise_seed):
        """Noise of the first layers, each [N or 1, H, W, 1] or None."""
        if not self.use_noise or noise_mode == "none":
            return [None] * num_layers
        if noise_mode == "const":
            return [tf.convert_to_tensor(noise_map)[None, :, :, None] for noise_map in self.noise_maps[:num_layers]]
        sides = [2 ** (layer // 2 + 2) for layer in range(num_layers)]
        sizes = [side**2 for side in sides]
        # All at once: a seed and a draw of its own would be 17 operations a layer.
        draw = tf.random.normal if noise_seed is None else functools.partial(tf.random.stateless_normal, seed=noise_seed)
        pixels = tf.split(draw([batch, sum(sizes)]), sizes, axis=1)
        return [tf.reshape(values, [-1, side, side, 1]) for values, side in zip(pixels, sides, strict=True)]

    def get_config(self):
        """Arguments of the constructor."""
        names = ("resolution", "channels", "w_dim", "fmap_base", "fmap_decay", "fmap_max", "use_styles", "const_input", "use_noise",
                 "nonlinearity", "use_pixel_norm", "use_instance_norm", "use_wscale", "blur_filter", "fused_scale")  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
