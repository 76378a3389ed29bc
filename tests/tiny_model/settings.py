"""Settings of the tiny model."""

from dataclasses import dataclass, field
from typing import Literal

from stylegan_tf.ranges import Count
from stylegan_tf.settings import NetworkSettings, TrainingSettings


@dataclass(frozen=True)
class GeneratorSettings(NetworkSettings):
    """The generator."""

    z_dim: Count = 4


@dataclass(frozen=True)
class DiscriminatorSettings(NetworkSettings):
    """The discriminator."""

    width: Count = 3


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """A run that trains the tiny model."""

    model: Literal["tiny"] = "tiny"
    G: GeneratorSettings = field(default_factory=GeneratorSettings)
    D: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
