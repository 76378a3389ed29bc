"""Settings of StyleGAN: those of its two networks, and those of a run that trains them."""

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from stylegan_tf.errors import UserError
from stylegan_tf.ranges import Count, CountOrZero, Decay, Length, Number, Range, Share
from stylegan_tf.resolution import num_layers
from stylegan_tf.settings import NetworkSettings, TrainingSettings

BlurFilter = Annotated[tuple[int | Number, ...], Length(1, 16)]


@dataclass(frozen=True)
class GeneratorSettings(NetworkSettings):
    """The generator; configurations B to F of the paper's table 1 are combinations of these."""

    changeable: ClassVar[frozenset[str]] = frozenset(
        ["truncation_psi", "truncation_cutoff", "style_mixing_prob", "w_avg_beta", "fused_scale"]
    )

    z_dim: Count = 512  # features of a latent
    w_dim: Count = 512  # features of an intermediate latent
    mapping_layers: Annotated[int, Range(0, 64)] = 8  # dense layers from z to w, 0 to 64
    mapping_fmaps: Count = 512  # width of the hidden mapping layers
    mapping_lrmul: Number = 0.01  # learning rate of the mapping network relative to the rest
    mapping_nonlinearity: Literal["lrelu", "relu"] = "lrelu"  # activation of the mapping network
    normalize_latents: bool = True  # pixel norm on z before the mapping network
    use_wscale: bool = True  # equalised learning rate
    fmap_base: Count = 8192  # feature maps at stage s: min(fmap_base / 2^(s fmap_decay), fmap_max), s = log2(resolution) - 1
    fmap_decay: Annotated[float, Range(-16, 16)] = 1.0  # exponent of this decrease
    fmap_max: Count = 512  # largest number of feature maps
    use_styles: bool = True  # AdaIN; false: w is the input of the first layer only
    const_input: bool = True  # learned 4x4 constant; false: a dense layer on w
    use_noise: bool = True  # noise inputs of every layer
    nonlinearity: Literal["lrelu", "relu"] = "lrelu"  # activation of the convolutions
    use_pixel_norm: bool = False  # normalise the features of each pixel (configuration B)
    use_instance_norm: bool = True  # normalise each feature map of an image before its style
    blur_filter: BlurFilter | None = (1, 2, 1)  # low-pass filter after each upscaling; none: no filter
    w_avg_beta: Decay | None = 0.995  # decay of the moving average of w, per batch; none: no average
    style_mixing_prob: Share | None = 0.9  # share of minibatches with style mixing; none: no style mixing
    truncation_psi: Number | None = 0.7  # default truncation psi of generated images; not used in training
    truncation_cutoff: CountOrZero | None = 8  # number of truncated layers
    fused_scale: bool | Literal["auto"] = "auto"  # upscaling and convolution in one operation; affects speed only

    def num_ws(self, resolution: int) -> int:
        """Layers that have a style of their own, in a network of this resolution."""
        return num_layers(resolution) if self.use_styles else 1


@dataclass(frozen=True)
class DiscriminatorSettings(NetworkSettings):
    """The discriminator."""

    changeable: ClassVar[frozenset[str]] = frozenset(["fused_scale"])

    fmap_base: Count = 8192  # as in the generator
    fmap_decay: Annotated[float, Range(-16, 16)] = 1.0  # exponent of this decrease
    fmap_max: Count = 512  # largest number of feature maps
    nonlinearity: Literal["lrelu", "relu"] = "lrelu"  # activation of the convolutions
    use_wscale: bool = True  # equalised learning rate
    mbstd_group_size: CountOrZero = 4  # samples of a minibatch-stddev group; 0 or 1: no minibatch stddev
    mbstd_num_features: Count = 1  # feature maps that minibatch stddev adds
    blur_filter: BlurFilter | None = (1, 2, 1)  # low-pass filter before each downscaling; none: no filter
    fused_scale: bool | Literal["auto"] = "auto"  # convolution and downscaling in one operation


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """A run that trains a StyleGAN."""

    grows = True
    has_styles = True

    model: Literal["stylegan"] = "stylegan"  # fixed
    G: GeneratorSettings = field(default_factory=GeneratorSettings)
    D: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)

    @property
    def group_size(self):
        return self.D.mbstd_group_size

    def check_networks(self):
        G = self.G
        if G.mapping_layers == 0 and (G.z_dim != G.w_dim or self.data.conditional):
            raise UserError("G.mapping_layers = 0 passes z on as w: it needs G.z_dim = G.w_dim and data.conditional = false.")
