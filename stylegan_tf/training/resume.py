"""Resuming a run from its training state: which settings may change, which files are cut, what is restored."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from stylegan_tf import settings_text
from stylegan_tf.errors import UserError
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.snapshot_file import read_contents
from stylegan_tf.training.run import Run
from stylegan_tf.training.run_dir import FINAL_NAME, RunDir, nimg_of, renamed_final
from stylegan_tf.training.state_file import GROWING_FILES, State
from stylegan_tf.training.tensorboard import drop_events_after

LOG_NAME = "log.txt"
NUMBERED_FILES = ("fakes*.png", "network-snapshot-*.pkl")


# Settings that do not change when a run is resumed: another value would be another network, another dataset or another run.
KEPT = ("model", "G.", "D.", "data.resolution", "data.conditional", "run.seed", "transfer.", "name")


def merged(saved: TrainingSettings, requested: TrainingSettings) -> tuple[TrainingSettings, list[str]]:
    """Settings of the resumed run, and one line for each difference that says whether it takes effect.

    Args:
        saved: settings of the run so far.
        requested: settings of the same model.

    Raises:
        UserError: another model is requested.
    """
    if saved.model != requested.model:
        raise UserError(
            f"The run trains the model {saved.model}; {requested.name} is a preset of {requested.model}. Start a new run for it."
        )
    changeable = {f"{which}.{name}" for which in ("G", "D") for name in getattr(saved, which).changeable}
    differences = settings_text.differences(saved, requested)
    kept = {name: old for name, old, _ in differences if name.startswith(KEPT) and name not in changeable}
    assignments = [f"{name}={old!r}" for name, old in kept.items() if name != "name"]
    settings = dataclasses.replace(settings_text.override(requested, assignments), name=saved.name)
    report = []
    for name, old, new in differences:
        effect = settings_text.overridden_by_table(settings, name) or "changed from now on"
        effect = "not changed, it cannot change within a run" if name in kept else effect
        report.append(f"{name}: {old!r} in the run, {new!r} requested: {effect}")
    return settings, report


def check_dataset(state: State, identity: Mapping[str, object], path: Path) -> None:
    """Raises UserError if the state in the run folder `path` was trained on another dataset than `identity` describes."""
    if state["dataset"]["digest"] != identity["digest"]:
        raise UserError(
            f"The state of {path} was trained on {state['dataset']['name']}; its images differ from those of {identity['path']}. "
            "Resume with the same --data, or start a new run from one of its snapshots."
        )


def restore(run: Run, state: State, run_dir: RunDir) -> None:
    """Restores a training state in a run of the same networks.

    Raises:
        UserError: the state belongs to other networks or another dataset.
    """
    check_dataset(state, run.networks.dataset, run_dir.path)
    try:
        run.load_state(state)
    except ValueError as error:
        raise UserError(f"{run_dir.state_path} does not fit the networks of this configuration: {error}") from error


def drop_newer(run_dir: RunDir, state: State) -> list[str]:
    """Removes what a run wrote after the state: lines, pictures, snapshots, events. Returns what was dropped, for the log."""
    dropped = []
    nimg = state["position"]["nimg"] - (1 if state.get("is_tick_over") else 0)
    for name, size in state["file_sizes"].items():
        path = run_dir / name
        if path.exists() and path.stat().st_size > size:
            os.truncate(path, size)
            if name != LOG_NAME:  # the last lines of a run that ended are after its last state: nothing is lost with them
                dropped.append(f"the end of {name}")
    for pattern in NUMBERED_FILES:
        for path in sorted(run_dir.path.glob(pattern)):
            if (nimg_of(path) or 0) > nimg:
                path.unlink()
                dropped.append(path.name)
    for path in run_dir.path.glob(".*.partial*"):
        path.unlink()
    return dropped + drop_events_after(run_dir.path, nimg)


def number_final(run_dir: RunDir, nimg: int) -> None:
    """Renames network-final.pkl of a run that is resumed from `nimg` images to a numbered snapshot.

    Under its old name it would count as newer than every later snapshot. One that is newer than the state is removed: the run will
    write it again.
    """
    path = run_dir / FINAL_NAME
    if not path.exists():
        return
    of_final = read_contents(path).nimg
    if of_final > nimg:
        path.unlink()
    else:
        os.replace(path, run_dir / renamed_final(of_final))


def file_sizes(run_dir: RunDir) -> dict[str, int]:
    """Bytes of the files that are only appended to, as a state keeps them."""
    paths = {name: run_dir / name for name in GROWING_FILES}
    return {name: path.stat().st_size if path.exists() else 0 for name, path in paths.items()}
