"""Progress of long work: a bar with rate and remaining time on a terminal, a plain line every 5 seconds where the output is piped."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from stylegan_tf.command_line import LINE_SEC, print_to_stderr
from stylegan_tf.display import visible

_T = TypeVar("_T")
_open: list["Progress"] = []  # the innermost one is shown: a terminal has room for one bar
_BAR_SEC = 0.25  # between two updates of the bar: a call for every item would cost more than some items do


def track(iterable: Iterable[_T], total: int | None = None, label: str = "", *, unit: str = "images") -> Iterator[_T]:
    """Yields the items of `iterable` and shows on stderr how far it is.

    Args:
        iterable: anything; its items are handed on untouched.
        total: number of items; None for `len(iterable)`; without a length no remaining time is shown.
        label: what is being done, such as "Writing records".
    """
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)
    with Progress(total, label, unit=unit) as progress:
        for item in iterable:
            yield item
            progress.advance()


@contextlib.contextmanager
def working(label: str) -> Iterator[None]:
    """Shows that work goes on which has no items to count; nothing is shown of work below 5 seconds in a pipe.

    Args:
        label: what is being done, such as "Reading the network".
    """
    with Progress(None, label, unit=""):
        yield


class Progress:
    """The same as a context manager: `with Progress(100, "Reading") as progress: ... progress.advance()`.

    `advance` may be called from any thread. Without a `unit`, only the time is shown.
    """

    def __init__(self, total: int | None, label: str = "", *, unit: str = "images"):
        self.total, self.label, self.unit = total, visible(label), unit
        self.done = 0
        self._lock = threading.Lock()
        self._bar: Any = None
        self._first: tuple[float, int] | None = None
        self._ended = threading.Event()
        self._printed = False

    def __enter__(self) -> "Progress":
        self._start = self._shown = time.monotonic()
        outer = _open[-1] if _open else None
        if outer and outer._bar:
            with contextlib.suppress(OSError):
                outer._bar.stop()
        _open.append(self)
        if sys.stderr.isatty():
            with contextlib.suppress(OSError):
                self._open_bar()
        else:
            self._thread = threading.Thread(target=self._print_lines, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, error_type: type | None, *_: object) -> None:
        elapsed_sec = time.monotonic() - self._start
        _open.remove(self)
        if self._bar:
            with contextlib.suppress(OSError):  # here and above: the terminal was closed, which must not end what is being done
                self._bar.update(self._task, completed=self.done, total=self.total or self.done, rate=self._rate(elapsed_sec))
                self._bar.stop()
                if _open and _open[-1]._bar:
                    _open[-1]._bar.start()
            return
        self._ended.set()
        self._thread.join()
        if error_type not in (None, GeneratorExit):
            return
        if self.unit:
            self._print(f"{self.done} {self.unit} in {format_sec(elapsed_sec)}, {self._rate(elapsed_sec)}")
        elif self._printed:
            self._print(f"done in {format_sec(elapsed_sec)}")

    def advance(self, count: int = 1) -> None:
        """Counts items that are done."""
        with self._lock:
            self.done += count
            now = time.monotonic()
            if self._first is None:
                self._first = (now, self.done)
            if self._bar and now - self._shown >= _BAR_SEC:
                self._shown = now
                with contextlib.suppress(OSError):
                    self._bar.update(self._task, completed=self.done, rate=self._rate(now - self._start))

    def line(self) -> str:
        """What is done, at which rate, and the remaining time; the time so far if nothing is done yet or nothing is counted."""
        with self._lock:
            now = time.monotonic()
            elapsed_sec = now - self._start
            if not self.unit:
                return format_sec(elapsed_sec)
            left = f", {format_sec(self._left_sec(now))} left" if self.total and self._first and self.done > self._first[1] else ""
            rate = self._rate(elapsed_sec) if self.done else format_sec(elapsed_sec)
            return f"{self.done}{f' of {self.total}' if self.total else ''} {self.unit}, {rate}{left}"

    def _print_lines(self) -> None:
        while not self._ended.wait(LINE_SEC):  # whether an item was finished meanwhile or not
            if _open[-1:] != [self]:
                continue
            try:
                self._print(self.line())
            except BrokenPipeError:  # the next output of the program ends it
                return
            self._printed = True

    def _left_sec(self, now: float) -> float:
        """Time since the first items were done: the work before them (reading networks, tracing) happens once."""
        first_at, first_done = self._first
        return (self.total - self.done) * (now - first_at) / (self.done - first_done)

    def _open_bar(self) -> None:
        from rich import progress
        from rich.console import Console

        columns = [progress.TextColumn("{task.description}", markup=False), progress.BarColumn()]
        if self.unit:
            columns += [progress.MofNCompleteColumn(), progress.TextColumn("{task.fields[rate]}"), progress.TimeRemainingColumn()]
        columns += [progress.TimeElapsedColumn()]
        self._bar = progress.Progress(*columns, console=Console(stderr=True), refresh_per_second=4, transient=not self.unit)
        self._task = self._bar.add_task(self.label, total=self.total, rate="")
        self._bar.start()

    def _rate(self, elapsed_sec: float) -> str:
        per_sec = self.done / max(elapsed_sec, 1e-9)
        return f"{per_sec:.0f} {self.unit}/s" if per_sec >= 10 else f"{per_sec:.2g} {self.unit}/s"

    def _print(self, text: str) -> None:
        print_to_stderr(f"{self.label}: {text}" if self.label else text)


def format_sec(seconds: float) -> str:
    """A duration as in the tick line: 42s, 3m 10s, 2h 05m 00s, 1d 02h 03m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole // 60 % 60:02d}m {whole % 60:02d}s"
    return f"{whole // 86400}d {whole // 3600 % 24:02d}h {whole // 60 % 60:02d}m"
