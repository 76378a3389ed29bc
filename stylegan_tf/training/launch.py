"""Starting and resuming a run, from a program or from Python: the first lines of its log, the first weights, then the training loop."""

import dataclasses
import os
import shlex
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from stylegan_tf import data as datasets
from stylegan_tf import loading, models
from stylegan_tf.command_line import spelled
from stylegan_tf.data import Dataset
from stylegan_tf.data.records.manifest import are_classes
from stylegan_tf.errors import UserError
from stylegan_tf.models.weights import assign_weights
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.snapshot_file import read_contents
from stylegan_tf.training import config_file, loop, records, settings_check, states, transfer
from stylegan_tf.training import devices as device_choice
from stylegan_tf.training import run_dir as run_dirs
from stylegan_tf.training.best import SnapshotScores
from stylegan_tf.training.devices import Devices
from stylegan_tf.training.outputs import OnTick, Outputs
from stylegan_tf.training.run import Run, identity_of
from stylegan_tf.training.run_dir import ABORT_NAME, CONFIG_NAME, RunDir
from stylegan_tf.training.states import State

FEW_IMAGES = 1000  # below this, D memorises them in runs of some hours


def train(
    settings: TrainingSettings,
    *,
    data: str | os.PathLike | None = None,
    outdir: str | os.PathLike = "results",
    on_tick: OnTick | None = None,
    on_snapshot: SnapshotScores | None = None,
) -> Path:
    """Trains from Python, as `train.py` does from the command line: `stylegan_tf.training.train`.

    Ctrl-C, or interrupting the kernel of a notebook, ends the run at the next iteration, with a saved state. The process itself is
    never ended.

    Args:
        settings: of the run, such as `demo()` of `stylegan_tf.programs.config`.
        data: dataset folder; None: `settings.data.path`.
        outdir: folder of the run folders.
        on_tick: called at the end of every tick with its record (a line of stats.jsonl: "tick", "nimg", "Loss/G", ...) and the
            networks, which later iterations change; returns True to end the run. Must not change weights.
        on_snapshot: computes the scores of every snapshot, such as `metrics.during_training.snapshot_scores(...)`.

    Returns:
        The run folder. `stylegan_tf.load` reads its newest snapshot; `train.py --resume` continues a run that was stopped.

    Raises:
        UserError: settings that cannot work, no such dataset, divergence, a full disk, or a call outside of the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        raise UserError("train() handles signals, so it must be called in the main thread of the process.")
    if data is not None:
        settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, path=os.fspath(data)))
    settings_check.check(settings)
    dataset = datasets.open_dataset(settings.data.path)
    settings = settings_check.check(settings, dataset)
    run_dir, devices = open_run(settings, dataset, outdir)
    try:
        start(settings, run_dir, dataset, devices, command=["stylegan_tf.training.train"], on_snapshot=on_snapshot, on_tick=on_tick,
              may_exit=False)  # fmt: skip
    finally:
        run_dir.close()  # an interrupted cell of a notebook keeps its objects
    return run_dir.path


def open_run(settings: TrainingSettings, dataset: Dataset, outdir: str | os.PathLike) -> tuple[RunDir, Devices]:
    """The devices of a new run, and its folder `outdir/00003-MODEL-DATASET-1gpu` (or -cpu).

    Raises:
        UserError: the settings do not fit the devices, or the folder cannot be made.
    """
    devices = open_devices(settings)
    name = f"{settings.model}-{dataset.name}-{f'{devices.num_devices}gpu' if devices.has_gpus else 'cpu'}"
    return (run_dirs.create(outdir, name) if devices.is_chief else run_dirs.scratch()), devices


def open_devices(settings: TrainingSettings) -> Devices:
    """The devices of a run. Raises UserError if the settings do not fit them."""
    devices = device_choice.open_devices(settings.run)
    settings_check.check_minibatches(settings, devices.num_devices)
    return devices


def start(
    settings: TrainingSettings,
    run_dir: RunDir,
    dataset: Dataset,
    devices: Devices,
    *,
    command: Sequence[str] = (),
    source: Path | None = None,
    on_snapshot: SnapshotScores | None = None,
    on_tick: OnTick | None = None,
    may_exit: bool = True,
) -> int:
    """Starts a new run in an empty folder.

    Args:
        settings: as `settings_check.check` returned them.
        run_dir, dataset, devices: results of `run_dir.create`, `data.open_dataset` and `devices.open_devices`.
        command: the command line, for config.json.
        source: snapshot from which networks, kimg and schedule are taken; optimizers are initialised.
        on_snapshot, on_tick: see `Outputs`.
        may_exit: see `StopRequest`.

    Returns:
        Exit code.
    """
    config_file.write(run_dir, settings, dataset=identity_of(dataset, settings), devices=devices.description, command=command)
    run_dir.log(shlex.join(command), *describe(settings, dataset, devices))
    try:
        run = Run(settings, dataset, devices)
        set_first_weights(run, run_dir, source)
    except UserError:
        run_dir.discard()
        raise
    return finish(run_dir, loop.train(run, run_dir, Outputs(run, run_dir, on_snapshot, on_tick), may_exit=may_exit))


def resume(
    settings: TrainingSettings,
    run_dir: RunDir,
    dataset: Dataset,
    devices: Devices,
    *,
    state: State,
    report: Sequence[str],
    on_snapshot: SnapshotScores | None = None,
) -> int:
    """Resumes a run from `state`; `report` lists the differences of its configuration, for the log."""
    # Before any file is changed:
    states.check_dataset(state, identity_of(dataset, settings), run_dir.path)
    run_dir.check_files()
    command = config_file.read(run_dir.path).command if (run_dir / CONFIG_NAME).exists() else ()
    run = Run(settings, dataset, devices)
    states.restore(run, state, run_dir)

    dropped = states.drop_newer(run_dir, state)
    if state["position"]["nimg"] < settings.schedule.total_kimg * 1000:
        states.number_final(run_dir, state["position"]["nimg"])
    (run_dir / ABORT_NAME).unlink(missing_ok=True)  # it stopped the run before
    config_file.write(run_dir, settings, dataset=identity_of(dataset, settings), devices=devices.description, command=command)
    records.read(run_dir, report=run_dir.log)
    position = state["position"]["nimg"] / 1000
    run_dir.log(f"Resuming at kimg {position:.1f} in {run_dir.path} ({time.strftime('%Y-%m-%d %H:%M:%S')})", is_kept=False)
    if run.is_done:
        run_dir.log("This run is complete. To train it longer, add --total-kimg KIMG.", is_kept=False)
    if dropped:
        run_dir.log(f"Removed because newer than the training state: {', '.join(dropped)}", is_kept=False)
    for line in [*devices.notes, *report]:
        run_dir.log(line)
    return finish(run_dir, loop.train(run, run_dir, Outputs(run, run_dir, on_snapshot), is_resumed=True))


def set_first_weights(run: Run, run_dir: RunDir, source: Path | None) -> None:
    """Sets the weights of a new run: those of a snapshot and its place in the schedule, of other networks, or fresh ones."""
    transfer_settings = run.settings.transfer
    if source is not None:
        continue_snapshot(run, run_dir, source)
        return
    if transfer_settings.init_from:
        transfer_weights(run, run_dir, transfer_settings.init_from)
    if transfer_settings.start_lod is not None:
        run.start_at(round(run.schedule.kimg_at(transfer_settings.start_lod) * 1000))


def continue_snapshot(run: Run, run_dir: RunDir, source: Path) -> None:
    """Copies weights, averages, kimg and schedule from a snapshot of the same networks."""
    contents = read_contents(source)
    try:
        for name, network in run.networks.by_name().items():
            assign_weights(network, getattr(contents, name).weights)
    except (ValueError, AttributeError) as error:
        raise UserError(f"The networks in {source} differ from this configuration. Try --init-from {source}. ({error})") from error
    run.start_at(contents.nimg)
    if run.is_done:
        raise UserError(f"{source} was trained for {contents.nimg / 1000:g} kimg, the whole length of this run. Try a larger --total-kimg.")
    run_dir.log(f"Weights, averages, kimg ({contents.nimg / 1000:.1f}) and schedule are from {source}; both optimizers are initialised.")


def transfer_weights(run: Run, run_dir: RunDir, source: str) -> None:
    """Copies the weights of other networks as far as they fit, and logs a table of them."""
    loaded = loading.load(source)
    model = models.find(run.settings.model)
    rows = transfer.transfer(model, loaded, run.networks.by_name(), min_share=run.settings.transfer.min_share)
    run_dir.log(f"Weights from {loaded.source or source}:", *transfer.table(rows))


def finish(run_dir: RunDir, stopped_by: str | None) -> int:
    """Logs where the results are. Returns the exit code."""
    if stopped_by is None:
        path = run_dir.path
        picture = max(path.glob("fakes*.png"), key=lambda found: found.stat().st_mtime, default=path)
        run_dir.log(f"Done. Pictures: {picture}. Curves and verdict: {path / 'report.html'}")
        network = shlex.quote(str(path))
        run_dir.log(spelled(f"Next: python generate.py images --network {network} --seeds 0-63 --grid --outdir out"), is_kept=False)
    run_dir.close()
    return 0


def describe(settings: TrainingSettings, dataset: Dataset, devices: Devices) -> list[str]:
    """Networks, data and devices of a run, a line each, and what is worth knowing of data and devices."""
    schedule = settings.schedule
    resolution = settings.data.resolution
    labels = f", {dataset.label_size} classes" if settings.data.conditional else ""
    growth = f"growing from {schedule.start_resolution}x{schedule.start_resolution}"
    growth = "no growth" if schedule.start_resolution == resolution else growth
    hints = [hint for hint in (_unused_labels(settings, dataset), _few_images(settings, dataset)) if hint]
    return [
        f"Preset {settings.name}: {resolution}x{resolution}x{dataset.channels}, {growth}, {schedule.total_kimg:g} kimg",
        f"Data {dataset.path}: {dataset.num_images} images{labels}{', mirrored' if settings.data.mirror else ''}",
        f"Devices {devices.description}",
        *devices.notes,
        *hints,
    ]


def _unused_labels(settings: TrainingSettings, dataset: Dataset) -> str | None:
    if settings.data.conditional or not dataset.label_size:
        return None
    what = f"{dataset.label_size} classes" if are_classes(dataset.labels) else f"Labels of {dataset.label_size} numbers"
    return f"{what} found and not used; --conditional trains with them, so that a class can be generated on request."


def _few_images(settings: TrainingSettings, dataset: Dataset) -> str | None:
    if dataset.num_images >= FEW_IMAGES or settings.augment.kind != "none":
        return None
    return (
        f"{dataset.num_images} images are few: D may memorise them. More images and --mirror help, and in long runs "
        "--set augment.kind=ada (docs/small_datasets.md)."
    )
