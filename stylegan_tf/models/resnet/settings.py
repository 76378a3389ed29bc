"""Settings of the residual GAN: those of its two networks, and those of a run that trains them."""

from dataclasses import dataclass, field
from typing import Literal

from stylegan_tf.errors import UserError
from stylegan_tf.ranges import Count, Decay, Positive
from stylegan_tf.settings import NetworkSettings, TrainingSettings


@dataclass(frozen=True)
class GeneratorSettings(NetworkSettings):
    """The generator."""

    z_dim: Count = 128  # features of a latent
    fmaps: Count = 64  # feature maps at the full resolution; they double with each halving of the side, up to eight times as many
    keep: Decay = 0.9  # decay of the moving averages of batch normalisation, per step
    epsilon: Positive = 1e-5  # added to the variance in batch normalisation


@dataclass(frozen=True)
class DiscriminatorSettings(NetworkSettings):
    """The discriminator."""

    fmaps: Count = 64  # as in the generator
    epsilon: Positive = 1e-5  # added to the variance in layer normalisation


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """A run that trains a residual GAN."""

    model: Literal["resnet"] = "resnet"  # fixed
    G: GeneratorSettings = field(default_factory=GeneratorSettings)
    D: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)

    @property
    def needs_whole_minibatch(self):
        return True

    def check_networks(self):
        if self.data.conditional:
            raise UserError("The model resnet has no labels: data.conditional must be false.")
