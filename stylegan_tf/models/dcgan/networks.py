"""The networks of DCGAN: strided 4x4 convolutions with batch normalisation, without biases.

At 64x64 and 64 feature maps the generator is 100 > 512 (4x4) > 256 > 128 > 64 > 3 (64x64), the discriminator its mirror image.

Source: Radford et al. 2016, section 3; layers and initial weights of PyTorch's DCGAN tutorial.
"""

import keras
import tensorflow as tf

from stylegan_tf.layers.batch_norm import BatchNorm
from stylegan_tf.layers.convolution import conv2d_down, conv2d_up, matmul
from stylegan_tf.models.base import Generator, Network
from stylegan_tf.models.dcgan.settings import DiscriminatorSettings, GeneratorSettings
from stylegan_tf.resolution import check_lod_is_zero

STDDEV = 0.02  # of fresh weights, and of the gains of batch normalisation around 1


def num_features(fmaps: int, side: int, resolution: int) -> int:
    """Feature maps at a side: `fmaps` at half of the resolution, twice as many at each smaller one."""
    return fmaps * resolution // (2 * side)


class Convolution(keras.layers.Layer):
    """A 4x4 convolution without bias, with batch normalisation where asked for.

    Args:
        kind: "first" (transposed, 1x1 to 4x4), "up" (transposed, stride 2), "down" (stride 2) or "last" (4x4 to 1x1).
        filters: feature maps out.
        norm: (keep, epsilon) of batch normalisation, or None.
    """

    def __init__(self, kind, filters, norm=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.kind = kind
        self.filters = filters
        self.norm = BatchNorm(*norm, gain_stddev=STDDEV, dtype=self.dtype_policy, name="norm") if norm else None

    def build(self, channels):
        """Creates the weights for so many feature maps in: kernels [4, 4, in, out], or [4, 4, out, in] of transposed ones."""
        pair = (self.filters, channels) if self.kind in ("first", "up") else (channels, self.filters)
        self.kernel = self.add_weight(name="kernel", shape=(4, 4, *pair), initializer=keras.initializers.RandomNormal(0.0, STDDEV))
        if self.norm:
            self.norm.build((None, None, None, self.filters))

    def call(self, x, training=False):
        """[N, H, W, in] to [N, H', W', filters]; "first" takes [N, in], "last" gives [N, filters]."""
        kernel, x = tf.cast(self.kernel, self.compute_dtype), tf.cast(x, self.compute_dtype)
        if self.kind == "first":
            columns = tf.reshape(kernel, [16 * self.filters, -1])
            x = tf.reshape(matmul(x, tf.transpose(columns)), [-1, 4, 4, self.filters])
        elif self.kind == "last":
            x = matmul(tf.reshape(x, [-1, 16 * x.shape[-1]]), tf.reshape(kernel, [-1, self.filters]))
        else:
            x = conv2d_up(x, kernel) if self.kind == "up" else conv2d_down(x, kernel)
        return self.norm(x, training=training) if self.norm else x


@keras.saving.register_keras_serializable("stylegan_tf.dcgan", "Generator")
class DCGANGenerator(Generator):
    """Generates images [N, R, R, channels] in (-1, 1) from z [N, z_dim]. Arguments: see `Network`."""

    settings_type = GeneratorSettings

    def __init__(self, settings: GeneratorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        settings, resolution = self.settings, self.resolution
        self.z_dim = settings.z_dim
        norm, options = (settings.keep, settings.epsilon), {"dtype": self.dtype_policy}
        self.first = Convolution("first", num_features(settings.fmaps, 4, resolution), norm, name="4x4", **options)
        sides = [2**exponent for exponent in range(3, resolution.bit_length() - 1)]
        self.ups = [
            Convolution("up", num_features(settings.fmaps, side, resolution), norm, name=f"{side}x{side}", **options) for side in sides
        ]
        self.last = Convolution("up", self.channels, name=f"{resolution}x{resolution}", **options)
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the settings."""
        width = self.z_dim
        for layer in (self.first, *self.ups, self.last):
            layer.build(width)
            width = layer.filters

    def call(self, z, labels=None, training=False):
        """z [N, z_dim] to float32 images [N, R, R, channels] in (-1, 1)."""
        x = tf.nn.relu(self.first(z, training=training))
        for layer in self.ups:
            x = tf.nn.relu(layer(x, training=training))
        return tf.tanh(tf.cast(self.last(x), tf.float32))

    def sample(self, z, labels=None, *, lod=0.0, training=False, noise_seed=None):
        check_lod_is_zero(lod)
        return self(z, training=training)


@keras.saving.register_keras_serializable("stylegan_tf.dcgan", "Discriminator")
class DCGANDiscriminator(Network):
    """Classifies images [N, R, R, channels] as real or generated: logits [N, 1]. Arguments: see `Network`."""

    settings_type = DiscriminatorSettings

    def __init__(self, settings: DiscriminatorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        settings, resolution = self.settings, self.resolution
        norm, options = (settings.keep, settings.epsilon), {"dtype": self.dtype_policy}
        sides = [2**exponent for exponent in range(resolution.bit_length() - 2, 1, -1)]
        self.downs = [
            Convolution(
                "down",
                num_features(settings.fmaps, side, resolution),
                norm if side < sides[0] else None,  # no normalisation in the layer that sees the image
                name=f"{side}x{side}",
                **options,
            )
            for side in sides
        ]
        self.last = Convolution("last", 1, name="1x1", **options)
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the settings."""
        width = self.channels
        for layer in (*self.downs, self.last):
            layer.build(width)
            width = layer.filters

    def call(self, images, labels=None, lod=0.0, training=False):
        """Classifies images.

        Args:
            images: [N, R, R, channels] of the full resolution.
            labels: not used.
            lod: 0.
            training: statistics of the batch instead of their moving averages.

        Returns:
            float32 logits [N, 1].

        Raises:
            ValueError: images of another size or number of channels, or a lod other than 0.
        """
        check_lod_is_zero(lod)
        if tuple(images.shape[1:]) != (self.resolution, self.resolution, self.channels):
            expected = [self.resolution, self.resolution, self.channels]
            raise ValueError(f"Expected images [N, {', '.join(map(str, expected))}]. Received: {list(images.shape)}")
        x = images
        for layer in self.downs:
            x = tf.nn.leaky_relu(layer(x, training=training), self.settings.slope)
        return tf.cast(self.last(x), tf.float32)
