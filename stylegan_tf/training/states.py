"""When a run writes its training state: after a tick, in the background while steps are traced, and before it goes back."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stylegan_tf import snapshot
from stylegan_tf.errors import UserError
from stylegan_tf.training import faults, resume

if TYPE_CHECKING:
    from stylegan_tf.training.run import Run


class States:
    """The training state of one run, of which there is one file.

    Args:
        run: the run.
    """

    def __init__(self, run: "Run"):
        self._run = run
        self._last_time = time.monotonic()

    @property
    def is_due(self) -> bool:
        """True where the last state is older than the settings allow; ticks count at their end."""
        run, settings = self._run, self._run.settings.run
        is_tick_end = run.meter.start_nimg == run.nimg and run.pairs_left == 0 and run.meter.tick > 0
        is_due = is_tick_end and run.meter.tick % settings.state_ticks == 0
        is_late = time.monotonic() - self._last_time > settings.state_minutes * 60
        return is_due or run.agreement.is_wanted(is_late, run.pairs_left == 0)

    def write(self) -> None:
        """Writes the state; raises DivergedError rather than save weights that are not finite."""
        self._save(resume.collect(self._run))
        self._last_time = time.monotonic()

    def writer(self, is_copied: bool = False) -> Callable[[], None]:
        """A function for another thread that writes the state of this moment.

        Args:
            is_copied: take a copy of the weights now: they may change before the function is called.
        """
        run = self._run
        place = resume.collect_place(run)
        copied = resume.collect_arrays(run) if is_copied and run.devices.is_chief else None
        return lambda: self._save({**place, **(copied or resume.collect_arrays(run))})

    def roll_back(self, error: faults.DivergedError) -> None:
        """Goes back to the last state with another seed, or raises UserError where that is not wanted (any more)."""
        run, settings = self._run, self._run.settings.run
        if settings.on_nan == "stop" or run.num_rollbacks >= settings.max_rollbacks:
            raise UserError(faults.diverged_message(error, run)) from error
        state, count = resume.read(run.run_dir.state_path), run.num_rollbacks + 1
        run.outputs.close()
        resume.drop_newer(run.run_dir, state)
        run.outputs.reopen()
        resume.restore(run, state)
        run.num_rollbacks = count
        run.trainer.seed = run.seed
        run.run_dir.log(f"{error}: back to kimg {run.nimg / 1000:.1f} with another seed (rollback {count} of {settings.max_rollbacks})")
        self.write()  # so that the count outlives the process

    def _save(self, state: dict[str, Any]) -> None:
        faults.check_weights(state["weights"])
        # A worker keeps its own copy of what it may have to go back to: the statistics are the same on all of them, and so is the way.
        if self._run.devices.is_chief or self._run.settings.run.on_nan == "rollback":
            snapshot.save_state(self._run.run_dir.state_path, state)
