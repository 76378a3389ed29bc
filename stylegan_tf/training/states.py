"""When a run writes its training state: after a tick, in the background while iterations are traced, and before it goes back."""

import time
from collections.abc import Callable
from typing import Any

from stylegan_tf import snapshot
from stylegan_tf.errors import UserError
from stylegan_tf.training import faults, resume
from stylegan_tf.training.agreement import Agreement
from stylegan_tf.training.outputs import Outputs
from stylegan_tf.training.run import Run
from stylegan_tf.training.run_dir import RunDir


class States:
    """Writes the training state of one run, of which there is one file, and goes back to it.

    Args:
        run: whose state.
        run_dir: where the file is.
        agreement: with the other machines.
    """

    def __init__(self, run: Run, run_dir: RunDir, agreement: Agreement):
        self._run, self._run_dir, self._agreement = run, run_dir, agreement
        self._last_time = time.monotonic()

    @property
    def is_due(self) -> bool:
        """True where the last state is older than the settings allow; ticks count at their end."""
        run, settings = self._run, self._run.settings.run
        is_tick_end = run.meter.start_nimg == run.nimg and run.is_at_update and run.meter.tick > 0
        is_due = is_tick_end and run.meter.tick % settings.state_ticks == 0
        is_late = time.monotonic() - self._last_time > settings.state_minutes * 60
        return is_due or self._agreement.is_wanted(is_late, run.is_at_update)

    def write(self) -> None:
        """Writes the state; raises DivergedError rather than save weights that are not finite."""
        self._save({**self._place(), **self._run.arrays()})
        self._last_time = time.monotonic()

    def writer(self, is_copied: bool = False) -> Callable[[], None]:
        """A function for another thread that writes the state of this moment.

        Args:
            is_copied: copy the weights now: they may change before the function is called.
        """
        place = self._place()
        copied = self._run.arrays() if is_copied and self._run.devices.is_chief else None
        return lambda: self._save({**place, **(copied or self._run.arrays())})

    def roll_back(self, error: faults.DivergedError, outputs: Outputs) -> None:
        """Goes back to the last state with another seed; raises UserError where the settings do not allow it (any more)."""
        run, settings = self._run, self._run.settings.run
        if settings.on_nan == "stop" or run.position.num_rollbacks >= settings.max_rollbacks:
            raise UserError(faults.diverged_message(error, run.nimg, settings.on_nan)) from error
        state, count = resume.read(self._run_dir.state_path), run.position.num_rollbacks + 1
        outputs.close()
        resume.drop_newer(self._run_dir, state)
        outputs.reopen()
        resume.restore(run, state, self._run_dir)
        run.position.num_rollbacks = count
        run.reseed()
        self._run_dir.log(f"{error}: back to kimg {run.nimg / 1000:.1f} with another seed (rollback {count} of {settings.max_rollbacks})")
        self.write()  # so that the count outlives the process

    def _place(self) -> dict[str, Any]:
        return {"state_version": resume.STATE_VERSION, **self._run.place(), "file_sizes": resume.file_sizes(self._run_dir)}

    def _save(self, state: dict[str, Any]) -> None:
        faults.check_weights(state["weights"])
        # A worker keeps a copy of its own to which it may have to go back: statistics, and so rollbacks, are the same on all workers.
        if self._run.devices.is_chief or self._run.settings.run.on_nan == "rollback":
            snapshot.save_state(self._run_dir.state_path, state)
