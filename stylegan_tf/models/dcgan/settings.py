"""Settings of DCGAN: what its two networks are made of, and the settings of a run that trains them."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from stylegan_tf.errors import UserError
from stylegan_tf.ranges import Count, Decay, Number, Positive, Range
from stylegan_tf.settings import NetworkSettings, TrainingSettings


@dataclass(frozen=True)
class GeneratorSettings(NetworkSettings):
    """The generator."""

    z_dim: Count = 100  # features of a latent
    fmaps: Count = 64  # feature maps at half of the full resolution; they double with each halving of the side
    keep: Decay = 0.9  # share of the moving averages that a training step keeps in batch normalisation
    epsilon: Positive = 1e-5  # added to the variance in batch normalisation


@dataclass(frozen=True)
class DiscriminatorSettings(NetworkSettings):
    """The discriminator."""

    fmaps: Count = 64  # as in the generator
    slope: Annotated[Number, Range(0, 1)] = 0.2  # of the leaky ReLU
    keep: Decay = 0.9  # as in the generator
    epsilon: Positive = 1e-5  # as in the generator


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """A run that trains a DCGAN."""

    model: Literal["dcgan"] = "dcgan"  # fixed
    G: GeneratorSettings = field(default_factory=GeneratorSettings)
    D: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)

    @property
    def needs_whole_minibatch(self):
        return True

    def check_networks(self):
        if self.data.conditional:
            raise UserError("The model dcgan has no labels: data.conditional must be false.")
        if self.data.resolution is not None and self.data.resolution < 8:
            raise UserError(f"The model dcgan starts at 8x8. Received: data.resolution = {self.data.resolution}")
        if self.loss.regulariser or self.loss.D.endswith("_gp"):
            raise UserError(
                "The model dcgan normalises D over the batch, and a gradient penalty asks for the gradient of each image alone: "
                "loss.regulariser must be none and loss.D without a penalty. Try --set loss.regulariser=none --set loss.D=logistic."
            )
        if self.transfer.frozen_layers:
            raise UserError("The model dcgan cannot freeze layers: transfer.frozen_layers must be 0.")
