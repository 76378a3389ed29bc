"""The generator: mapping and synthesis networks, and the moving average of w."""

import keras

from stylegan_tf.models.base import StyleGenerator
from stylegan_tf.models.stylegan.mapping import MappingNetwork
from stylegan_tf.models.stylegan.settings import GeneratorSettings
from stylegan_tf.models.stylegan.synthesis import SynthesisNetwork


@keras.saving.register_keras_serializable("stylegan_tf")
class Generator(StyleGenerator):
    """Generates images [N, R, R, channels] from z [N, z_dim] and, if conditional, labels [N, label_size].

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
