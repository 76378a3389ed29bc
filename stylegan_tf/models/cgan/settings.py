"""Settings of the dense conditional GAN: those of its two networks, and those of a run that trains them."""

from dataclasses import dataclass, field
from typing import Literal

from stylegan_tf.errors import UserError
from stylegan_tf.ranges import Count, CountOrZero, Share
from stylegan_tf.settings import NetworkSettings, TrainingSettings


@dataclass(frozen=True)
class GeneratorSettings(NetworkSettings):
    """The generator."""

    z_dim: Count = 100  # features of a latent
    units: Count = 128  # width of the hidden layer
    border: CountOrZero = 2  # black border of the images, pixels: 2 for 28x28 digits in 32x32


@dataclass(frozen=True)
class DiscriminatorSettings(NetworkSettings):
    """The discriminator."""

    units: Count = 128  # width of the hidden layer
    border: CountOrZero = 2  # as in the generator
    slope: Share = 0.2  # slope of the leaky ReLU


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """A run that trains a dense conditional GAN."""

    model: Literal["cgan"] = "cgan"  # fixed
    G: GeneratorSettings = field(default_factory=GeneratorSettings)
    D: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)

    def check_networks(self):
        border, resolution = max(self.G.border, self.D.border), self.data.resolution
        if resolution is not None and 2 * border >= resolution:
            raise UserError(f"Images of {resolution}x{resolution} have nothing inside of G.border or D.border = {border}.")
