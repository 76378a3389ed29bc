"""The generator: mapping and synthesis, with the average of w, truncation and style mixing around them."""

import keras
import tensorflow as tf

from stylegan_tf.models.base import StyleGenerator
from stylegan_tf.models.stylegan.mapping import MappingNetwork
from stylegan_tf.models.stylegan.settings import GeneratorSettings
from stylegan_tf.models.stylegan.synthesis import SynthesisNetwork


@keras.saving.register_keras_serializable("stylegan_tf")
class Generator(StyleGenerator):
    """Generates images [N, R, R, channels] from z [N, z_dim] and, where conditional, labels [N, label_size].

    Arguments: see `Network`.

    Source: Karras et al. 2019.
    """

    settings_type = GeneratorSettings

    def __init__(self, settings: GeneratorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        settings = self.settings
        self.z_dim, self.w_dim = settings.z_dim, settings.w_dim
        options = {"resolution": self.resolution, "channels": self.channels, "dtype": self.dtype_policy}
        self.synthesis = SynthesisNetwork(settings, name="synthesis", **options)
        self.num_layers = self.synthesis.num_layers
        self.num_ws = self.synthesis.num_ws
        options = {"label_size": self.label_size, "num_ws": self.num_ws, "dtype": self.dtype_policy}
        self.mapping = MappingNetwork(settings, name="mapping", **options)
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the options."""
        self.w_avg = self.add_weight(name="w_avg", shape=(self.w_dim,), initializer="zeros", trainable=False)
        self.mapping.build()
        self.synthesis.build()

    def call(self, z, labels=None, truncation_psi="default", truncation_cutoff="default", noise_mode="random", lod=0.0):
        """Generates images.

        Args:
            z: [N, z_dim].
            labels: [N, label_size], None for an unconditional network.
            truncation_psi: 1 or None for no truncation, 0 for the average image; "default": the network's own.
            truncation_cutoff: layers that are truncated; None turns truncation off; "default": the network's own.
            noise_mode, lod: see `SynthesisNetwork.call`.

        Returns:
            float32 [N, R, R, channels], R = resolution / 2^floor(lod). Trained to lie in [-1, 1]; not clipped.
        """
        ws = self.truncate(self.mapping(z, labels), truncation_psi, truncation_cutoff)
        return self.synthesis(ws, noise_mode=noise_mode, lod=lod)

    def sample(self, z, labels=None, *, lod=0.0, training=False, noise_seed=None):
        return self.synthesis(self.mapping(z, labels), noise_mode="random", lod=lod, noise_seed=noise_seed)

    def preview(self, z, labels=None, *, lod=0.0):
        return self.synthesis(self.mapping(z, labels), noise_mode="const", lod=lod)

    def truncate(self, ws, psi="default", cutoff="default"):
        """Moves the first `cutoff` styles of ws [N, num_ws, w_dim] towards w_avg: w_avg + psi * (w - w_avg).

        Source: Karras et al. 2019, appendix B.
        """
        psi = self.settings.truncation_psi if isinstance(psi, str) else psi
        cutoff = self.settings.truncation_cutoff if isinstance(cutoff, str) else cutoff
        if psi is None or cutoff is None:
            return ws
        is_truncated = tf.range(self.num_ws) < cutoff
        psis = tf.where(is_truncated, tf.cast(psi, tf.float32), 1.0)[None, :, None]
        w_avg = tf.convert_to_tensor(self.w_avg)
        return w_avg + (ws - w_avg) * psis

    def mix_styles(self, w, w_mix, cutoff):
        """Styles for the layers: w [N, w_dim] below layer `cutoff`, w_mix [N, w_dim] from it on, as ws [N, num_ws, w_dim].

        Source: Karras et al. 2019, section 3.1.
        """
        is_first = (tf.range(self.num_ws) < cutoff)[None, :, None]
        return tf.where(is_first, w[:, None], w_mix[:, None])

    def copy_styles(self, w):
        """w [N, w_dim] for every layer: ws [N, num_ws, w_dim]."""
        return tf.tile(w[:, None], [1, self.num_ws, 1])
