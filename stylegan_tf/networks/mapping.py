"""The mapping network: latents z (and labels) to intermediate latents w."""

import keras
import tensorflow as tf

from stylegan_tf.layers.activations import nonlinearity as find_nonlinearity
from stylegan_tf.layers.normalization import pixel_norm
from stylegan_tf.layers.scaled import EqualizedDense


@keras.saving.register_keras_serializable("stylegan_tf")
class MappingNetwork(keras.Model):
    """Maps z [N, z_dim] and labels [N, label_size] to ws [N, num_ws, w_dim], the same w for every layer.

    Args:
        z_dim, w_dim: widths of z and w.
        label_size: width of the labels, 0 for none.
        num_ws: layers that take a style.
        num_layers: dense layers, 0 to 16; 0 needs z_dim == w_dim and no labels.
        fmaps: width of the layers between.
        lrmul: learning-rate multiplier of the layers.
        nonlinearity: "lrelu" or "relu".
        normalize_latents: pixel norm of z (with the embedded label beside it) before the first layer.
        use_wscale: equalised learning rate.

    Source: Karras et al. 2019, section 2; labels as in the original release.
    """

    def __init__(self, *, z_dim=512, w_dim=512, label_size=0, num_ws=18, num_layers=8, fmaps=512, lrmul=0.01,
                 nonlinearity="lrelu", normalize_latents=True, use_wscale=True, **kwargs):  # fmt: skip
        super().__init__(autocast=False, **kwargs)
        if num_layers == 0 and (z_dim != w_dim or label_size):
            raise ValueError(
                f"A mapping network without layers needs z_dim == w_dim and no labels. "
                f"Received: z_dim={z_dim}, w_dim={w_dim}, label_size={label_size}"
            )
        self.z_dim = z_dim
        self.w_dim = w_dim
        self.label_size = label_size
        self.num_ws = num_ws
        self.num_layers = num_layers
        self.fmaps = fmaps
        self.lrmul = lrmul
        self.nonlinearity = nonlinearity
        self.normalize_latents = normalize_latents
        self.use_wscale = use_wscale
        self.activation, gain = find_nonlinearity(nonlinearity)
        self.dense_layers = [
            EqualizedDense(w_dim if index == num_layers - 1 else fmaps, gain=gain, lrmul=lrmul, use_wscale=use_wscale,
                           dtype=self.dtype_policy, name=f"dense{index}")
            for index in range(num_layers)
        ]  # fmt: skip

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the options."""
        if self.label_size:
            # Not equalised: the original draws it from N(0, 1) and uses it as it is.
            self.label_embedding = self.add_weight(
                name="label_embedding", shape=(self.label_size, self.z_dim), initializer=keras.initializers.RandomNormal(stddev=1.0)
            )
        width = 2 * self.z_dim if self.label_size else self.z_dim
        for layer in self.dense_layers:
            layer.build((None, width))
            width = layer.units

    def call(self, z, labels=None):
        """z [N, z_dim] and labels [N, label_size] to ws [N, num_ws, w_dim] in float32."""
        return tf.tile(self.map_once(z, labels)[:, None], [1, self.num_ws, 1])

    def map_once(self, z, labels=None):
        """z [N, z_dim] and labels [N, label_size] to w [N, w_dim] in float32, before the copies for the layers."""
        x = tf.cast(z, tf.float32)
        if self.label_size:
            if labels is None:
                raise ValueError(f"This network is conditional: labels [N, {self.label_size}] are needed. Received: labels=None")
            embedded = tf.matmul(tf.cast(labels, tf.float32), tf.cast(self.label_embedding, tf.float32))
            x = tf.concat([x, embedded], axis=1)
        if self.normalize_latents:
            x = pixel_norm(x)
        for layer in self.dense_layers:
            x = self.activation(layer(tf.cast(x, self.compute_dtype)))
        return tf.cast(x, tf.float32)

    def get_config(self):
        """Arguments of the constructor."""
        names = ("z_dim", "w_dim", "label_size", "num_ws", "num_layers", "fmaps", "lrmul", "nonlinearity", "normalize_latents",
                 "use_wscale")  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
