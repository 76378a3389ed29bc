"""Settings of StyleGAN2: those of its two networks, and those of a run that trains them."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from stylegan_tf.errors import UserError
from stylegan_tf.ranges import Count, CountOrZero, Decay, Length, NotNegative, Number, Positive, Range, Share
from stylegan_tf.resolution import num_layers
from stylegan_tf.settings import NetworkSettings, TrainingSettings

Taps = Annotated[tuple[int | Number, ...], Length(2, 16)]


@dataclass(frozen=True)
class GeneratorSettings(NetworkSettings):
    """The generator."""

    changeable: ClassVar[frozenset[str]] = frozenset(
        ["truncation_psi", "truncation_cutoff", "style_mixing_prob", "w_avg_beta", "half_resolutions", "clamp"]
    )

    z_dim: Count = 512  # features of a latent
    w_dim: Count = 512  # features of an intermediate latent, and width of the mapping network
    mapping_layers: Annotated[int, Range(1, 64)] = 8  # dense layers from z to w, 1 to 64
    mapping_lrmul: Number = 0.01  # learning rate of the mapping network relative to the rest
    fmap_base: Count = 32768  # feature maps at side R: min(fmap_base / R, fmap_max)
    fmap_max: Count = 512  # largest number of feature maps
    resample_filter: Taps = (1, 3, 3, 1)  # low-pass filter of each upscaling
    half_resolutions: CountOrZero = 4  # number of the highest resolutions that use the half precision of run.precision
    clamp: Positive | None = 256.0  # activations are clamped to [-clamp, clamp]; none: not clamped
    w_avg_beta: Decay = 0.995  # decay of the moving average of w, per batch
    style_mixing_prob: Share | None = 0.9  # share of minibatches with style mixing; none: no style mixing
    truncation_psi: Number | None = 1.0  # default truncation psi of generated images; not used in training
    truncation_cutoff: CountOrZero | None = None  # number of truncated layers; none: all

    def num_ws(self, resolution: int) -> int:
        """Layers that have a style of their own, in a network of this resolution."""
        return num_layers(resolution)


@dataclass(frozen=True)
class DiscriminatorSettings(NetworkSettings):
    """The discriminator."""

    changeable: ClassVar[frozenset[str]] = frozenset(["half_resolutions", "clamp"])

    architecture: Literal["resnet", "orig"] = "resnet"  # residual blocks, or plain ones
    fmap_base: Count = 32768  # as in the generator
    fmap_max: Count = 512  # largest number of feature maps
    mbstd_group_size: CountOrZero = 4  # samples of a minibatch-stddev group; 0 or 1: no minibatch stddev
    mbstd_num_features: Count = 1  # feature maps that minibatch stddev adds
    mapping_layers: Annotated[int, Range(1, 64)] = 8  # dense layers on the label of a conditional network
    mapping_lrmul: Number = 0.01  # their learning rate relative to the rest
    resample_filter: Taps = (1, 3, 3, 1)  # low-pass filter of each downscaling
    half_resolutions: CountOrZero = 4  # as in the generator
    clamp: Positive | None = 256.0  # as in the generator


@dataclass(frozen=True)
class PathLengthSettings:
    """Path length regularisation of G: a step of its own, on part of a minibatch."""

    weight: NotNegative = 2.0  # weight of the squared difference of path lengths from their running mean
    interval: Count = 4  # in every n-th iteration, multiplied by n
    decay: Decay = 0.99  # decay of the running mean, per step
    shrink: Count = 2  # the step uses minibatch / shrink images


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """A run that trains a StyleGAN2."""

    has_styles = True

    model: Literal["stylegan2"] = "stylegan2"  # fixed
    G: GeneratorSettings = field(default_factory=GeneratorSettings)
    D: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    path_length: PathLengthSettings = field(default_factory=PathLengthSettings)

    @property
    def group_size(self):
        return self.D.mbstd_group_size

    def check_networks(self):
        if self.loss.regulariser not in (None, "r1") or self.loss.D.endswith("_gp"):
            raise UserError(
                f"The model stylegan2 has R1 as its gradient penalty: loss.regulariser must be r1 or none and loss.D without a penalty. "
                f"Received: {self.loss.regulariser}, {self.loss.D}. Try --set loss.regulariser=r1 --set loss.D=logistic."
            )
        if self.loss.D_steps != 1:
            raise UserError(f"The model stylegan2 has one step of D an iteration: loss.D_steps must be 1. Received: {self.loss.D_steps}")


def num_features(settings: GeneratorSettings | DiscriminatorSettings, side: int) -> int:
    """Feature maps at a side."""
    return max(min(settings.fmap_base // side, settings.fmap_max), 1)


def is_half(settings: GeneratorSettings | DiscriminatorSettings, side: int, resolution: int) -> bool:
    """Whether layers at a side are computed in half precision where the compute policy has it: the highest sides, from 8 on."""
    return side >= max(2 * resolution >> settings.half_resolutions, 8)
