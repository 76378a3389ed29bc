"""Steps of a study as processes of their own, one after the other: skipped where done, with progress and remaining time over all."""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stylegan_tf.display import say, visible
from stylegan_tf.errors import UserError
from stylegan_tf.files import write_text
from stylegan_tf.progress_bar import format_sec

ROOT = Path(__file__).resolve().parents[1]
POLL_SEC = 1.0
LINE_SEC = 30.0  # between two lines of progress
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of Linux
_STOP_SEC = 120.0  # a training process that is stopped saves its state
_TAIL = 15  # lines of a log in a message


@dataclass(frozen=True)
class Step:
    """One process of a study."""

    name: str  # unique; also that of its log.
    kind: str  # steps of one kind take about the same time for each unit of `size`
    size: float  # amount of work, such as kimg
    command: Callable[[], Sequence[str]]  # arguments of Python, made when the step starts: a run that exists is resumed
    is_done: Callable[[], bool]  # whether its results exist
    default_sec: float  # seconds for each unit until a step of the kind was measured
    progress: Callable[[], float] = lambda: 0.0  # how much of `size` is done
    needs: tuple[str, ...] = ()  # names of steps without which it cannot run


class Runner:
    """Runs steps; their times are kept in a file, from which a later call estimates how long the rest takes.

    Args:
        steps: in order.
        out: folder of logs and times.
        after: called after each step that ran.
    """

    def __init__(self, steps: Sequence[Step], out: Path, after: Callable[[], None]):
        self.steps, self.out, self._after = steps, out, after
        self._times_path = out / "times.json"
        self.times = self._read_times()  # seconds for each unit, by kind
        self.failed: dict[str, str] = {}
        self._start = time.monotonic()

    def run(self) -> None:
        """Runs what is not done. A step that fails is reported, and those that need it are left out.

        Raises:
            UserError: at the end, where a step failed; names the logs.
        """
        for number, step in enumerate(self.steps, 1):
            if step.is_done():
                continue
            missing = [name for name in step.needs if name in self.failed]
            if missing:
                self.failed[step.name] = f"needs {missing[0]}"
                continue
            self._run(step, number)
            self._after()
        self._after()
        if self.failed:
            lines = (f"  {name}: {reason}" for name, reason in self.failed.items())
            raise UserError(f"{len(self.failed)} of {len(self.steps)} steps failed; the same command tries them again:", *lines)

    def _run(self, step: Step, number: int) -> None:
        (self.out / "logs").mkdir(parents=True, exist_ok=True)
        log_path = self.out / "logs" / f"{step.name.replace(' ', '-')}.log"
        command = [sys.executable, *map(str, step.command())]
        begun, before = time.monotonic(), step.progress()
        self._say(number, step, before, begun, before)
        with open(log_path, "ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode(errors="backslashreplace"))
            log.flush()
            environment = os.environ | {"PYTHONUNBUFFERED": "1"}
            child = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, preexec_fn=_end_with_parent
            )
            try:
                self._wait(child, step, number, begun, before)
            except BaseException:
                _stop(child)
                raise
        elapsed_sec = time.monotonic() - begun
        if child.returncode or not step.is_done():
            tail = log_path.read_bytes()[-4000:].decode(errors="replace").strip().splitlines()
            say(f"{step.name} failed (exit code {child.returncode}); the end of {log_path}:")
            say(*(f"    {visible(line)}" for line in tail[-_TAIL:]))
            self.failed[step.name] = f"exit code {child.returncode}, see {log_path}"
            return
        self.times[step.kind] = elapsed_sec / max(step.size - before, 1e-9)
        write_text(self._times_path, json.dumps(self.times, indent=2) + "\n")

    def _wait(self, child: subprocess.Popen, step: Step, number: int, begun: float, before: float) -> None:
        shown = time.monotonic()
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(POLL_SEC)
                return
            if time.monotonic() - shown >= LINE_SEC:
                shown = time.monotonic()
                self._say(number, step, step.progress(), begun, before)

    def _say(self, number: int, step: Step, done: float, begun: float, before: float) -> None:
        unit = "kimg" if step.kind == "train" else ""
        part = f", {done:.1f} of {step.size:.1f} {unit}" if unit else ""
        elapsed_sec = time.monotonic() - self._start
        left_sec = self.left_sec(number, done, time.monotonic() - begun, before)
        say(f"[{number}/{len(self.steps)}] {step.name}{part}; {format_sec(elapsed_sec)} so far, about {format_sec(left_sec)} left in all")

    def left_sec(self, number: int, done: float, elapsed_sec: float, before: float) -> float:
        """Seconds until all steps from `number` on are done, of which the first is done up to `done`, after `elapsed_sec` from `before`."""
        step = self.steps[number - 1]
        rate = elapsed_sec / (done - before) if done > before else self._rate(step)
        left = max((step.size - done) * rate, 0.0) if done > before else max(step.size * rate - elapsed_sec, 0.0)
        return left + sum(self._rate(later) * later.size for later in self.steps[number:] if not later.is_done())

    def _rate(self, step: Step) -> float:
        return self.times.get(step.kind, step.default_sec)

    def _read_times(self) -> dict[str, float]:
        try:
            found = json.loads(self._times_path.read_text(encoding="utf-8"))
            return {str(kind): float(seconds) for kind, seconds in found.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}


def _end_with_parent() -> None:
    """In a new child: a study that is killed ends its training as well, whose lock would stop the next call."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _stop(child: subprocess.Popen) -> None:
    """Ends a child; training saves its state first."""
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
    try:
        child.wait(_STOP_SEC)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
