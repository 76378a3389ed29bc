"""Progress of a run: sums between two ticks, the lines of a tick as text and for TensorBoard, and the line inside a tick."""

import copy
import dataclasses
import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

from stylegan_tf.command_line import print_to_stderr
from stylegan_tf.progress_bar import LINE_SEC, format_sec
from stylegan_tf.training.schedule import Stage
from stylegan_tf.training.state_file import TickSums

# TensorBoard tags, those of the original release if it has one.
TAGS = {
    "tick": "Progress/tick",
    "kimg": "Progress/kimg",
    "lod": "Progress/lod",
    "resolution": "Progress/resolution",
    "minibatch": "Progress/minibatch",
    "eta_sec": "Progress/eta_sec",
    "sec_per_tick": "Timing/sec_per_tick",
    "sec_per_kimg": "Timing/sec_per_kimg",
    "maintenance_sec": "Timing/maintenance_sec",
    "total_sec": "Timing/total_sec",
    "images_per_sec": "Timing/images_per_sec",
    "data_sec": "Timing/data_sec",
    "D_sec": "Timing/D_sec",
    "G_sec": "Timing/G_sec",
    "other_sec": "Timing/other_sec",
    "gpumem_gb": "Resources/peak_gpu_mem_gb",
    "hostmem_gb": "Resources/host_mem_gb",
    "G_lrate": "TrainG/learning_rate",
    "D_lrate": "TrainD/learning_rate",
}


# Seconds of a tick, measured inside the steps (timing.py): waiting for data, steps of D, steps of G.
PARTS = ("data_sec", "D_sec", "G_sec")


class TickMeter(TickSums):
    """Sums of statistics and times since the last tick.

    They can be saved in the middle of a tick (`state`, `load_state`): a run that was interrupted prints the same losses as one
    that was not.
    """

    def __init__(self):
        super().__init__(tick=0, start_nimg=0, total_sec=0.0, maintenance_sec=0.0, sums={}, counts={}, tick_sec=0.0)
        self._clock = time.perf_counter()

    def add(self, values: dict[str, float]) -> None:
        """Adds the statistics of one iteration. `Timing/...` are summed, of `Running/...` the last one counts, all others are averaged."""
        for name, value in values.items():
            if name.startswith("Timing/"):
                part = name.removeprefix("Timing/")
                setattr(self, part, getattr(self, part) + value)
            elif name.startswith("Running/"):
                self.sums[name], self.counts[name] = value, 1
            else:
                self.sums[name] = self.sums.get(name, 0.0) + value
                self.counts[name] = self.counts.get(name, 0) + 1
        self.tick_sec += self._elapsed()

    def finish_tick(self, nimg: int, stage: Stage, memory: dict[str, float]) -> dict[str, Any]:
        """Ends a tick, returns its record and starts the next tick.

        Args:
            nimg: real images shown so far.
            stage: the schedule at its last update.
            memory: `gpumem_gb` and `hostmem_gb`.
        """
        self.tick_sec += self._elapsed()
        self.tick += 1
        self.total_sec += self.tick_sec
        images = max(nimg - self.start_nimg, 1)
        parts = {name: getattr(self, name) for name in PARTS}
        sec_per_kimg = self.tick_sec / images * 1000
        record = {
            "tick": self.tick,
            "nimg": nimg,
            "kimg": nimg / 1000,
            "lod": stage.lod,
            "resolution": stage.resolution,
            "minibatch": stage.minibatch,
            "total_sec": self.total_sec,
            "sec_per_tick": self.tick_sec,
            "sec_per_kimg": sec_per_kimg,
            "images_per_sec": images / max(self.tick_sec, 1e-9),
            "maintenance_sec": self.maintenance_sec,
            **parts,
            "other_sec": max(self.tick_sec - sum(parts.values()), 0.0),  # mainly tracing new stages
            **memory,
            "G_lrate": stage.G_lrate,
            "D_lrate": stage.D_lrate,
            **{name: value / self.counts[name] for name, value in self.sums.items()},
        }
        kept = {"total_sec": self.total_sec, "maintenance_sec": self.maintenance_sec}
        super().__init__(tick=self.tick, start_nimg=nimg, **kept, sums={}, counts={}, tick_sec=0.0)
        return record

    def finish_maintenance(self) -> None:
        """Counts the time since the end of the tick (pictures, snapshots, metrics) as maintenance."""
        self.maintenance_sec = self._elapsed()
        self.total_sec += self.maintenance_sec

    def state(self) -> dict[str, Any]:
        """Everything that `load_state` restores, as plain values."""
        return dataclasses.asdict(self)

    def load_state(self, state: dict[str, Any]) -> None:
        """Restores what `state` returned."""
        super().__init__(**copy.deepcopy(state))
        self._clock = time.perf_counter()

    def _elapsed(self) -> float:
        now = time.perf_counter()
        elapsed, self._clock = now - self._clock, now
        return elapsed


class LiveLine:
    """The progress inside a tick: a line that overwrites itself on a terminal, and one every 5 seconds in a pipe or file.

    Args:
        left_sec: kimg to the seconds that are left, None if not known yet.
    """

    def __init__(self, left_sec: Callable[[float], float | None]):
        self._left_sec = left_sec
        self._is_terminal = sys.stderr.isatty()
        self._start: tuple[float, int] | None = None
        self._is_shown = False
        self._next_line = 0.0

    def show(self, nimg: int, total_kimg: float, stage: Stage) -> None:
        """Rewrites the line."""
        now = time.monotonic()
        if self._start is None:
            self._start = (now, nimg)
            self._next_line = now + LINE_SEC
            return
        if not self._is_terminal and now < self._next_line:
            return
        speed = (nimg - self._start[1]) / max(now - self._start[0], 1e-9)
        left_sec = self._left_sec(nimg / 1000)
        left = "" if left_sec is None else f"  {format_sec(left_sec)} left"
        size = f"{stage.resolution}x{stage.resolution}"
        text = f"kimg {nimg / 1000:.2f} of {total_kimg:g}  {size}  {speed:.1f} images/s{left}"
        if not self._is_terminal:
            self._next_line = now + LINE_SEC
            print_to_stderr(text)
            return
        width = shutil.get_terminal_size().columns - 1  # a full last column would begin a new line
        self._write(f"\r{text[:width]:<{width}}")
        self._is_shown = True

    def clear(self) -> None:
        """Erases the line, so that other lines can be printed."""
        self._start = None
        if self._is_shown:
            self._write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")
            self._is_shown = False

    def _write(self, text: str) -> None:
        try:
            print(text, end="", file=sys.stderr, flush=True)
        except OSError:  # the terminal was closed
            self._is_terminal = False


def short_line(record: dict[str, Any], total_kimg: float) -> str:
    """A tick for the terminal, in at most 80 columns (losses of G and D); `tick_line` and `detail_line` are for the log."""
    losses = [record.get(f"Loss/{name}") for name in ("G", "D")]
    shown = " ".join(f"{name} {'-' if loss is None else _three_digits(loss)}" for name, loss in zip("GD", losses, strict=True))
    left = format_sec(record["eta_sec"])
    left = left.rpartition(" ")[0] if record["eta_sec"] >= 3600 else left  # 1h 05m, 2d 03h
    size, speed = f"{record['resolution']}x{record['resolution']}", _three_digits(record["images_per_sec"])
    return f"tick {record['tick']:<3d} kimg {record['kimg']:.1f}/{total_kimg:g}  {size}  {speed} img/s  {shown}  {left} left"


def _three_digits(value: float) -> str:
    """About three digits of a number of any size, without an exponent where that is short."""
    if abs(value) >= 1e5:
        return f"{value:.1e}"
    return f"{value:.{2 if abs(value) < 10 else 1 if abs(value) < 100 else 0}f}"


def tick_line(record: dict[str, Any]) -> str:
    """First line of a tick: the columns of the original release, then the seconds of its parts."""
    return (
        f"tick {record['tick']:<5d} kimg {record['kimg']:<8.1f} lod {record['lod']:<5.2f} minibatch {record['minibatch']:<4d} "
        f"time {format_sec(record['total_sec']):<12s} sec/tick {record['sec_per_tick']:<7.1f} "
        f"sec/kimg {record['sec_per_kimg']:<7.2f} maintenance {record['maintenance_sec']:<6.1f} gpumem {record['gpumem_gb']:<4.1f}  "
        f"data {record['data_sec']:<6.1f} D {record['D_sec']:<7.1f} G {record['G_sec']:<7.1f}"
    ).rstrip()


def detail_line(record: dict[str, Any]) -> str:
    """Second line of a tick: losses, learning rates, speed, memory and the remaining time."""

    def row(label: str, names: list[str], form: str) -> str:
        values = [record.get(name) for name in names]
        return f"{label} {' '.join('-' if value is None else format(value, form) for value in values)}"

    parts = [
        row("logits", ["Loss/scores/real", "Loss/scores/fake"], "+.2f"),
        row("signs", ["Loss/signs/real", "Loss/signs/fake"], "+.2f"),
        *([row("augment p", ["Running/augment_p"], ".3f")] if "Running/augment_p" in record else []),
        row("loss G D", ["Loss/G", "Loss/D"], ".3f"),
        row("penalty", ["Loss/penalty"], ".3g"),
        row("gradients G D", ["Gradients/G_norm", "Gradients/D_norm"], ".3g"),
        row("rates", ["G_lrate", "D_lrate"], "g"),
        f"{record['images_per_sec']:.1f} images/s",
        f"memory {record['hostmem_gb']:.1f} GB",
        f"other {record['other_sec']:.1f}",
        *([f"{format_sec(record['eta_sec'])} left"] if "eta_sec" in record else []),
    ]
    return "           " + "   ".join(parts)


def tags(record: dict[str, Any]) -> dict[str, float]:
    """The numbers of a record by TensorBoard tag. A name with a slash is used as it is."""
    tagged = {}
    for name, value in record.items():
        if name != "nimg" and isinstance(value, int | float):
            tagged[TAGS.get(name, name if "/" in name else f"Loss/{name}")] = float(value)
    return tagged


def host_memory_gb() -> float:
    """Resident memory of this process in GB, 0 if the system does not provide it."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e9
    except OSError:
        return 0.0
