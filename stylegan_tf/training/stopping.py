"""How a run is asked to end: SIGTERM, SIGINT or a file named abort.txt, and at most ten seconds to obey."""

import os
import signal
import threading
from collections.abc import Callable

SIGNALS = (signal.SIGTERM, signal.SIGINT)
GRACE_SEC = 8.0  # of the 10 s promised, what a step that is still running may take


class StopRequest:
    """Listens while it is entered; `reason` says who asked, or is None.

    A step of a large network can take longer than the time there is. Python sees a signal only between two steps, so a
    thread watches: when the grace is over and no state is being written, the process ends with exit code 0 and the last
    state file is what counts.

    Args:
        log: takes the message of such an early end.
        grace_sec: how long to wait for the step that is running.
    """

    reason: str | None = None

    def __init__(self, log: Callable[[str], None], grace_sec: float = GRACE_SEC):
        self._log = log
        self._grace_sec = grace_sec
        self._is_finished = threading.Event()
        self._saving = threading.Lock()

    def __enter__(self) -> "StopRequest":
        self._read_end, self._write_end = os.pipe()
        os.set_blocking(self._write_end, False)
        self._previous = {number: signal.signal(number, self._note) for number in SIGNALS}
        self._previous_fd = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, name="stop-watch", daemon=True).start()
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

    def _note(self, number: int, _frame) -> None:
        self.reason = signal.Signals(number).name

    def _watch(self) -> None:
        while received := os.read(self._read_end, 1):
            if received[0] in SIGNALS and not self._is_finished.wait(self._grace_sec):
                with self._saving:
                    if not self._is_finished.wait(1.5):
                        self._log("The step that is running takes too long: ending now, the last training state counts.")
                        os._exit(0)
        os.close(self._read_end)
