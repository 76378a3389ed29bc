"""Resuming a run from its training state: which settings may change, what is dropped, what is restored."""

import contextlib
import dataclasses
import os
from pathlib import Path
from typing import Any

from stylegan_tf import settings_text, snapshot
from stylegan_tf.errors import UserError
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.snapshot_file import read_contents
from stylegan_tf.training.run import Run
from stylegan_tf.training.run_dir import FINAL_NAME, RunDir, nimg_of
from stylegan_tf.training.snapshots import renamed_final

STATE_VERSION = 2
# Files that only grow: what is newer than the state is cut off when a run is resumed.
GROWING_FILES = ("log.txt", "stats.jsonl")
NUMBERED_FILES = ("fakes*.png", "network-snapshot-*.pkl")


# Settings that a run keeps for life: another value would be another network, another dataset or another run.
KEPT = ("model", "G.", "D.", "data.resolution", "data.conditional", "run.seed", "transfer.", "name")


def merged(saved: TrainingSettings, wanted: TrainingSettings) -> tuple[TrainingSettings, list[str]]:
    """Settings to continue with, and one line for each difference that says whether it takes effect.

    Args:
        saved: settings of the run so far.
        wanted: settings asked for, of the same model.

    Raises:
        UserError: another model is asked for.
    """
    if saved.model != wanted.model:
        raise UserError(f"The run trains the model {saved.model}; {wanted.name} is a preset of {wanted.model}. Start a new run for it.")
    changeable = {f"{which}.{name}" for which in ("G", "D") for name in getattr(saved, which).changeable}
    kept, report = [], []
    for name, old, new in settings_text.differences(saved, wanted):
        is_kept = name.startswith(KEPT) and name not in changeable
        effect = "kept as the run began, the new value has no effect" if is_kept else "takes effect from here on"
        report.append(f"{name}: {old!r} in the run, {new!r} asked for: {effect}")
        if is_kept and name != "name":
            kept.append(f"{name}={old!r}")
    settings = dataclasses.replace(settings_text.override(wanted, kept), name=saved.name)
    return settings, report


def check_dataset(state: dict[str, Any], identity: dict[str, Any], path: Path) -> None:
    """Raises UserError where the state in the run folder `path` was trained on another dataset than the one at hand."""
    if state["dataset"]["digest"] != identity["digest"]:
        raise UserError(
            f"The state of {path} was trained on {state['dataset']['name']} with other content than {identity['path']}. "
            "Resume with the same --data, or start a new run from one of its snapshots."
        )


def restore(run: Run, state: dict[str, Any], run_dir: RunDir) -> None:
    """Puts a training state into a run of the same networks.

    Raises:
        UserError: the state belongs to other networks or another dataset.
    """
    check_dataset(state, run.networks.dataset, run_dir.path)
    try:
        run.load_state(state)
    except ValueError as error:
        raise UserError(f"The state of {run_dir.path} does not fit the networks of this configuration: {error}") from error


def read(path: str | os.PathLike) -> dict[str, Any]:
    """Reads a training state.

    Raises:
        UserError: not a training state, or one of a later version.
    """
    state = snapshot.load_state(path)
    version = state.get("state_version") if isinstance(state, dict) else None
    if type(version) is not int or not 1 <= version <= STATE_VERSION:
        raise UserError(f"{path} is not a training state that this version reads (version {version}, expected 1 to {STATE_VERSION}).")
    return state


def drop_newer(run_dir: RunDir, state: dict[str, Any]) -> list[str]:
    """Removes what a run wrote after the state was taken: lines, pictures, snapshots, events. Returns what was dropped."""
    dropped = []
    nimg = state["position"]["nimg"] - (1 if state.get("is_tick_over") else 0)
    for name, size in state["file_sizes"].items():
        path = run_dir / name
        if path.exists() and path.stat().st_size > size:
            os.truncate(path, size)
            dropped.append(f"the end of {name}")
    for pattern in NUMBERED_FILES:
        for path in sorted(run_dir.path.glob(pattern)):
            if (nimg_of(path) or 0) > nimg:
                path.unlink()
                dropped.append(path.name)
    for path in run_dir.path.glob(".*.partial*"):
        path.unlink()
    return dropped + _cut_events(run_dir.path, nimg)


def number_final(run_dir: RunDir, nimg: int) -> None:
    """Gives network-final.pkl of a run that goes on from `nimg` images the number of its own: it is the last one no longer.

    Without this it would hide every later snapshot. One that is newer than the state goes: it will be written again.
    """
    path = run_dir / FINAL_NAME
    if not path.exists():
        return
    of_final = read_contents(path).nimg
    if of_final > nimg:
        path.unlink()
    else:
        os.replace(path, run_dir / renamed_final(of_final))


def _cut_events(folder: Path, nimg: int) -> list[str]:
    """Rewrites the event files that hold steps after `nimg` without them."""
    import tensorflow as tf
    from tensorflow.core.util.event_pb2 import Event

    cut = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        records, is_whole = [], False
        with contextlib.suppress(tf.errors.DataLossError):  # the last record was being written when the process ended
            records.extend(record.numpy() for record in tf.data.TFRecordDataset(str(path)))
            is_whole = True
        kept = [record for record in records if Event.FromString(record).step <= nimg]
        if len(kept) < len(records) or not is_whole:
            temporary = str(path) + ".partial"
            with tf.io.TFRecordWriter(temporary) as writer:
                for record in kept:
                    writer.write(record)
            os.replace(temporary, path)
            cut.append(f"{len(records) - len(kept)} events")
    return cut


def file_sizes(run_dir: RunDir) -> dict[str, int]:
    """Bytes of the files that only grow: what is appended later is cut off when a run is resumed."""
    paths = {name: run_dir / name for name in GROWING_FILES}
    return {name: path.stat().st_size if path.exists() else 0 for name, path in paths.items()}
