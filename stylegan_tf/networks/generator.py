"""The generator: mapping and synthesis, with the average of w, truncation and style mixing around them."""

import keras
import tensorflow as tf

from stylegan_tf import resolution as growth
from stylegan_tf.networks.mapping import MappingNetwork
from stylegan_tf.networks.synthesis import SynthesisNetwork

_MAPPING_OPTIONS = ("normalize_latents", "use_wscale")
_SYNTHESIS_OPTIONS = ("fmap_base", "fmap_decay", "fmap_max", "use_styles", "const_input", "use_noise", "nonlinearity",
                      "use_pixel_norm", "use_instance_norm", "use_wscale", "blur_filter", "fused_scale")  # fmt: skip


@keras.saving.register_keras_serializable("stylegan_tf")
class Generator(keras.Model):
    """Draws images [N, R, R, channels] in [-1, 1] from z [N, z_dim] and, where conditional, labels [N, label_size].

    Args:
        resolution, channels: of the images; see `SynthesisNetwork`, as for every option not named here.
        label_size: width of the labels, 0 for an unconditional network.
        z_dim, w_dim: widths of z and w.
        mapping_layers, mapping_fmaps, mapping_lrmul, mapping_nonlinearity, normalize_latents: see `MappingNetwork`.
        w_avg_beta: decay of the moving average of w; None keeps none.
        style_mixing_prob: probability, a batch, that training mixes two styles; None or 0 never.
        truncation_psi, truncation_cutoff: defaults of `call`; psi None or cutoff None: no truncation.

    Source: Karras et al. 2019.
    """

    def __init__(self, *, resolution=1024, channels=3, label_size=0, z_dim=512, w_dim=512, mapping_layers=8, mapping_fmaps=512,
                 mapping_lrmul=0.01, mapping_nonlinearity="lrelu", normalize_latents=True, use_wscale=True, fmap_base=8192,
                 fmap_decay=1.0, fmap_max=512, use_styles=True, const_input=True, use_noise=True, nonlinearity="lrelu",
                 use_pixel_norm=False, use_instance_norm=True, blur_filter=(1, 2, 1), w_avg_beta=0.995, style_mixing_prob=0.9,
                 truncation_psi=0.7, truncation_cutoff=8, fused_scale="auto", **kwargs):  # fmt: skip
        super().__init__(autocast=False, **kwargs)
        self.options = {name: value for name, value in locals().items() if name not in ("self", "kwargs", "__class__")}
        for name, value in self.options.items():
            setattr(self, name, value)
        self.blur_filter = self.options["blur_filter"] = tuple(blur_filter) if blur_filter else None
        self.synthesis = SynthesisNetwork(
            resolution=resolution, channels=channels, w_dim=w_dim, dtype=self.dtype_policy, name="synthesis",
            **{name: self.options[name] for name in _SYNTHESIS_OPTIONS},
        )  # fmt: skip
        self.mapping = MappingNetwork(
            z_dim=z_dim, w_dim=w_dim, label_size=label_size, num_ws=self.synthesis.num_ws, num_layers=mapping_layers,
            fmaps=mapping_fmaps, lrmul=mapping_lrmul, nonlinearity=mapping_nonlinearity, dtype=self.dtype_policy, name="mapping",
            **{name: self.options[name] for name in _MAPPING_OPTIONS},
        )  # fmt: skip
        self.num_layers = self.synthesis.num_layers
        self.num_ws = self.synthesis.num_ws
        self.build()

    def build(self, input_shape=None):
        """Creates the weights; the shapes follow from the options."""
        self.w_avg = self.add_weight(name="w_avg", shape=(self.w_dim,), initializer="zeros", trainable=False)
        self.mapping.build()
        self.synthesis.build()

    def call(self, z, labels=None, truncation_psi="default", truncation_cutoff="default", noise_mode="random", lod=0.0):
        """Draws images.

        Args:
            z: [N, z_dim].
            labels: [N, label_size], None for an unconditional network.
            truncation_psi: 1 or None draws without truncation, 0 draws the average; "default": the network's own.
            truncation_cutoff: layers that are truncated; None turns truncation off; "default": the network's own.
            noise_mode, lod: see `SynthesisNetwork.call`.

        Returns:
            float32 [N, R, R, channels], R = resolution / 2^floor(lod).
        """
        ws = self.truncate(self.mapping(z, labels), truncation_psi, truncation_cutoff)
        return self.synthesis(ws, noise_mode=noise_mode, lod=lod)

    def truncate(self, ws, psi="default", cutoff="default"):
        """Draws the first `cutoff` styles of ws [N, num_ws, w_dim] towards w_avg: w_avg + psi * (w - w_avg).

        Source: Karras et al. 2019, appendix B.
        """
        psi = self.truncation_psi if isinstance(psi, str) else psi
        cutoff = self.truncation_cutoff if isinstance(cutoff, str) else cutoff
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

    def num_layers_at(self, lod) -> int:
        """Style layers in use at a level of detail, the bound of the mixing cutoff."""
        return self.num_layers - 2 * growth.split_lod(lod).floor

    def get_config(self):
        """Arguments of the constructor."""
        return {**super().get_config(), **self.options}
