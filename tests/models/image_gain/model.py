"""StyleGAN with one more option of the generator, for test_new_option.py: the option is used in one line."""

import keras

from stylegan_tf.models.stylegan.generator import Generator
from stylegan_tf.models.stylegan.model import StyleGAN
from tests.models.image_gain.settings import GeneratorSettings


@keras.saving.register_keras_serializable("tests")
class GainGenerator(Generator):
    """StyleGAN's generator with brighter images."""

    settings_type = GeneratorSettings

    def sample(self, z, labels=None, **options):
        return self.settings.image_gain * super().sample(z, labels, **options)


class GainGAN(StyleGAN):
    name = "image_gain"
    Generator = GainGenerator


MODEL = GainGAN()
