"""What a benchmark runs, and how many floating-point operations it nominally takes: 2 a multiply-add, both resamplings fused.

The nominal count is fixed for a workload, whatever a program really executes, so that shares of a ceiling can be compared.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stylegan_tf import resolution as growth
from stylegan_tf.models.stylegan.settings import DiscriminatorSettings, GeneratorSettings, Settings
from stylegan_tf.settings import DataSettings, RunSettings

if TYPE_CHECKING:  # TensorFlow takes seconds to import
    from stylegan_tf.models.base import Network
    from stylegan_tf.training.schedule import Stage


@dataclass(frozen=True)
class Workload:
    """StyleGAN's networks of a benchmark."""

    resolution: int = 64
    fmap_base: int = 8192
    fmap_max: int = 512
    batch: int = 8
    precision: str = "float32"
    channels: int = 3

    def settings(self, **run: str) -> Settings:
        """Settings of a run that trains these networks."""
        widths = {"fmap_base": self.fmap_base, "fmap_max": self.fmap_max}
        networks = {"G": GeneratorSettings(**widths), "D": DiscriminatorSettings(**widths)}
        return Settings("benchmark", **networks, data=DataSettings(resolution=self.resolution), run=RunSettings(**run))

    def networks(self) -> "dict[str, Network]":
        """Fresh "G", "D" and "G_ema"."""
        from stylegan_tf.snapshot import build_networks

        settings = self.settings()
        shape = {"resolution": self.resolution, "channels": self.channels, "label_size": 0}
        return build_networks("stylegan", {"G": settings.G, "D": settings.D, "G_ema": settings.G}, shape, self.precision)

    def stage(self, lod: float = 0.0) -> "Stage":
        """A stage of the schedule that trains them at a level of detail."""
        from stylegan_tf.training.schedule import Stage

        side = self.resolution >> int(lod)
        return Stage(lod=lod, resolution=side, minibatch=self.batch, max_minibatch_per_device=None, G_lrate=0.001, D_lrate=0.001,
                     gamma=10.0, tick_kimg=1.0)  # fmt: skip

    def features(self, side: int) -> int:
        """Feature maps at a resolution."""
        return growth.num_features(growth.log2(side) - 1, fmap_base=self.fmap_base, fmap_decay=1.0, fmap_max=self.fmap_max)

    def sides(self) -> list[int]:
        """Resolutions of the networks, 4 first."""
        return [2**exponent for exponent in range(2, growth.log2(self.resolution) + 1)]

    def synthesis_flops(self) -> float:
        """One image through the synthesis network, convolutions and ToRGB."""
        flops = 2.0 * 16 * 9 * self.features(4) ** 2  # the one convolution of 4x4
        for side in self.sides()[1:]:
            maps, below = self.features(side), self.features(side // 2)
            flops += 2.0 * (side // 2) ** 2 * 16 * below * maps  # upscaling: 16 taps at each pixel of the lower resolution
            flops += 2.0 * side**2 * 9 * maps**2
        return flops + 2.0 * self.resolution**2 * self.features(self.resolution) * self.channels

    def discriminator_flops(self) -> float:
        """One image through the discriminator."""
        flops = 2.0 * self.resolution**2 * self.channels * self.features(self.resolution)
        for side in self.sides()[1:]:
            maps, below = self.features(side), self.features(side // 2)
            flops += 2.0 * side**2 * 9 * maps**2 + 2.0 * (side // 2) ** 2 * 16 * maps * below
        maps = self.features(4)
        return flops + 2.0 * 16 * 9 * (maps + 1) * maps + 2.0 * 16 * maps * maps

    def training_flops(self) -> float:
        """One image of a whole iteration: 4 passes of G and 11 of D, a pass being one forward or one of two backward products.

        D step: G 1; D on reals 2 (forward, gradient by the pixels) and 4 (backward through both), D on fakes 3; R1 is in
        every step. G step: G 3, D 2.
        """
        return 4 * self.synthesis_flops() + 11 * self.discriminator_flops()
