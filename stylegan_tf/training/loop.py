"""The training loop: runs iterations until the run is complete, stopped or faulty, and what is due between them."""

import contextlib
from collections.abc import Iterator

from stylegan_tf.errors import UserError
from stylegan_tf.progress_bar import format_sec, working
from stylegan_tf.training import faults
from stylegan_tf.training.cluster import Messages
from stylegan_tf.training.devices import Workers
from stylegan_tf.training.outputs import Outputs
from stylegan_tf.training.progress import LiveLine
from stylegan_tf.training.run import Run
from stylegan_tf.training.run_dir import RunDir
from stylegan_tf.training.states import States
from stylegan_tf.training.stopping import StopRequest


def train(run: Run, run_dir: RunDir, outputs: Outputs, is_resumed: bool = False, may_exit: bool = True) -> str | None:
    """Trains until the run is complete, or until a signal, abort.txt or control.json stops it.

    Args:
        outputs: writes its files at the end of a tick; closed at the end.
        is_resumed: whether the run has a training state already.
        may_exit: see `StopRequest`.

    Returns:
        What stopped the run early, None if it is complete.

    Raises:
        UserError: divergence, or a fault of memory, disk or data; says what to do. The last training state is valid.
    """
    if run.trainer.compiler is not None:
        run.trainer.compiler.log = run_dir.log
    workers = Workers(run.devices)
    states = States(run, run_dir, workers)
    messages = None if workers.is_single else Messages(workers.is_chief)
    how_to_resume = run_dir.how_to_resume
    stop = StopRequest(
        run_dir.log, run_dir.abort_requested, how_to_resume=how_to_resume, messages=messages, on_exit=run_dir.close, may_exit=may_exit
    )
    with stop, contextlib.closing(outputs):
        try:
            if not is_resumed or not run.devices.is_chief:
                states.write()  # so that a run that is killed in its first minutes can be resumed, and every worker has a state
            return _Loop(run, run_dir, outputs, states, workers, stop).run_to_end()
        except faults.DivergedError as error:
            raise UserError(faults.diverged_message(error, run.nimg, run.settings.run.on_nan)) from error
        except Exception as error:
            stop.wait_for_end(error)
            data_path = run.networks.dataset["path"]
            explained = faults.explained(
                error, run.stage, num_devices=run.devices.num_devices, least_part=run.settings.least_part(run.stage.minibatch),
                is_float32=run.devices.has_gpus and run.devices.policy == "float32", run_dir=run_dir, data_path=data_path,
            )  # fmt: skip
            if explained is error:
                raise
            raise explained from error


class _Loop:
    """The loop of one process; see `train`."""

    def __init__(self, run: Run, run_dir: RunDir, outputs: Outputs, states: States, workers: Workers, stop: StopRequest):
        self.run, self.run_dir, self.outputs = run, run_dir, outputs
        self.states, self.workers, self.stop = states, workers, stop
        self.live = LiveLine(outputs.forecast.left_sec)
        self.prepared: tuple[int, bool] | None = None  # resolution, and whether it fades in: of the last trace

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
        """Writes the image grids before the first iteration."""
        if self.run.devices.is_chief:
            with self.stop.idle(self.states.writer()), working("Writing the first pictures"):
                self.outputs.write_first(self.run.snapshot())
        self.run.meter.finish_maintenance()

    def _advance(self) -> None:
        """Runs the iterations of one call of TensorFlow, and what is due after them."""
        run = self.run
        if not run.is_tick_over:  # a resumed run may begin at the end of a tick
            on_trace = self.outputs.events.graph if run.settings.run.profile_graph else None
            run.advance(self._while_tracing, on_trace)
            if run.is_at_update:
                self.live.show(run.nimg, run.settings.schedule.total_kimg, run.stage)
        if run.is_tick_over:
            with self.stop.idle(self.states.writer()):
                self._finish_tick()
        if self.states.is_due:
            with self.stop.saving():
                self.states.write()

    @contextlib.contextmanager
    def _while_tracing(self) -> Iterator[None]:
        """Says that a trace begins. A context for it, in which another thread may write the state of before."""
        self.live.clear()
        run, size = self.run, self.run.stage.resolution
        kind = (size, run.stage.lod % 1 > 0)
        if run.devices.is_chief and kind != self.prepared:  # lazy penalties have a trace of their own, which follows at once
            self.prepared = kind
            forecast = self.outputs.forecast
            sec = forecast.trace_sec + forecast.cost(kind) * run.stage.minibatch / 1000
            self.run_dir.log(f"Preparing {size}x{size} (about {format_sec(sec)})", is_kept=False)
        with self.stop.idle(self.states.writer(is_copied=True)), working(f"Preparing {size}x{size}"):
            yield

    def _finish_tick(self) -> None:
        run = self.run
        self.live.clear()
        stage = run.stage  # before control.json changes the learning rates of the next tick
        run.control.read_on_all(self.run_dir, self.workers)
        with working("Writing the end of the tick"):
            self.outputs.finish_tick(run, stage)
        if run.devices.is_chief:
            run.control.remove_commands(self.run_dir)
        run.meter.finish_maintenance()

    def _stop_reason(self) -> str | None:
        """What stops the run now, None if nothing does; the same decision on all workers."""
        if "stop" in self.run.control.commands:
            return "control.json"  # all workers have read it
        reason = self.stop.reason or self.outputs.stopped_by or self.run_dir.abort_requested()
        return (reason or "another worker") if self.workers.any(reason is not None, self.run.is_at_update) else None

    def _end_early(self, reason: str) -> None:
        self.live.clear()
        with self.stop.saving():
            self.states.write()
        kimg = self.run.nimg / 1000
        self.run_dir.log(f"Stopped by {reason} at kimg {kimg:.1f}; the training state is saved. Resume with: {self.run_dir.how_to_resume}")
