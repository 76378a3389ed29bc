"""The synthesis network: maps a w for every layer to an image; the image is a sum over all resolutions ("skip" generator)."""

import keras
import tensorflow as tf

from stylegan_tf import resolution as growth
from stylegan_tf.layers.activations import leaky_relu
from stylegan_tf.layers.fir import upsample2d
from stylegan_tf.layers.modulated import ModulatedConv2D
from stylegan_tf.layers.noise import noise_of_layers
from stylegan_tf.models.inputs import check_latents
from stylegan_tf.models.stylegan2.mapping import GAIN
from stylegan_tf.models.stylegan2.settings import GeneratorSettings, is_half, num_features


def clamped(x: tf.Tensor, limit: float | None) -> tf.Tensor:
    """Activations within [-limit, limit]: what float16 holds with room for sums. None for no limit."""
    return x if limit is None else tf.clip_by_value(x, tf.cast(-limit, x.dtype), tf.cast(limit, x.dtype))


class SynthesisBlock(keras.layers.Layer):
    """The layers of one resolution: the constant and one convolution at 4x4, two convolutions above, and ToRGB."""

    def __init__(self, settings: GeneratorSettings, *, side: int, channels: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.settings, self.side = settings, side
        self.filters = filters = num_features(settings, side)
        options = {"dtype": self.dtype_policy}
        if side == growth.MIN_RESOLUTION:
            self.convs = [ModulatedConv2D(filters, filters, name="conv", **options)]
        else:
            below = num_features(settings, side // 2)
            self.convs = [
                ModulatedConv2D(below, filters, upsampling_taps=settings.resample_filter, name="conv0_up", **options),
                ModulatedConv2D(filters, filters, name="conv1", **options),
            ]
        self.to_rgb = ModulatedConv2D(filters, channels, kernel_size=1, demodulate=False, use_noise=False, name="to_rgb", **options)

    def build(self, w_shape):
        """Creates the weights for w of shape [N, w_dim]."""
        if self.side == growth.MIN_RESOLUTION:
            initializer = keras.initializers.RandomNormal(stddev=1.0)
            self.const = self.add_weight(name="const", shape=(4, 4, self.filters), initializer=initializer)
        for layer in (*self.convs, self.to_rgb):
            layer.build(w_shape)

    def call(self, x, images, ws, noise):
        """Features and image of the block below to those of this one.

        Args:
            x: [N, R/2, R/2, C'], None at 4x4.
            images: float32 [N, R/2, R/2, channels], None at 4x4.
            ws: a [N, w_dim] for each convolution, and one for ToRGB.
            noise: [N or 1, R, R, 1] or None for each convolution.
        """
        if x is None:
            x = tf.tile(tf.cast(self.const, self.compute_dtype)[None], [tf.shape(ws[0])[0], 1, 1, 1])
        for layer, w, noise_map in zip(self.convs, ws, noise, strict=False):
            x = clamped(leaky_relu(layer(x, w, noise_map)) * GAIN, self.settings.clamp)
        rgb = tf.cast(clamped(self.to_rgb(x, ws[-1]), self.settings.clamp), tf.float32)
        return x, rgb if images is None else upsample2d(images, self.settings.resample_filter) + rgb


class SynthesisNetwork(keras.Model):
    """Generates images [N, R, R, channels] from ws [N, num_ws, w_dim].

    ToRGB of a resolution takes the same w as the first convolution of the next one.

    Args:
        resolution: side of the image, 4 to 1024.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA).

    Source: Karras et al. 2020, figures 2 and 7.
    """

    def __init__(self, settings: GeneratorSettings, *, resolution: int, channels: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.settings, self.resolution = settings, resolution
        self.num_ws = settings.num_ws(resolution)
        sides = [2**exponent for exponent in range(2, growth.log2(resolution) + 1)]
        self.noise_sides = [side for side in sides for _ in range(1 if side == growth.MIN_RESOLUTION else 2)]
        self.blocks = [
            SynthesisBlock(settings, side=side, channels=channels, name=f"{side}x{side}",
                           dtype=self.dtype_policy if is_half(settings, side, resolution) else "float32")
            for side in sides
        ]  # fmt: skip

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the options."""
        for block in self.blocks:
            block.build((None, self.settings.w_dim))
        # Drawn once and kept for noise_mode="const"; not trained.
        normal = keras.initializers.RandomNormal(stddev=1.0)
        self.noise_maps = [
            self.add_weight(name=f"noise{layer}", shape=(side, side), trainable=False, initializer=normal, autocast=False)
            for layer, side in enumerate(self.noise_sides)
        ]

    def style_layers(self):
        """See `StyleGenerator.style_layers`; ToRGB has styles of its own."""
        found = []
        for block in self.blocks:
            first = found[-1][0] if found else 0  # ToRGB below and the first convolution share a w
            found += [(first + offset, layer.style) for offset, layer in enumerate((*block.convs, block.to_rgb))]
        return found

    def call(self, ws, noise_mode="random", lod=0.0, noise_seed=None):
        """Generates images.

        Args:
            ws: [N, num_ws, w_dim].
            noise_mode: "random" (new noise in every call), "const" (the stored maps, the same for all images) or "none".
            lod: 0; the network does not grow.
            noise_seed: seed of the random noise: int32 [2], or [N, 2] with a seed for each image; None for TensorFlow's generator.

        Returns:
            float32 [N, R, R, channels]. Trained to lie in [-1, 1]; not clipped.

        Raises:
            ValueError: unknown noise mode, ws of another shape, or a lod other than 0.
        """
        growth.check_lod_is_zero(lod)
        check_latents(ws, (self.num_ws, self.settings.w_dim), "ws")
        ws = tf.unstack(tf.cast(ws, tf.float32), num=self.num_ws, axis=1)
        noise = noise_of_layers(self.noise_maps, self.noise_sides, mode=noise_mode, batch=tf.shape(ws[0])[0], seed=noise_seed)
        x = images = None
        first = 0
        for block in self.blocks:
            count = len(block.convs)
            x, images = block(x, images, ws[first : first + count + 1], noise[first : first + count])
            first += count
        return images
