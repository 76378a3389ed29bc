"""Settings of DCGAN and its conditional forms: those of the two networks, and those of a run that trains them."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from stylegan_tf import lenet_file
from stylegan_tf.errors import UserError
from stylegan_tf.ranges import Count, CountOrZero, Decay, NotNegative, Number, Positive, Range, Share
from stylegan_tf.settings import NetworkSettings, TrainingSettings

Kernel = Annotated[int, Range(2, 15)]
Init = Literal["normal", "truncated", "glorot"]


@dataclass(frozen=True)
class DCGANSettings(NetworkSettings):
    """What both networks of a DCGAN have."""

    fmaps: Count = 64  # feature maps of the layers next to the image; they double with each halving of the side
    kernel: Kernel = 4  # size of the kernels with stride 2
    convs_per_side: Count = 1  # convolutions at each resolution; those after the first have kernel 5
    use_bias: bool = False  # biases of all convolutions
    init: Init = "normal"  # normal: weights N(0, 0.02), gains N(1, 0.02); truncated: the same within two deviations; glorot: gains 1
    labels: Literal["concat", "branches"] = "concat"  # labels are concatenated to the input, or each has a convolution first
    border: CountOrZero = 0  # black border of the images, pixels: 2 for 28x28 digits in 32x32
    side: Count | None = None  # images are resized to this side inside of the network; none: not resized
    keep: Decay = 0.9  # decay of the moving averages of batch normalisation, per step
    epsilon: Positive = 1e-5  # added to the variance in normalisations

    def inner_side(self, resolution: int) -> int:
        """Side of the images inside of the network."""
        return self.side or resolution - 2 * self.border


@dataclass(frozen=True)
class GeneratorSettings(DCGANSettings):
    """The generator."""

    z_dim: Count = 100  # features of a latent
    first_side: Kernel = 4  # side after the first layer
    norm: Literal["batch", "none"] = "batch"  # normalisation of all layers but the last
    slope: Share = 0.0  # slope of the leaky ReLU; 0: ReLU

    def sides(self, resolution: int) -> list[int]:
        """Sides of the hidden layers; the last layer leads from the last of them to the image."""
        sides = [self.first_side]
        while 2 * sides[-1] < self.inner_side(resolution):
            sides.append(2 * sides[-1])
        return sides


@dataclass(frozen=True)
class DiscriminatorSettings(DCGANSettings):
    """The discriminator."""

    last_side: Kernel = 4  # resolution before the last layer, or the next smaller one that halving reaches
    norm: Literal["batch", "layer", "layer_per_element", "none"] = "batch"  # normalisation of all layers but the first and the last
    slope: Annotated[Number, Range(0, 1)] = 0.2  # slope of the leaky ReLU

    def sides(self, resolution: int) -> list[int]:
        """Sides of the hidden layers, from the image on."""
        sides = [(self.inner_side(resolution) + 1) // 2]
        while sides[-1] > self.last_side:
            sides.append((sides[-1] + 1) // 2)
        return sides


@dataclass(frozen=True)
class GStepSettings:
    """The step of the generator."""

    reuse_fakes: bool = True  # the latents of D's step, as in PyTorch's tutorial; false: new latents
    classifier: str | None = None  # file of a LeNet (python -m stylegan_tf.lenet_training) whose loss is added
    alpha: NotNegative = 1.0  # weight of the classifier's loss


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """A run that trains a DCGAN."""

    model: Literal["dcgan"] = "dcgan"  # fixed
    G: GeneratorSettings = field(default_factory=GeneratorSettings)
    D: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    G_step: GStepSettings = field(default_factory=GStepSettings)

    @property
    def needs_whole_minibatch(self):
        return "batch" in (self.G.norm, self.D.norm)

    def check_networks(self):
        G, D, resolution = self.G, self.D, self.data.resolution
        if (G.border, G.side) != (D.border, D.side):
            raise UserError(f"G and D must have the same border and side. Received: {(G.border, G.side)} and {(D.border, D.side)}")
        if resolution is not None and G.inner_side(resolution) <= max(G.first_side, D.last_side):
            raise UserError(
                f"The model dcgan starts at {2 * G.first_side}x{2 * G.first_side}. Received: data.resolution = {resolution}, "
                f"images of side {G.inner_side(resolution)} inside of the networks"
            )
        self._check_penalties()
        if self.G_step.classifier is not None:
            self._check_classifier(self.G_step.classifier)

    def _check_penalties(self):
        has_penalty = self.loss.regulariser or self.loss.D.endswith("_gp")
        if has_penalty and self.D.norm == "batch":
            raise UserError(
                "D normalises over the batch, and a gradient penalty needs the gradient of each image alone: loss.regulariser must "
                "be none and loss.D without a penalty, or D.norm another one. Try --set loss.regulariser=none --set loss.D=logistic, "
                "or --set D.norm=layer."
            )
        is_resized = self.G.border or self.G.side
        if is_resized and (has_penalty or self.augment.kind != "none"):
            raise UserError(
                "With G.border or G.side, generated images have another size than the real ones before D: gradient penalties and "
                "augmentation need both to be equal. Try --set loss.regulariser=none --set augment.kind=none."
            )

    def check_images(self, channels, label_size):
        if self.G_step.classifier is not None and (channels, label_size) != (1, lenet_file.NUM_CLASSES):
            raise UserError(
                f"G_step.classifier recognises ten classes of grey images. The dataset has {channels} channels and labels of size "
                f"{label_size}. Try --set G_step.classifier=none."
            )

    def _check_classifier(self, path: str):
        if not self.data.conditional or self.data.resolution not in (None, lenet_file.SIDE):
            raise UserError(
                f"G_step.classifier recognises the labels of {lenet_file.SIDE}x{lenet_file.SIDE} images: data.conditional must be true. "
                f"Received: data.conditional = {self.data.conditional}, data.resolution = {self.data.resolution}"
            )
        lenet_file.read(path)
