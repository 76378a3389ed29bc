"""Combinations of settings that cannot work, refused in plain words before anything slow."""

import dataclasses
from typing import Any

from stylegan_tf.errors import UserError
from stylegan_tf.resolution import MIN_RESOLUTION, check_resolution, is_power_of_two
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training.schedule import TrainingSchedule, rescaled


def check(settings: TrainingSettings, dataset: Any = None) -> TrainingSettings:
    """Refuses what cannot work; returns the settings with everything filled in that follows from the dataset.

    Args:
        settings: the run as asked for.
        dataset: what `data.open_dataset` gave (name, num_images, resolution, channels, label_size), or None to check
            only what needs no dataset.

    Raises:
        UserError: says what is wrong and what is possible.
    """
    _check_numbers(settings)
    _check_networks(settings)
    if dataset is None:
        return settings
    settings = _with_resolution(settings, dataset)
    _check_labels(settings, dataset)
    settings = _with_growth(settings)
    _check_minibatches(settings)
    if settings.transfer.start_lod:
        TrainingSchedule(settings.schedule, settings.data.resolution).kimg_at(settings.transfer.start_lod)
    return settings


def check_devices(settings: TrainingSettings, num_devices: int) -> None:
    """Refuses minibatches that the devices cannot share, once their number is known.

    Raises:
        UserError: `minibatch_follows_devices` leaves nothing of a minibatch, or no whole groups of minibatch statistics.
    """
    if settings.schedule.minibatch_follows_devices:
        _check_minibatches(settings, num_devices)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UserError(message)


def _check_numbers(settings: TrainingSettings) -> None:
    schedule, optimizer, run = settings.schedule, settings.optimizer, settings.run
    positive = {
        "schedule.total_kimg": schedule.total_kimg,
        "schedule.minibatch_base": schedule.minibatch_base,
        "schedule.tick_kimg": schedule.tick_kimg,
        "schedule.num_pairs_per_look": schedule.num_pairs_per_look,
        "optimizer.epsilon": optimizer.epsilon,
        "loss.lazy_interval": settings.loss.lazy_interval,
        "run.pairs_per_call": run.pairs_per_call,
        "run.image_snapshot_ticks": run.image_snapshot_ticks,
        "run.network_snapshot_ticks": run.network_snapshot_ticks,
        "run.state_ticks": run.state_ticks,
        "run.state_minutes": run.state_minutes,
        "run.max_logit": run.max_logit,
    }
    positive |= {f"schedule.tick_kimg_by_resolution.{r}": kimg for r, kimg in schedule.tick_kimg_by_resolution.items()}
    for name, value in positive.items():
        _require(value > 0, f"{name} must be above 0. Received: {value}")
    not_negative = {
        "schedule.steady_kimg": schedule.steady_kimg,
        "schedule.fade_kimg": schedule.fade_kimg,
        "schedule.G_lrate": schedule.G_lrate,
        "schedule.D_lrate": schedule.D_lrate,
        "schedule.lrate_rampup_kimg": schedule.lrate_rampup_kimg,
        "optimizer.ema_kimg": optimizer.ema_kimg,
        "loss.gamma": settings.loss.gamma,
        "loss.r2_gamma": settings.loss.r2_gamma or 0.0,
        "run.seed": run.seed,
        "run.num_gpus": run.num_gpus or 0,
        "run.max_rollbacks": run.max_rollbacks,
        "transfer.frozen_layers": settings.transfer.frozen_layers,
        "transfer.start_lod": settings.transfer.start_lod or 0.0,
    }
    for field in dataclasses.fields(schedule):
        if field.name.endswith(("lrate_by_resolution", "kimg_by_resolution")):
            not_negative |= {f"schedule.{field.name}.{r}": value for r, value in getattr(schedule, field.name).items()}
    not_negative |= {f"loss.gamma_by_resolution.{r}": gamma for r, gamma in settings.loss.gamma_by_resolution.items()}
    for name, value in not_negative.items():
        _require(value >= 0, f"{name} must not be below 0. Received: {value}")
    for name, value in {
        "transfer.min_share": settings.transfer.min_share,
        "G.style_mixing_prob": settings.G.style_mixing_prob or 0.0,
    }.items():
        _require(0 <= value <= 1, f"{name} must be from 0 to 1. Received: {value}")
    for name, value in {"run.grid_columns": run.grid_columns, "run.grid_rows": run.grid_rows}.items():
        _require(value is None or value >= 1, f"{name} must be at least 1, or none. Received: {value}")
    for name, value in {"optimizer.beta1": optimizer.beta1, "optimizer.beta2": optimizer.beta2}.items():
        _require(0 <= value < 1, f"{name} must be in [0, 1). Received: {value}")
    _require(run.keep_snapshots is None or run.keep_snapshots >= 1, "run.keep_snapshots must be at least 1, or none for all.")
    _check_resolutions(settings)


def _check_resolutions(settings: TrainingSettings) -> None:
    schedule = settings.schedule
    start = schedule.start_resolution
    _require(
        is_power_of_two(start) and start >= MIN_RESOLUTION,
        f"schedule.start_resolution must be a power of two from {MIN_RESOLUTION} on. Received: {start}",
    )
    tables = {f"schedule.{field.name}": getattr(schedule, field.name) for field in dataclasses.fields(schedule)}
    tables["loss.gamma_by_resolution"] = settings.loss.gamma_by_resolution
    for name, table in tables.items():
        if name.endswith("_by_resolution"):
            for resolution in table:
                _require(
                    is_power_of_two(resolution) and resolution >= MIN_RESOLUTION,
                    f"{name}: {resolution} is not a resolution (a power of two from {MIN_RESOLUTION} on).",
                )


def _check_networks(settings: TrainingSettings) -> None:
    G, D = settings.G, settings.D
    _require(0 <= G.mapping_layers <= 16, f"G.mapping_layers must be 0 to 16. Received: {G.mapping_layers}")
    _require(
        G.mapping_layers > 0 or (G.z_dim == G.w_dim and not settings.data.conditional),
        "G.mapping_layers = 0 passes z on as w: it needs G.z_dim = G.w_dim and data.conditional = false.",
    )
    _require(D.mbstd_group_size >= 0, f"D.mbstd_group_size must not be below 0. Received: {D.mbstd_group_size}")
    for name, count in {"z_dim": G.z_dim, "w_dim": G.w_dim, "mapping_fmaps": G.mapping_fmaps}.items():
        _require(count >= 1, f"G.{name} must be at least 1. Received: {count}")
    for name, network in {"G": G, "D": D}.items():
        for key in ("fmap_base", "fmap_max"):
            _require(getattr(network, key) >= 1, f"{name}.{key} must be at least 1. Received: {getattr(network, key)}")


def _with_resolution(settings: TrainingSettings, dataset: Any) -> TrainingSettings:
    """Fills in the resolution of the run, and starts no higher than it."""
    resolution = check_resolution(settings.data.resolution or dataset.resolution)
    _require(
        resolution <= dataset.resolution,
        f"data.resolution is {resolution}, but {dataset.name} has images of {dataset.resolution}x{dataset.resolution} only.",
    )
    _require(
        settings.schedule.start_resolution <= resolution,
        f"schedule.start_resolution is {settings.schedule.start_resolution}, above the {resolution}x{resolution} of the run.",
    )
    return dataclasses.replace(settings, data=dataclasses.replace(settings.data, resolution=resolution))


def _check_labels(settings: TrainingSettings, dataset: Any) -> None:
    wanted = "data.conditional" if settings.data.conditional else f"data.balance = {settings.data.balance}"
    _require(
        dataset.label_size > 0 or not (settings.data.conditional or settings.data.balance != "none"),
        f"{wanted} needs labels, and {dataset.name} has none. Make it from one sub-folder a class, or train without.",
    )


def _with_growth(settings: TrainingSettings) -> TrainingSettings:
    """Sees to a run that would end before it has grown, as `if_too_short` says."""
    schedule, resolution = settings.schedule, settings.data.resolution
    growth_kimg = TrainingSchedule(schedule, resolution).growth_kimg()
    if schedule.if_too_short == "allow" or schedule.total_kimg > growth_kimg or settings.transfer.start_lod == 0:
        return settings
    _require(
        schedule.if_too_short == "rescale",
        f"schedule.total_kimg is {schedule.total_kimg:g}, but growing from {schedule.start_resolution}x"
        f"{schedule.start_resolution} to {resolution}x{resolution} takes {growth_kimg:g} kimg: it would end unfinished. "
        f"Try --total-kimg {growth_kimg * 1.5:g}, --set schedule.if_too_short=rescale (shortens the growth), "
        f"--set schedule.start_resolution={resolution} (no growth), or --set schedule.if_too_short=allow.",
    )
    return dataclasses.replace(settings, schedule=rescaled(schedule, resolution))


def _check_minibatches(settings: TrainingSettings, num_devices: int = 1) -> None:
    """The statistics of a minibatch are taken over whole groups: a batch must hold whole groups, or be one smaller group."""
    schedule, group = settings.schedule, settings.D.mbstd_group_size
    dealt = TrainingSchedule(schedule, settings.data.resolution, num_devices)
    devices = f" on {num_devices} devices" if num_devices > 1 else ""
    resolution = schedule.start_resolution
    while resolution <= settings.data.resolution:
        minibatch, limit = dealt.minibatch_at(resolution)
        _require(minibatch >= 1, f"The minibatch at {resolution}x{resolution}{devices} must be at least 1. Received: {minibatch}")
        _require(
            group <= 1 or minibatch <= group or minibatch % group == 0,
            f"The minibatch of {minibatch} at {resolution}x{resolution}{devices} is not a multiple of D.mbstd_group_size = {group}. "
            f"Possible: {minibatch // group * group} or {(minibatch // group + 1) * group} "
            f"(--set schedule.minibatch_by_resolution.{resolution}={minibatch // group * group}), or another group size.",
        )
        least = min(max(group, 1), minibatch)
        _require(
            limit is None or limit >= least,
            f"max_minibatch_per_device of {limit} at {resolution}x{resolution} is below one group of minibatch statistics "
            f"({least} images). Try {least}, or a smaller D.mbstd_group_size.",
        )
        resolution *= 2
