"""Starts a run or goes on with one: networks, run folder, first lines of the log, and the loop."""

import json
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import stylegan_tf
from stylegan_tf import networks, settings_text, snapshot
from stylegan_tf.errors import UserError
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training import loop, transfer
from stylegan_tf.training import resume as resuming
from stylegan_tf.training.best import SnapshotScores
from stylegan_tf.training.build import build_networks, identity_of
from stylegan_tf.training.devices import Devices
from stylegan_tf.training.run import Run
from stylegan_tf.training.run_dir import ABORT_NAME, CONFIG_NAME, RunDir


def start(
    settings: TrainingSettings,
    run_dir: RunDir,
    dataset: Any,
    devices: Devices,
    *,
    command: Sequence[str] = (),
    source: Path | None = None,
    on_snapshot: SnapshotScores | None = None,
) -> int:
    """Starts a new run in an empty folder.

    Args:
        settings: as `settings_check.check` returned them.
        run_dir, dataset, devices: what `run_dir.create`, `data.open_dataset` and `devices.open_devices` gave.
        command: the command line, for the record.
        source: snapshot to take networks, kimg and schedule from; optimizers start fresh.
        on_snapshot: see `Run`.

    Returns:
        Exit code.
    """
    write_config(settings, run_dir, dataset, devices, command)
    run_dir.log(f"{shlex.join(command)}\n{describe(settings, dataset, devices)}")
    try:
        run = make_run(settings, run_dir, dataset, devices, on_snapshot)
        take_first_weights(run, source)
    except UserError:
        run_dir.discard()
        raise
    return finish(run, loop.train(run))


def resume(
    settings: TrainingSettings,
    run_dir: RunDir,
    dataset: Any,
    devices: Devices,
    *,
    state: dict[str, Any],
    report: Sequence[str],
    on_snapshot: SnapshotScores | None = None,
) -> int:
    """Goes on with a run where `state` was taken; `report` says what is different in its configuration."""
    resuming.check_dataset(state, identity_of(dataset, settings), run_dir.path)  # before anything is dropped or rewritten
    dropped = resuming.drop_newer(run_dir, state)
    if state["position"]["nimg"] < settings.schedule.total_kimg * 1000:
        resuming.number_final(run_dir, state["position"]["nimg"])
    (run_dir / ABORT_NAME).unlink(missing_ok=True)  # it has been obeyed
    write_config(settings, run_dir, dataset, devices, _first_command(run_dir))
    position = state["position"]["nimg"] / 1000
    run_dir.log(f"Going on at kimg {position:.1f} in {run_dir.path} ({time.strftime('%Y-%m-%d %H:%M:%S')})", is_kept=False)
    if dropped:
        run_dir.log(f"Dropped what was newer than the training state: {', '.join(dropped)}", is_kept=False)
    for line in report:
        run_dir.log(line)
    run = make_run(settings, run_dir, dataset, devices, on_snapshot)
    return finish(run, loop.train(run, state))


def make_run(settings: TrainingSettings, run_dir: RunDir, dataset: Any, devices: Devices, on_snapshot: SnapshotScores | None) -> Run:
    """A run with fresh networks."""
    built = build_networks(
        settings,
        resolution=settings.data.resolution,
        channels=dataset.channels,
        label_size=dataset.label_size,
        policy=devices.policy,
        strategy=devices.strategy,
    )
    return Run(settings, run_dir, dataset=dataset, devices=devices, networks=built, on_snapshot=on_snapshot)


def take_first_weights(run: Run, source: Path | None) -> None:
    """What a new run begins with: a snapshot and its place in the schedule, other networks' weights, or fresh ones."""
    if source is not None:
        take_snapshot(run, source)
        return
    if run.settings.transfer.init_from:
        take_weights(run, run.settings.transfer.init_from)
    if run.settings.transfer.start_lod is not None:
        run.start_at(round(run.schedule.kimg_at(run.settings.transfer.start_lod) * 1000))


def take_snapshot(run: Run, source: Path) -> None:
    """Takes weights, averages, kimg and schedule from a snapshot of the same networks."""
    loaded = snapshot.load_networks(source)
    try:
        for name, network in run.networks.items():
            networks.assign_weights(network, snapshot.weight_arrays(getattr(loaded, name)))
    except ValueError as error:
        raise UserError(f"{source} holds other networks than this configuration. Try --init-from {source}. ({error})") from error
    run.start_at(loaded.nimg)
    if run.is_done:
        raise UserError(f"{source} stands at kimg {loaded.nimg / 1000:g} already. Ask for more with --total-kimg.")
    run.run_dir.log(f"Weights, averages, kimg ({loaded.nimg / 1000:.1f}) and schedule from {source}; both optimizers start fresh.")


def take_weights(run: Run, source: str) -> None:
    """Takes what fits of the weights of other networks, and logs the table."""
    loaded = stylegan_tf.load(source)
    rows = transfer.transfer(loaded, run.networks, min_share=run.settings.transfer.min_share)
    run.run_dir.log(f"Weights from {loaded.source or source}:\n{transfer.table(rows)}")


def finish(run: Run, stopped_by: str | None) -> int:
    """Says where the results are; returns the exit code."""
    if stopped_by is None:
        path = run.run_dir.path
        run.run_dir.log(f"Done. Pictures: {newest_picture(path)}. Curves and verdict: {path / 'report.html'}")
        run.run_dir.log(f"Next: python generate.py images --network {path} --seeds 0-63 --grid --outdir out", is_kept=False)
    run.run_dir.close()
    return 0


def newest_picture(folder: Path) -> Path:
    """The image grid drawn last."""
    return max(folder.glob("fakes*.png"), key=lambda picture: picture.stat().st_mtime, default=folder)


def write_config(settings: TrainingSettings, run_dir: RunDir, dataset: Any, devices: Devices, command: Sequence[str]) -> None:
    """Writes config.json: settings, dataset, devices, library version."""
    run_dir.write_json(
        CONFIG_NAME,
        {
            "settings": settings_text.to_plain(settings),
            "dataset": identity_of(dataset, settings),
            "devices": devices.description,
            "library_version": stylegan_tf.__version__,
            "command": list(command),
        },
    )


def _first_command(run_dir: RunDir) -> list[str]:
    """The command line that a run was started with."""
    path = run_dir / CONFIG_NAME
    return json.loads(path.read_text(encoding="utf-8")).get("command", []) if path.exists() else []


def describe(settings: TrainingSettings, dataset: Any, devices: Devices) -> str:
    """What is trained, on what, and how long, in three lines."""
    schedule = settings.schedule
    resolution = settings.data.resolution
    labels = f", {dataset.label_size} classes" if settings.data.conditional else ""
    growth = f"growing from {schedule.start_resolution}x{schedule.start_resolution}"
    growth = "no growing" if schedule.start_resolution == resolution else growth
    return (
        f"Preset {settings.name}: {resolution}x{resolution}x{dataset.channels}, {growth}, {schedule.total_kimg:g} kimg\n"
        f"Data {dataset.path}: {dataset.num_images} images{labels}{', mirrored' if settings.data.mirror else ''}\n"
        f"Devices {devices.description}"
    )
