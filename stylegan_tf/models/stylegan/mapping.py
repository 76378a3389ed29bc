"""The mapping network: maps latents z and labels to intermediate latents w."""

import keras
import tensorflow as tf

from stylegan_tf.layers.activations import nonlinearity as find_nonlinearity
from stylegan_tf.layers.normalization import pixel_norm
from stylegan_tf.layers.scaled import EqualizedDense
from stylegan_tf.models.inputs import check_labels, check_latents
from stylegan_tf.models.stylegan.settings import GeneratorSettings


class MappingNetwork(keras.Model):
    """Maps z [N, z_dim] and labels [N, label_size] to ws [N, num_ws, w_dim], the same w for every layer.

    Args:
        label_size: width of the labels, 0 without labels.
        num_ws: number of layers with a style.

    Raises:
        ValueError: no layers, and z_dim differs from w_dim or there are labels (without layers, w is z).

    Source: Karras et al. 2019, section 2; labels as in the original release.
    """

    def __init__(self, settings: GeneratorSettings, *, label_size: int, num_ws: int, **kwargs):
        super().__init__(autocast=False, **kwargs)
        num_layers, z_dim, w_dim = settings.mapping_layers, settings.z_dim, settings.w_dim
        if num_layers == 0 and (z_dim != w_dim or label_size):
            raise ValueError(
                f"A mapping network without layers needs z_dim == w_dim and no labels. "
                f"Received: z_dim={z_dim}, w_dim={w_dim}, label_size={label_size}"
            )
        self.settings = settings
        self.label_size = label_size
        self.num_ws = num_ws
        self.activation, gain = find_nonlinearity(settings.mapping_nonlinearity)
        options = {"gain": gain, "lrmul": settings.mapping_lrmul, "use_wscale": settings.use_wscale, "dtype": self.dtype_policy}
        widths = [settings.mapping_fmaps] * (num_layers - 1) + [w_dim]
        self.dense_layers = [EqualizedDense(widths[index], name=f"dense{index}", **options) for index in range(num_layers)]

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the options."""
        if self.label_size:
            # Not equalised: the original draws it from N(0, 1) and uses it as it is.
            self.label_embedding = self.add_weight(
                name="label_embedding", shape=(self.label_size, self.settings.z_dim),
                initializer=keras.initializers.RandomNormal(stddev=1.0),
            )  # fmt: skip
        width = self.settings.z_dim * (2 if self.label_size else 1)
        for layer in self.dense_layers:
            layer.build((None, width))
            width = layer.units

    def call(self, z, labels=None):
        """z [N, z_dim] and labels [N, label_size] to ws [N, num_ws, w_dim] in float32."""
        return tf.tile(self.map_once(z, labels)[:, None], [1, self.num_ws, 1])

    def map_once(self, z, labels=None):
        """z [N, z_dim] and labels [N, label_size] to w [N, w_dim] in float32, before the copies for the layers."""
        check_latents(z, (self.settings.z_dim,))
        check_labels(labels, self.label_size)
        x = tf.cast(z, tf.float32)
        if self.label_size:
            embedded = tf.matmul(tf.cast(labels, tf.float32), tf.cast(self.label_embedding, tf.float32))
            x = tf.concat([x, embedded], axis=1)
        if self.settings.normalize_latents:
            x = pixel_norm(x)
        for layer in self.dense_layers:
            x = self.activation(layer(tf.cast(x, self.compute_dtype)))
        return tf.cast(x, tf.float32)
