"""The training loop: starts or resumes, runs iteration after iteration, and ends with everything saved whatever happens."""

import contextlib
from contextlib import AbstractContextManager
from typing import Any

from stylegan_tf.errors import UserError
from stylegan_tf.training import faults, resume
from stylegan_tf.training.agreement import Agreement
from stylegan_tf.training.notices import Notices
from stylegan_tf.training.outputs import Outputs
from stylegan_tf.training.progress import LiveLine
from stylegan_tf.training.run import Run
from stylegan_tf.training.run_dir import RunDir
from stylegan_tf.training.states import States
from stylegan_tf.training.stopping import StopRequest


def train(run: Run, run_dir: RunDir, outputs: Outputs, state: dict[str, Any] | None = None) -> str | None:
    """Trains to the end, or to a signal, a file named abort.txt or an order to stop.

    Args:
        run: what is trained.
        run_dir: its folder.
        outputs: what is written there at the end of a tick; closed at the end.
        state: a training state to resume from, None for a fresh start.

    Returns:
        Who ended the run early, None where it is complete.

    Raises:
        UserError: divergence, memory, disk or data: says what to do. The last training state is good.
    """
    agreement = Agreement(run.devices)
    states = States(run, run_dir, agreement)
    notices = Notices(run.devices) if run.devices.num_workers > 1 else None
    stop = StopRequest(run_dir.log, run_dir.asked_to_stop, how_to_resume=run_dir.how_to_resume, notices=notices, leave=run_dir.close)
    with stop, contextlib.closing(outputs):
        try:
            if state is not None:
                resume.restore(run, state, run_dir)
            if state is None or not run.devices.is_chief:
                states.write()  # a run that is ended in its first minutes can be resumed too, and a worker has a state of its own
            return _Loop(run, run_dir, outputs, states, agreement, stop).run_to_end()
        except faults.DivergedError as error:
            raise UserError(faults.diverged_message(error, run.nimg, run.settings.run.on_nan)) from error
        except Exception as error:
            stop.await_end(error)
            data_path = run.networks.dataset["path"]
            explained = faults.explained(error, run.stage, num_devices=run.devices.num_devices, run_dir=run_dir, data_path=data_path)
            if explained is error:
                raise
            raise explained from error


class _Loop:
    """The loop of one process; see `train`."""

    def __init__(self, run: Run, run_dir: RunDir, outputs: Outputs, states: States, agreement: Agreement, stop: StopRequest):
        self.run, self.run_dir, self.outputs = run, run_dir, outputs
        self.states, self.agreement, self.stop = states, agreement, stop
        self.live = LiveLine()

    def run_to_end(self) -> str | None:
        run = self.run
        if run.meter.tick == 0 and not self.outputs.has_begun:
            self._begin()
        while not run.is_done or run.is_tick_over:
            reason = self._stop_reason()
            if reason:
                self._end_early(reason)
                return reason
            try:
                self._advance()
            except faults.DivergedError as error:
                self.states.roll_back(error, self.outputs)
        with self.stop.saving():
            self.states.write()
        return None

    def _begin(self) -> None:
        """What is written before the first iteration."""
        if self.run.devices.is_chief:
            with self.stop.resting(self.states.writer()):
                self.outputs.write_first(self.run.snapshot())
        self.run.meter.finish_maintenance()

    def _advance(self) -> None:
        """The iterations of one call, and what is due after them."""
        run = self.run
        if not run.is_tick_over:  # or the run was ended there
            on_trace = self.outputs.events.graph if run.settings.run.profile_graph else None
            run.advance(self._while_tracing, on_trace)
            if run.is_at_update:
                self.live.show(run.nimg, run.settings.schedule.total_kimg, run.stage)
        if run.is_tick_over:
            with self.stop.resting(self.states.writer()):
                self._finish_tick()
        if self.states.is_due:
            with self.stop.saving():
                self.states.write()

    def _while_tracing(self) -> AbstractContextManager:
        """While iterations are traced, the state before them can be saved from another thread."""
        return self.stop.resting(self.states.writer(is_copied=True))

    def _finish_tick(self) -> None:
        run = self.run
        self.live.clear()
        stage_of_tick = run.stage  # control.json changes the rates of the next one
        self.agreement.read_control(run.control, self.run_dir)
        self.outputs.finish_tick(run, stage_of_tick)
        if run.devices.is_chief:
            run.control.settle(self.run_dir)
        run.meter.finish_maintenance()

    def _stop_reason(self) -> str | None:
        """Who wants the run to end now, None where nobody does."""
        if "stop" in self.run.control.orders:
            return "control.json"  # all workers have read it
        return self.agreement.stop_reason(self.stop.reason or self.run_dir.asked_to_stop(), self.run.is_at_update)

    def _end_early(self, reason: str) -> None:
        self.live.clear()
        with self.stop.saving():
            self.states.write()
        kimg = self.run.nimg / 1000
        self.run_dir.log(f"Stopped by {reason} at kimg {kimg:.1f}; the training state is saved. Resume with: {self.run_dir.how_to_resume}")
