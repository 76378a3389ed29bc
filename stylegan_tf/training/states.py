"""The training state of a run as a file: when it is written, and returning to it after divergence."""

import time
from collections.abc import Callable
from typing import Any

from stylegan_tf import snapshot
from stylegan_tf.errors import UserError
from stylegan_tf.training import faults, resume, state_file
from stylegan_tf.training.devices import Workers
from stylegan_tf.training.outputs import Outputs
from stylegan_tf.training.run import Run
from stylegan_tf.training.run_dir import RunDir


class States:
    """Writes the training state of a run, one file, and returns to it.

    Args:
        run: the run.
        run_dir: its folder.
        workers: of the run.
    """

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
        resume.drop_newer(self._run_dir, state)
        outputs.reopen(state["position"]["nimg"])
        resume.restore(run, state, self._run_dir)
        run.position.num_rollbacks = count
        run.reseed()
        rollback = f"rollback {count} of {settings.max_rollbacks}"
        self._run_dir.log(f"{error}: returned to kimg {run.nimg / 1000:.1f} with another seed ({rollback})")
        self.write()  # with the number of rollbacks

    def _place(self) -> dict[str, Any]:
        return {"state_version": state_file.STATE_VERSION, **self._run.place(), "file_sizes": resume.file_sizes(self._run_dir)}

    def _save(self, state: dict[str, Any]) -> None:
        faults.check_weights(state["weights"])
        # Other workers need a state only for rollbacks, which happen on all workers at once, since statistics are the same.
        if self._run.devices.is_chief or self._run.settings.run.on_nan == "rollback":
            snapshot.save_state(self._run_dir.state_path, state)
