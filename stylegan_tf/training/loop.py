"""The training loop: begins or goes on, runs step after step, and ends well whatever happens."""

import contextlib
from typing import Any

from stylegan_tf.errors import UserError
from stylegan_tf.training import faults, resume
from stylegan_tf.training.notices import Notices
from stylegan_tf.training.run import Run
from stylegan_tf.training.stopping import StopRequest


def train(run: Run, state: dict[str, Any] | None = None) -> str | None:
    """Runs to the end, or to a signal, a file named abort.txt or an order to stop.

    Args:
        run: the run.
        state: a training state to go on from, None for a fresh start.

    Returns:
        Who ended the run early, None where it is complete.

    Raises:
        UserError: divergence, memory, disk or data: says what to do. The last training state is good.
    """
    with (
        _stop_request(run) as stop,
        contextlib.closing(run.outputs),
    ):
        try:
            if state is not None:
                resume.restore(run, state)
            if state is None or not run.devices.is_chief:
                run.states.write()  # a run that is ended in its first minutes can go on too, and a worker has its own to go back to
            if run.meter.tick == 0 and not run.outputs.has_begun:
                _begin(run, stop)
            while not run.is_done or run.is_tick_over:
                reason = _stop_reason(run, stop)
                if reason:
                    _end_early(run, stop, reason)
                    return reason
                _advance(run, stop)
            with stop.saving():
                run.states.write()
        except faults.DivergedError as error:
            raise UserError(faults.diverged_message(error, run)) from error
        except Exception as error:
            stop.await_end(error)
            told = faults.explained(error, run)
            if told is error:
                raise
            raise told from error
    return None


def _stop_request(run: Run) -> StopRequest:
    run_dir = run.run_dir
    notices = Notices(run.devices) if run.devices.num_workers > 1 else None
    return StopRequest(run_dir.log, run_dir.asked_to_stop, how_to_go_on=run_dir.how_to_go_on, notices=notices, leave=run_dir.close)


def _begin(run: Run, stop: StopRequest) -> None:
    """What is written before the first step."""
    if run.devices.is_chief:
        with stop.resting(run.states.writer()):
            run.outputs.write_first(run.bundle())
    run.meter.finish_maintenance()


def _stop_reason(run: Run, stop: StopRequest) -> str | None:
    """Who wants the run to end now, None where nobody does."""
    if "stop" in run.control.orders:
        return "control.json"  # all workers have heard it
    return run.agreement.stop_reason(stop.reason or run.run_dir.asked_to_stop(), run.pairs_left == 0)


def _advance(run: Run, stop: StopRequest) -> None:
    """A pair of steps, or as many as one call runs, and what is due after it; back to the last state where it has diverged."""
    try:
        if not run.is_tick_over:  # or it was cut off there
            run.run_pairs(stop.resting)
        if run.is_tick_over:
            with stop.resting(run.states.writer()):
                run.finish_tick()
        if run.states.is_due:
            with stop.saving():
                run.states.write()
    except faults.DivergedError as error:
        run.states.roll_back(error)


def _end_early(run: Run, stop: StopRequest, reason: str) -> None:
    run.live.clear()
    with stop.saving():
        run.states.write()
    run.run_dir.log(f"Stopped by {reason} at kimg {run.nimg / 1000:.1f}; the training state is saved. Go on: {run.run_dir.how_to_go_on}")
