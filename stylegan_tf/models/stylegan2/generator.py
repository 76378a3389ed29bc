"""The generator: mapping and synthesis networks, and the moving average of w."""

import keras

from stylegan_tf.models.base import StyleGenerator
from stylegan_tf.models.stylegan2.mapping import MappingNetwork
from stylegan_tf.models.stylegan2.settings import GeneratorSettings
from stylegan_tf.models.stylegan2.synthesis import SynthesisNetwork


@keras.saving.register_keras_serializable("stylegan_tf.stylegan2", "Generator")
class StyleGAN2Generator(StyleGenerator):
    """Generates images [N, R, R, channels] from z [N, z_dim] and, if conditional, labels [N, label_size].

    Arguments: see `Network`.

    Source: Karras et al. 2020; the sizes of the release of StyleGAN2-ADA.
    """

    settings_type = GeneratorSettings

    def __init__(self, settings: GeneratorSettings | None = None, **kwargs):
        super().__init__(settings, **kwargs)
        settings = self.settings
        self.z_dim, self.w_dim = settings.z_dim, settings.w_dim
        options = {"resolution": self.resolution, "channels": self.channels, "dtype": self.dtype_policy}
        self.synthesis = SynthesisNetwork(settings, name="synthesis", **options)
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(
            z_dim=settings.z_dim, label_size=self.label_size, w_dim=settings.w_dim, num_layers=settings.mapping_layers,
            lrmul=settings.mapping_lrmul, num_ws=self.num_ws, name="mapping",
        )  # fmt: skip
        self.build()

    def truncate(self, ws, psi="default", cutoff="default"):
        """As `StyleGenerator.truncate`, but a cutoff of None truncates all layers."""
        cutoff = self.settings.truncation_cutoff if isinstance(cutoff, str) else cutoff
        return super().truncate(ws, psi, self.num_ws if cutoff is None else cutoff)
