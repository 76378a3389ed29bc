"""How a run is asked to end: SIGTERM, SIGINT or a file named abort.txt, and at most ten seconds to obey."""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the program listens before TensorFlow is imported
    from stylegan_tf.training.notices import Notices

SIGNALS = (signal.SIGTERM, signal.SIGINT)
GRACE_SEC = 8.0  # of the 10 s promised, what a step that is still running may take
PATIENCE_SEC = 2.0  # what tracing, scoring and writing may take: the rest is for the state, which is written beside them
LOOK_SEC = 0.5  # between two looks for abort.txt
CHIEF_SHARE = 0.7  # of that, where there are several workers: the chief hears of the end late, and the others hear its words later still
FAREWELL_SEC = 1.0  # what the chief of several workers leaves them to hear that it ends; they look ten times a second


def obey_while_starting() -> None:
    """Until a `StopRequest` listens, in imports and checks: a signal ends the process with exit code 0, as nothing is trained yet."""

    def leave(number: int, _frame) -> None:
        print(f"Stopped by {signal.Signals(number).name} before training began; nothing is lost.", flush=True)
        raise SystemExit(0)

    for number in SIGNALS:
        signal.signal(number, leave)


def end_at_once(program: Callable[[], int]) -> None:
    """Runs a program, and ends the process with its exit code.

    Python would take all that TensorFlow has made apart first, object by object: 2 to 25 s of the ten that a run has.
    Several workers take their leave of each other, and end as ever.
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
    """Listens while it is entered; `reason` says who asked, or is None.

    A step of a large network, the trace of a new stage or a score can take longer than the time there is, and Python sees a
    signal only after them. So a thread watches. Where the networks are at rest (`resting`) it writes the state of the last
    step itself, and the process ends with exit code 0. In a step that is too long, what was saved last is what counts.

    Several workers end as one: none could go on without the others. The chief, whose state it is, decides when as it does
    alone, whoever asked; the others leave when they hear of it.

    Args:
        log: takes the message of such an early end.
        asked: who asks beside the signals, None for nobody; called twice a second.
        grace_sec: how long to wait for the step that is running, None for GRACE_SEC.
        how_to_resume: command that resumes the run, for the message.
        notices: between several workers, None where there is one.
        leave: called right before the process is ended.
    """

    reason: str | None = None

    def __init__(
        self,
        log: Callable[[str], None],
        asked: Callable[[], str | None] = lambda: None,
        grace_sec: float | None = None,
        how_to_resume: str = "python train.py --resume latest",
        notices: "Notices | None" = None,
        leave: Callable[[], None] = lambda: None,
    ):
        self._log = log
        self._asked = asked
        self._how_to_resume = how_to_resume
        self._notices = notices
        self._leave = leave
        self._grace_sec = GRACE_SEC if grace_sec is None else grace_sec
        self._is_finished = threading.Event()
        self._is_asked = threading.Event()
        self._has_failed = threading.Event()
        self._saving = threading.Lock()
        self._save: Callable[[], None] | None = None

    def __enter__(self) -> "StopRequest":
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}
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
        """Held while files are written: `with stop.saving(): ...` is never cut off."""
        return self._saving

    @contextlib.contextmanager
    def resting(self, save: Callable[[], None]) -> Iterator[None]:
        """While the program is busy and what `save` writes does not change: a thread may call it, and end the process."""
        with self._saving:
            self._save = save
        try:
            yield
        finally:
            with self._saving:
                self._save = None

    def _note(self, number: int, _frame) -> None:
        self.reason = signal.Signals(number).name

    def await_end(self, error: Exception) -> None:
        """Where several workers are ending, and a step without the others fails: comes back only if nobody ends this process."""
        if self._notices is not None and (self._is_asked.is_set() or self._notices.who_asked()):
            self._log(f"While the run was ending: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
            self._has_failed.set()
            self._watcher.join(self._grace_sec + 4 * FAREWELL_SEC)

    def _watch(self) -> None:
        who = self._wait_for_somebody()
        start = time.monotonic()
        if who:
            self._is_asked.set()
            if self._notices is not None:
                self._notices.ask_for_end(who)
        while who and not self._is_finished.wait(0.1):
            elapsed = time.monotonic() - start
            if self._notices is not None and not self._notices.is_chief:
                self._follow(who, elapsed)
                continue
            is_late = self._has_failed.is_set() or elapsed > self._grace_sec * (CHIEF_SHARE if self._notices is not None else 1)
            if is_late or (self._save is not None and elapsed > PATIENCE_SEC):
                with self._saving:  # what was at rest may go on while this thread waits for the lock
                    if self._save is not None or (is_late and not self._is_finished.wait(1.5)):
                        self._end(who)
        os.close(self._read_end)

    def _follow(self, who: str, elapsed: float) -> None:
        """Leaves as the chief has done, or long after it should have."""
        told = self._notices.end()
        if told is None and elapsed > self._grace_sec + 2 * FAREWELL_SEC:
            told = "Nothing was heard of the first worker."
        if told is not None:
            with self._saving:
                self._log(f"Stopped by {who}. {told}")
                self._leave()
                os._exit(0)

    def _wait_for_somebody(self) -> str | None:
        """Who asks for the end, None where the run ends by itself."""
        while True:
            if select.select([self._read_end], [], [], LOOK_SEC)[0]:
                received = os.read(self._read_end, 1)
                if not received:
                    return None
                if received[0] in SIGNALS:
                    return signal.Signals(received[0]).name
            else:
                with contextlib.suppress(OSError):  # a drive that is gone: the run meets it itself
                    if who := self._asked():
                        return who
                if self._notices is not None and (who := self._notices.who_asked()):
                    return f"another worker ({who})"

    def _end(self, who: str) -> None:
        """Ends the process, with the state of now where it can be written."""
        reason = "could not be finished without the other workers" if self._has_failed.is_set() else "takes too long"
        message = f"The step that is running {reason}: ending now, the last training state counts."
        if self._save is not None:
            try:
                self._save()
                message = f"Stopped by {who} between two steps; the training state is saved. Resume with: {self._how_to_resume}"
            except Exception as error:
                message = f"Stopped by {who}; the state could not be written ({type(error).__name__}: {error}): the last one counts."
        self._log(message)
        if self._notices is not None:
            self._notices.tell_end(f"The first worker: {message}")
            time.sleep(FAREWELL_SEC)
        self._leave()
        os._exit(0)
