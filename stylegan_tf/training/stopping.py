"""Ending a run early: on signals and abort.txt, within ten seconds, with a saved state whatever the program is doing."""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

from stylegan_tf.training.cluster import Messages

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
# Runs end within 10 s. A step that is running has 8 s; other work (tracing, scoring, writing) has 2 s before it is abandoned, so
# that the rest is left for writing the state.
STEP_SEC = 8.0
WORK_SEC = 2.0
POLL_SEC = 0.5  # between two checks for abort.txt
CHIEF_SHARE = 0.7  # share of these times on the chief of several workers: it is informed late, and the others later still
ANNOUNCE_SEC = 1.0  # how long the chief waits for the others to receive its last message; they check ten times a second


def handle_signals_before_training() -> None:
    """Until a `StopRequest` is entered, a signal ends the process: there is nothing to save yet.

    Exit code 130 for Ctrl-C, as in every program; 0 with a message for the others, which batch systems send.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            raise SystemExit(130)
        with contextlib.suppress(OSError):  # the terminal is closed
            print(f"Stopped by {signal.Signals(number).name} before training began; there is nothing to save.", flush=True)
        raise SystemExit(0)

    for number in handled_signals():
        signal.signal(number, end)


def handled_signals() -> list[signal.Signals]:
    """`SIGNALS` without SIGHUP and SIGQUIT if they are ignored, as in a process started by nohup."""
    can_be_ignored = (signal.SIGHUP, signal.SIGQUIT)
    return [number for number in SIGNALS if number not in can_be_ignored or signal.getsignal(number) != signal.SIG_IGN]


def exit_immediately(program: Callable[[], int]) -> None:
    """Runs a program, and ends the process with its exit code without destroying its objects.

    Python would free everything that TensorFlow has allocated first, which takes 2 to 25 s. Several workers shut down their
    connections and end in the usual way.
    """
    try:
        code = program()
    except SystemExit as ended:
        code = ended.code
    if os.environ.get("TF_CONFIG") or not isinstance(code, int):
        raise SystemExit(code)
    sys.stderr.flush()
    os._exit(code)


class StopRequest:
    """Waits for a request to end the run while it is entered; `reason` is who made it, None without one.

    A step of a large network, a trace or a score can take longer than the run may take to end, and Python handles a signal only
    after them. So a thread waits for requests. While the weights do not change (`idle`), it writes the state itself and
    ends the process with exit code 0. If a step takes too long, it ends the process without it: the last saved state is valid.

    Several workers end together, since none can continue without the others. The chief, which has the state, decides when; the
    others end when it announces that.

    Args:
        log: receives the message of such an early end.
        requested_by: who makes a request other than by a signal, None for nobody; called twice a second.
        step_sec: time for a running step, None for STEP_SEC.
        how_to_resume: command that resumes the run, for the message.
        messages: between several workers, None for a single one.
        on_exit: called immediately before the process is ended.
        may_exit: False where the process has other work, such as a notebook: it is never ended, and a running step is waited for.
    """

    reason: str | None = None

    def __init__(
        self,
        log: Callable[[str], None],
        requested_by: Callable[[], str | None] = lambda: None,
        step_sec: float | None = None,
        how_to_resume: str = "python train.py --resume latest",
        messages: Messages | None = None,
        on_exit: Callable[[], None] = lambda: None,
        may_exit: bool = True,
    ):
        self._log = log
        self._requested_by = requested_by
        self._how_to_resume = how_to_resume
        self._messages = messages
        self._on_exit = on_exit
        self._may_exit = may_exit
        self._step_sec = STEP_SEC if step_sec is None else step_sec
        self._is_finished = threading.Event()
        self._is_requested = threading.Event()
        self._has_failed = threading.Event()
        self._saving = threading.Lock()
        self._save: Callable[[], None] | None = None

    def __enter__(self) -> "StopRequest":
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._previous = {number: signal.signal(number, self._on_signal) for number in handled_signals()}
        self._previous_fd = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        self._watcher = threading.Thread(target=self._watch, name="stop-watch", daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_) -> None:
        self._is_finished.set()
        signal.set_wakeup_fd(self._previous_fd)
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        os.close(self._write_end)  # ends the thread

    def saving(self) -> threading.Lock:
        """Held while files are written: the process is not ended inside `with stop.saving(): ...`."""
        return self._saving

    @contextlib.contextmanager
    def idle(self, save: Callable[[], None]) -> Iterator[None]:
        """For work during which what `save` writes does not change: the thread may call `save` and end the process."""
        with self._saving:
            self._save = save
        try:
            yield
        finally:
            with self._saving:
                self._save = None

    def wait_for_end(self, error: Exception) -> None:
        """Called with an error of a step. If workers are ending the run, their connections fail: waits until this process is ended."""
        if self._messages is not None and (self._is_requested.is_set() or self._messages.stop_requested()):
            self._log(f"While the run was ending: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
            self._has_failed.set()
            self._watcher.join(self._step_sec + 4 * ANNOUNCE_SEC)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.reason = signal.Signals(number).name

    def _watch(self) -> None:
        """The thread: waits for a request, then for the end of the run, and ends the process if that takes too long."""
        reason = self._wait_for_request()
        start = time.monotonic()
        if reason:
            self._is_requested.set()
            if self._messages is not None:
                self._messages.request_stop(reason)
        while reason and not self._is_finished.wait(0.1):
            if not self._may_exit:
                continue
            elapsed = time.monotonic() - start
            if self._messages is not None and not self._messages.is_chief:
                self._end_with_chief(reason, elapsed)
                continue
            step_sec = self._step_sec * (CHIEF_SHARE if self._messages is not None else 1)
            is_late = self._has_failed.is_set() or elapsed > step_sec
            if is_late or (self._save is not None and elapsed > WORK_SEC):
                with self._saving:  # the main thread may continue while this one waits for the lock
                    if self._save is not None or (is_late and not self._is_finished.wait(1.5)):
                        self._end(reason)
        os.close(self._read_end)

    def _wait_for_request(self) -> str | None:
        """Who requests the end of the run, None if it ends by itself."""
        while True:
            if select.select([self._read_end], [], [], POLL_SEC)[0]:
                received = os.read(self._read_end, 1)
                if not received:
                    return None
                if received[0] in SIGNALS:
                    return signal.Signals(received[0]).name
            else:
                with contextlib.suppress(OSError):  # a drive that is gone is reported by the run itself
                    if reason := self._requested_by():
                        return reason
                if self._messages is not None and (reason := self._messages.stop_requested()):
                    return f"another worker ({reason})"

    def _end_with_chief(self, reason: str, elapsed: float) -> None:
        """Ends the process if the chief has announced its end, or should have done so long ago."""
        message = self._messages.announced_end()
        if message is None and elapsed > self._step_sec + 2 * ANNOUNCE_SEC:
            message = "The first worker did not announce its end."
        if message is not None:
            with self._saving:
                self._log(f"Stopped by {reason}. {message}")
                self._on_exit()
                os._exit(0)

    def _end(self, reason: str) -> None:
        """Ends the process, after writing the present state if that is possible."""
        problem = "failed without the other workers" if self._has_failed.is_set() else "takes too long"
        message = f"Stopped by {reason}. The running step {problem} and is lost; resume from the last training state: {self._how_to_resume}"
        if self._save is not None:
            try:
                self._save()
                message = f"Stopped by {reason} between two steps; the training state is saved. Resume with: {self._how_to_resume}"
            except Exception as error:
                message = (
                    f"Stopped by {reason}. The training state could not be written ({type(error).__name__}: {error}); "
                    f"resume from the last one: {self._how_to_resume}"
                )
        self._log(message)
        if self._messages is not None:
            self._messages.announce_end(f"The first worker: {message}")
            time.sleep(ANNOUNCE_SEC)
        self._on_exit()
        os._exit(0)
