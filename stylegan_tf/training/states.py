"""Training states: when they are written, which settings may change when a run is resumed, what is restored and which files are cut."""

import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stylegan_tf import settings_text, snapshot
from stylegan_tf.errors import UserError
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.snapshot_file import read_contents
from stylegan_tf.training import faults, state_file
from stylegan_tf.training.devices import Workers
from stylegan_tf.training.outputs import Outputs
from stylegan_tf.training.run import Run
from stylegan_tf.training.run_dir import FINAL_NAME, RunDir, nimg_of, renamed_final
from stylegan_tf.training.state_file import GROWING_FILES, State
from stylegan_tf.training.tensorboard import drop_events_after


class States:
    """Writes the training state of a run, one file, and returns to it."""

    def __init__(self, run: Run, run_dir: RunDir, workers: Workers):
        self._run, self._run_dir, self._workers = run, run_dir, workers
        self._last_time = time.monotonic()

    @property
    def is_due(self) -> bool:
        """Whether the last state is older than `state_ticks` or `state_minutes`; ticks are counted at their end."""
        run, settings = self._run, self._run.settings.run
        is_tick_end = run.meter.start_nimg == run.nimg and run.is_at_update and run.meter.tick > 0
        is_due = is_tick_end and run.meter.tick % settings.state_ticks == 0
        is_late = time.monotonic() - self._last_time > settings.state_minutes * 60
        return is_due or self._workers.any(is_late, run.is_at_update)

    def write(self) -> None:
        """Writes the state. Raises DivergedError if a weight is not finite; the last state is kept then."""
        self._save({**self._place(), **self._run.arrays()})
        self._last_time = time.monotonic()

    def writer(self, is_copied: bool = False) -> Callable[[], None]:
        """A function that writes the present state from another thread.

        Args:
            is_copied: copy the weights now, because they may change before the function is called.
        """
        place = self._place()
        copied = self._run.arrays() if is_copied and self._run.devices.is_chief else None
        return lambda: self._save({**place, **(copied or self._run.arrays())})

    def roll_back(self, error: faults.DivergedError, outputs: Outputs) -> None:
        """Returns to the last state with another seed. Raises UserError if the settings do not allow another rollback."""
        run, settings = self._run, self._run.settings.run
        if settings.on_nan == "stop" or run.position.num_rollbacks >= settings.max_rollbacks:
            raise UserError(faults.diverged_message(error, run.nimg, settings.on_nan)) from error
        state, count = state_file.read(self._run_dir.state_path), run.position.num_rollbacks + 1
        outputs.close()
        drop_newer(self._run_dir, state)
        outputs.reopen(state["position"]["nimg"])
        restore(run, state, self._run_dir)
        run.position.num_rollbacks = count
        run.reseed()
        rollback = f"rollback {count} of {settings.max_rollbacks}"
        self._run_dir.log(f"{error}: returned to kimg {run.nimg / 1000:.1f} with another seed ({rollback})")
        self.write()  # with the number of rollbacks

    def _place(self) -> dict[str, Any]:
        return {"state_version": state_file.STATE_VERSION, **self._run.place(), "file_sizes": file_sizes(self._run_dir)}

    def _save(self, state: dict[str, Any]) -> None:
        faults.check_weights(state["weights"])
        # Other workers need a state only for rollbacks, which happen on all workers at once, since statistics are the same.
        if self._run.devices.is_chief or self._run.settings.run.on_nan == "rollback":
            snapshot.save_state(self._run_dir.state_path, state)


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
