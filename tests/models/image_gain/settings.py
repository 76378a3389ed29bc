"""Settings of StyleGAN with one more option of the generator, for test_new_option.py."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from stylegan_tf.models.stylegan import settings as stylegan
from stylegan_tf.ranges import Range


@dataclass(frozen=True)
class GeneratorSettings(stylegan.GeneratorSettings):
    """StyleGAN's generator with brighter images."""

    image_gain: Annotated[float, Range(0, 10)] = 1.0  # factor on the images


@dataclass(frozen=True)
class Settings(stylegan.Settings):
    """A run that trains this network."""

    model: Literal["image_gain"] = "image_gain"  # fixed
    G: GeneratorSettings = field(default_factory=GeneratorSettings)
