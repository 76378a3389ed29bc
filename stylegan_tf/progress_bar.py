"""Progress of long work: a bar with rate and remaining time on a terminal, plain lines where the output is piped."""

import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from stylegan_tf.command_line import print_to_stderr
from stylegan_tf.display import visible

_T = TypeVar("_T")
_LINE_SEC = 10.0  # between two plain lines
_BAR_SEC = 0.25  # between two updates of the bar: a call for every item would cost more than some items do


def track(iterable: Iterable[_T], total: int | None = None, label: str = "", *, unit: str = "images") -> Iterator[_T]:
    """Yields the items of `iterable` and shows on stderr how far it is.

    Args:
        iterable: anything; its items are handed on untouched.
        total: number of items; None for `len(iterable)`; without a length no remaining time is shown.
        label: what is being done, such as "Writing records".
        unit: what is being counted.
    """
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)
    with Progress(total, label, unit=unit) as progress:
        for item in iterable:
            yield item
            progress.advance()


class Progress:
    """The same as a context manager: `with Progress(100, "Reading") as progress: ... progress.advance()`.

    `advance` may be called from any thread.
    """

    def __init__(self, total: int | None, label: str = "", *, unit: str = "images"):
        self.total, self.label, self.unit = total, visible(label), unit
        self.done = 0
        self._lock = threading.Lock()
        self._bar: Any = None
        self._first: tuple[float, int] | None = None

    def __enter__(self) -> "Progress":
        self._start = self._shown = time.monotonic()
        self._every_sec = _LINE_SEC
        if sys.stderr.isatty():
            self._open_bar()
            self._every_sec = _BAR_SEC
        return self

    def __exit__(self, error_type: type | None, *_: object) -> None:
        elapsed_sec = time.monotonic() - self._start
        if self._bar:
            self._bar.update(self._task, completed=self.done, total=self.total or self.done, rate=self._rate(elapsed_sec))
            self._bar.stop()
        elif error_type in (None, GeneratorExit):
            self._print(f"{self.done} {self.unit} in {format_sec(elapsed_sec)}, {self._rate(elapsed_sec)}")

    def advance(self, count: int = 1) -> None:
        """Counts items that are done."""
        with self._lock:
            self.done += count
            now = time.monotonic()
            if self._first is None:
                self._first = (now, self.done)
            if now - self._shown < self._every_sec:
                return
            self._shown = now
            elapsed_sec = now - self._start
            if self._bar:
                self._bar.update(self._task, completed=self.done, rate=self._rate(elapsed_sec))
                return
            left = f", {format_sec(self._left_sec(now))} left" if self.total and self.done > self._first[1] else ""
            self._print(f"{self.done}{f' of {self.total}' if self.total else ''} {self.unit}, {self._rate(elapsed_sec)}{left}")

    def _left_sec(self, now: float) -> float:
        """Time since the first items were done: the work before them (reading networks, tracing) happens once."""
        first_at, first_done = self._first
        return (self.total - self.done) * (now - first_at) / (self.done - first_done)

    def _open_bar(self) -> None:
        from rich import progress
        from rich.console import Console

        columns = [progress.TextColumn("{task.description}", markup=False), progress.BarColumn(), progress.MofNCompleteColumn()]
        columns += [progress.TextColumn("{task.fields[rate]}"), progress.TimeRemainingColumn(), progress.TimeElapsedColumn()]
        self._bar = progress.Progress(*columns, console=Console(stderr=True), refresh_per_second=4)
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
