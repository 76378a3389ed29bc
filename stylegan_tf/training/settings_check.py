"""Checks of combinations of settings, before any slow work."""

import dataclasses

from stylegan_tf import settings_text
from stylegan_tf.data import Dataset
from stylegan_tf.errors import UserError
from stylegan_tf.resolution import check_resolution
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training.schedule import TrainingSchedule, rescaled


def check(settings: TrainingSettings, dataset: Dataset | None = None) -> TrainingSettings:
    """Refuses settings that cannot work. Returns the settings with the values that follow from the dataset.

    Args:
        settings: as requested.
        dataset: of `data.open_dataset`, or None for the checks that do not need one.

    Raises:
        UserError: says what is wrong and what is possible.
    """
    settings = settings_text.checked(settings)
    _check_loss(settings)
    settings.check_networks()
    _require(
        settings.has_styles or not settings.transfer.frozen_layers,
        f"The model {settings.model} cannot freeze layers: transfer.frozen_layers must be 0.",
    )
    if dataset is None:
        return settings
    settings = _with_resolution(settings, dataset)
    _check_labels(settings, dataset)
    settings.check_images(dataset.channels, dataset.label_size)
    settings = _with_growth(settings)
    check_minibatches(settings)
    if settings.transfer.start_lod:
        TrainingSchedule(settings.schedule, settings.data.resolution).kimg_at(settings.transfer.start_lod)
    return settings


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UserError(message)


def _check_loss(settings: TrainingSettings) -> None:
    loss = settings.loss
    _require(
        not (loss.D.endswith("_gp") and loss.regulariser),
        f"loss.D = {loss.D} contains a gradient penalty and cannot be combined with loss.regulariser = {loss.regulariser}. "
        "Try --set loss.regulariser=none.",
    )
    family = {"wgan_gp": "wgan", "hinge_gp": "hinge"}.get(loss.D, loss.D)
    possible = {
        "logistic": ("logistic_nonsaturating", "logistic_saturating"),
        "wgan": ("wgan",),
        "hinge": ("hinge", "wgan"),  # the same function for G
        "least_squares": ("least_squares",),
    }[family]
    _require(loss.G in possible, f"loss.G = {loss.G} cannot be combined with loss.D = {loss.D}. Try --set loss.G={possible[0]}.")
    for name, plain in (("real_target", 1.0), ("fake_target", 0.0)):
        target = getattr(loss, name)
        _require(target == plain or loss.D == "logistic", f"loss.{name} belongs to loss.D = logistic. Received: loss.D = {loss.D}")
        _require(
            not isinstance(target, tuple) or target[0] < target[1],
            f"loss.{name} must be a number, or the least and the most of a range. Received: {target}",
        )
    _require(loss.D_steps == 1 or loss.lazy_interval == 1, "loss.lazy_interval above 1 cannot be combined with loss.D_steps above 1.")


def _with_resolution(settings: TrainingSettings, dataset: Dataset) -> TrainingSettings:
    """Sets the resolution of the run, and checks it and the first one."""
    resolution = check_resolution(settings.data.resolution or dataset.resolution)
    _require(
        resolution <= dataset.resolution,
        f"data.resolution is {resolution}, but {dataset.name} has images of {dataset.resolution}x{dataset.resolution}.",
    )
    _require(
        settings.schedule.start_resolution <= resolution,
        f"schedule.start_resolution is {settings.schedule.start_resolution}, above the {resolution}x{resolution} of the run. "
        f"Try --set schedule.start_resolution={resolution if not settings.grows else min(resolution, 8)}.",
    )
    return dataclasses.replace(settings, data=dataclasses.replace(settings.data, resolution=resolution))


def _check_labels(settings: TrainingSettings, dataset: Dataset) -> None:
    wanted = "data.conditional" if settings.data.conditional else f"data.balance = {settings.data.balance}"
    _require(
        dataset.label_size > 0 or not (settings.data.conditional or settings.data.balance != "none"),
        f"{wanted} needs labels, and {dataset.name} has none. Create the dataset with labels (one subfolder per class), or train without.",
    )


def _with_growth(settings: TrainingSettings) -> TrainingSettings:
    """Refuses or shortens a schedule that would end before the networks have grown, according to `if_too_short`."""
    schedule, resolution = settings.schedule, settings.data.resolution
    if not settings.grows:
        _require(
            schedule.start_resolution == resolution,
            f"The model {settings.model} does not grow: schedule.start_resolution must be {resolution}. "
            f"Received: {schedule.start_resolution}. Try --set schedule.start_resolution={resolution}.",
        )
        return settings
    growth_kimg = TrainingSchedule(schedule, resolution).growth_kimg()
    if schedule.if_too_short == "allow" or schedule.total_kimg > growth_kimg or settings.transfer.start_lod == 0:
        return settings
    _require(
        schedule.if_too_short == "rescale",
        f"schedule.total_kimg is {schedule.total_kimg:g}, but growing from {schedule.start_resolution}x"
        f"{schedule.start_resolution} to {resolution}x{resolution} takes {growth_kimg:g} kimg: the run would end before. "
        f"Try --total-kimg {growth_kimg * 1.5:g}, --set schedule.if_too_short=rescale (shortens the growth), "
        f"--set schedule.start_resolution={resolution} (no growth), or --set schedule.if_too_short=allow.",
    )
    return dataclasses.replace(settings, schedule=rescaled(schedule, resolution))


def check_minibatches(settings: TrainingSettings, num_devices: int = 1) -> None:
    """A minibatch must consist of whole groups of samples that a device computes together, or be a single smaller group.

    Raises:
        UserError: it does not, or it would be empty with `minibatch_follows_devices`.
    """
    schedule, group = settings.schedule, settings.group_size
    on_devices = TrainingSchedule(schedule, settings.data.resolution, num_devices)
    devices = f" on {num_devices} devices" if num_devices > 1 else ""
    resolution = schedule.start_resolution
    while resolution <= settings.data.resolution:
        minibatch, limit = on_devices.minibatch_at(resolution)
        size = f"{resolution}x{resolution}{devices}"
        below = minibatch // max(group, 1) * group
        _require(minibatch >= 1, f"The minibatch at {size} must be at least 1. Received: {minibatch}")
        _require(
            group <= 1 or minibatch <= group or minibatch % group == 0,
            f"The minibatch of {minibatch} at {size} is not a multiple of D.mbstd_group_size = {group}. "
            f"Possible: {below} or {below + group} (--set schedule.minibatch_by_resolution.{resolution}={below}), or another group size.",
        )
        least = min(max(group, 1), minibatch)
        _require(
            limit is None or limit >= least,
            f"max_minibatch_per_device of {limit} at {resolution}x{resolution} is below one group of minibatch statistics "
            f"({least} images). Try {least}, or a smaller D.mbstd_group_size.",
        )
        if settings.needs_whole_minibatch:
            _require(
                minibatch % num_devices == 0 and (limit is None or limit * num_devices >= minibatch),
                f"{settings.model} normalises over the whole minibatch: {minibatch} images at {size} must be a multiple of the devices, "
                f"and schedule.max_minibatch_per_device must allow {-(-minibatch // num_devices)} or be none.",
            )
        resolution *= 2
