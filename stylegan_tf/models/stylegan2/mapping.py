"""The mapping network: latents z and labels to intermediate latents w; without z, the embedding of labels in the discriminator."""

import math

import keras
import tensorflow as tf

from stylegan_tf.layers.activations import leaky_relu
from stylegan_tf.layers.normalization import pixel_norm
from stylegan_tf.layers.scaled import EqualizedDense
from stylegan_tf.models.inputs import check_labels, check_latents

GAIN = math.sqrt(2)  # of a leaky ReLU, applied after it: biases are multiplied by it too


class MappingNetwork(keras.Model):
    """Maps z [N, z_dim] and labels [N, label_size] to ws [N, num_ws, w_dim] in float32, the same w for every layer.

    Args:
        z_dim: features of a latent, 0 for labels alone.
        label_size: width of the labels, 0 for none.
        w_dim: features of w, and of all layers in between.
        lrmul: learning rate of the dense layers relative to the rest.
        num_ws: layers that take a w.

    Source: Karras et al. 2019, section 2; labels as in the release of StyleGAN2-ADA.
    """

    def __init__(self, *, z_dim: int, label_size: int, w_dim: int, num_layers: int, lrmul: float, num_ws: int = 1, **kwargs):
        super().__init__(autocast=False, dtype="float32", **kwargs)
        self.z_dim, self.label_size, self.w_dim, self.num_ws = z_dim, label_size, w_dim, num_ws
        self.embed = EqualizedDense(w_dim, gain=1.0, dtype="float32", name="embed") if label_size else None
        self.dense_layers = [EqualizedDense(w_dim, gain=1.0, lrmul=lrmul, dtype="float32", name=f"dense{i}") for i in range(num_layers)]

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the options."""
        if self.embed:
            self.embed.build((None, self.label_size))
        width = self.z_dim + (self.w_dim if self.embed else 0)
        for layer in self.dense_layers:
            layer.build((None, width))
            width = self.w_dim

    def call(self, z, labels=None):
        """z [N, z_dim] and labels [N, label_size] to ws [N, num_ws, w_dim]."""
        return tf.tile(self.map_once(z, labels)[:, None], [1, self.num_ws, 1])

    def map_once(self, z, labels=None):
        """z [N, z_dim] (None where z_dim is 0) and labels [N, label_size] to w [N, w_dim], before the copies for the layers."""
        if z is not None:
            check_latents(z, (self.z_dim,))
        check_labels(labels, self.label_size)
        parts = [] if z is None else [pixel_norm(tf.cast(z, tf.float32))]
        if self.embed:
            parts.append(pixel_norm(self.embed(tf.cast(labels, tf.float32))))
        x = tf.concat(parts, axis=1)
        for layer in self.dense_layers:
            x = leaky_relu(layer(x)) * GAIN
        return x
