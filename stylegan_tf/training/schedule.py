"""The schedule of a run: level of detail, minibatch, learning rates and tick length at every image count."""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

from stylegan_tf.errors import UserError
from stylegan_tf.resolution import log2
from stylegan_tf.settings import LossSettings, ScheduleSettings


class Stage(NamedTuple):
    """The schedule at one image count."""

    lod: float  # level of detail, 0 = full resolution
    resolution: int  # full / 2^floor(lod); while a resolution fades in, that resolution
    minibatch: int  # images of a step, on all devices together
    max_minibatch_per_device: int | None  # images that a device computes at once; the rest is accumulated; None for no limit
    G_lrate: float
    D_lrate: float
    gamma: float  # weight of R1 and R2
    tick_kimg: float


class TrainingSchedule:
    """The schedule of one run.

    Args:
        settings: the schedule's settings.
        resolution: full resolution of the run, a power of two.
        num_devices: used only with `settings.minibatch_follows_devices`.
        loss: settings with gamma.

    Source: the `training_schedule` of the original release; `golden/schedule.json` was recorded from it.
    """

    def __init__(self, settings: ScheduleSettings, resolution: int, num_devices: int = 1, *, loss: LossSettings = LossSettings()):  # noqa: B008
        self.settings = settings
        self.loss = loss
        self.resolution = resolution
        self.num_devices = num_devices

    def at(self, nimg: int) -> Stage:
        """The schedule after `nimg` real images."""
        s = self.settings
        kimg = nimg / 1000.0
        lod = self.lod(kimg)
        resolution = self.resolution >> int(lod)
        ramp = min(kimg / s.lrate_rampup_kimg, 1.0) if s.lrate_rampup_kimg > 0 else 1.0
        ramp *= s.lrate_end_share ** min(kimg / s.total_kimg, 1.0)
        ramp *= s.lrate_decay ** (kimg // s.lrate_decay_kimg)
        minibatch, limit = self.minibatch_at(resolution)
        return Stage(
            lod=lod,
            resolution=resolution,
            minibatch=minibatch,
            max_minibatch_per_device=limit,
            G_lrate=ramp * s.G_lrate_by_resolution.get(resolution, s.G_lrate),
            D_lrate=ramp * s.D_lrate_by_resolution.get(resolution, s.D_lrate),
            gamma=self.loss.gamma_by_resolution.get(resolution, self.loss.gamma),
            tick_kimg=s.tick_kimg_by_resolution.get(resolution, s.tick_kimg),
        )

    def lod(self, kimg: float) -> float:
        """Level of detail after `kimg` thousand images: whole while a resolution is trained alone, fractional while one fades in."""
        for level, start_kimg, steady_kimg, fade_kimg in self.growth():
            phase_kimg = kimg - start_kimg
            if phase_kimg < steady_kimg + fade_kimg:
                return level - max(phase_kimg - steady_kimg, 0.0) / fade_kimg if fade_kimg > 0 else float(level)
        return 0.0

    def kimg_at(self, lod: float) -> float:
        """Kimg at which the schedule reaches a level of detail.

        Raises:
            UserError: the schedule does not contain that level.
        """
        first = log2(self.resolution) - log2(self.settings.start_resolution)
        if not 0 <= lod <= first:
            raise UserError(f"A start at lod {lod:g} is outside the schedule, which goes from lod {first} to 0.")
        for level, start_kimg, steady_kimg, fade_kimg in self.growth():
            if lod > level - 1:
                return start_kimg + (steady_kimg + (level - lod) * fade_kimg if lod < level else 0.0)
        return self.growth_kimg()

    def durations(self, resolution: int) -> tuple[float, float]:
        """Kimg in which `resolution` is trained alone, and kimg in which the next one fades in."""
        s = self.settings
        steady_kimg = s.steady_kimg_by_resolution.get(resolution, s.steady_kimg)
        return steady_kimg, s.fade_kimg_by_resolution.get(2 * resolution, s.fade_kimg)

    def growth(self) -> Iterator[tuple[int, float, float, float]]:
        """Its stages: the level of detail, the kimg at which it begins, and how long it is trained alone and the next one fades in."""
        start_kimg = 0.0
        for level in range(log2(self.resolution) - log2(self.settings.start_resolution), 0, -1):
            steady_kimg, fade_kimg = self.durations(self.resolution >> level)
            yield level, start_kimg, steady_kimg, fade_kimg
            start_kimg += steady_kimg + fade_kimg

    def growth_kimg(self) -> float:
        """Kimg after which the full resolution is trained alone."""
        return sum(steady_kimg + fade_kimg for _, _, steady_kimg, fade_kimg in self.growth())

    def minibatch_at(self, resolution: int) -> tuple[int, int | None]:
        """Minibatch, and the largest part that a device computes at once."""
        s = self.settings
        minibatch = s.minibatch_by_resolution.get(resolution, s.minibatch_base)
        limit = s.max_minibatch_per_device_by_resolution.get(resolution, s.max_minibatch_per_device)
        if s.minibatch_follows_devices:
            minibatch -= minibatch % self.num_devices
            if limit is not None:
                minibatch = min(minibatch, limit * self.num_devices)
        return minibatch, limit


def needs_new_optimizers(previous_lod: float | None, lod: float) -> bool:
    """Whether a stage of growth begins: at the start, and when floor(lod) or ceil(lod) has changed."""
    if previous_lod is None:
        return True
    return int(lod) != int(previous_lod) or -int(-lod // 1) != -int(-previous_lod // 1)


def is_generator_due(iteration: int) -> bool:
    """Whether G takes a step at the end of an iteration, counted from 0, where `loss.D_trains_ahead` is set.

    With 5 steps of D in an iteration, D takes 100 steps before steps 0 to 24, 500, 1,000, ... of G and 5 before the others.

    Source: the code of Arjovsky et al. 2017, "Wasserstein GAN".
    """
    if iteration < 25 * 20:
        return iteration % 20 == 19
    # Steps 25 to 499 of G take an iteration each. Of each 500 after them, the first takes 20 iterations.
    later = iteration - 25 * 20 - 475
    return later < 0 or later % 519 >= 19


def rescaled(settings: ScheduleSettings, resolution: int) -> ScheduleSettings:
    """Shortens all stages in proportion, so that the full resolution is trained alone within `total_kimg`."""
    schedule = TrainingSchedule(settings, resolution)
    needed_kimg = schedule.growth_kimg() + schedule.durations(resolution)[0]
    share = min(settings.total_kimg / needed_kimg, 1.0) if needed_kimg > 0 else 1.0
    return dataclasses.replace(
        settings,
        steady_kimg=settings.steady_kimg * share,
        fade_kimg=settings.fade_kimg * share,
        steady_kimg_by_resolution={r: kimg * share for r, kimg in settings.steady_kimg_by_resolution.items()},
        fade_kimg_by_resolution={r: kimg * share for r, kimg in settings.fade_kimg_by_resolution.items()},
    )
