"""The time of a run, from its schedule: the cost of each of its phases, and the time that is left, from the ticks so far."""

from collections.abc import Callable, Iterable
from statistics import fmean, median
from typing import NamedTuple

from stylegan_tf.training.records import Record
from stylegan_tf.training.schedule import TrainingSchedule

RECENT = 3  # ticks that give the present speed
TRACE_SEC = 4.0  # of a phase: building the graph of its steps, before one was measured (demo, 2 CPU cores: 3 to 4.5 s)
TICK_SEC = 1.0  # of a tick beside its iterations: pictures, files, before one was measured (demo: 0.6 + 0.3 s)
FADING_COST = 1.2  # relative to the resolution alone: both resolutions are computed (demo: 1.15 to 1.25)


class Phase(NamedTuple):
    """A part of the schedule in which an iteration always costs the same, and which begins with a new trace."""

    resolution: int
    is_fading: bool  # this resolution is fading in
    start_kimg: float
    end_kimg: float

    @property
    def kind(self) -> tuple[int, bool]:
        """What the cost of an iteration depends on."""
        return self.resolution, self.is_fading


Cost = Callable[[tuple[int, bool]], float]  # seconds per kimg by `Phase.kind`


def phases(schedule: TrainingSchedule, start_kimg: float, end_kimg: float) -> list[Phase]:
    """The phases of a run between two image counts in kimg, in their order."""
    found = []
    for level, at, steady_kimg, fade_kimg in schedule.growth():
        resolution = schedule.resolution >> level
        found.append(Phase(resolution, False, at, at + steady_kimg))
        found.append(Phase(2 * resolution, True, at + steady_kimg, at + steady_kimg + fade_kimg))
    found.append(Phase(schedule.resolution, False, schedule.growth_kimg(), float("inf")))
    cut = [phase._replace(start_kimg=max(phase.start_kimg, start_kimg), end_kimg=min(phase.end_kimg, end_kimg)) for phase in found]
    return [phase for phase in cut if phase.end_kimg > phase.start_kimg]


def count_ticks(schedule: TrainingSchedule, start_kimg: float, end_kimg: float) -> float:
    """Number of ticks between two image counts in kimg, about."""
    sizes = (
        (phase, schedule.settings.tick_kimg_by_resolution.get(phase.resolution, schedule.settings.tick_kimg))
        for phase in phases(schedule, start_kimg, end_kimg)
    )
    return sum((phase.end_kimg - phase.start_kimg) / tick_kimg for phase, tick_kimg in sizes)


def seconds(schedule: TrainingSchedule, cost: Cost, start_kimg: float, end_kimg: float) -> float:
    """Time of the iterations between two image counts in kimg, without traces and files."""
    return sum((phase.end_kimg - phase.start_kimg) * cost(phase.kind) for phase in phases(schedule, start_kimg, end_kimg))


class Forecast:
    """The time that is left of a run.

    The cost of each phase is known up to a factor: the speed of the machine, from the last ticks.

    Args:
        cost: seconds per kimg of a phase, up to a common factor.
    """

    def __init__(self, schedule: TrainingSchedule, total_kimg: float, cost: Cost):
        self.schedule, self.total_kimg, self.cost = schedule, total_kimg, cost
        self.kimg = 0.0
        self._speeds: list[tuple[float, float]] = []  # measured and nominal seconds of the iterations of a tick
        self._trace_sec: list[float] = []
        self._tick_sec: list[float] = []  # beside iterations and traces

    def add(self, record: Record) -> None:
        """Adds a tick of stats.jsonl; ticks must come in their order."""
        start, self.kimg = self.kimg, record["kimg"]
        if self.kimg <= start:  # a run that was started in the middle of its schedule, or rolled back
            return
        tick_sec, other_sec, maintenance_sec = times_of(record)
        self._speeds = [*self._speeds[1 - RECENT :], (tick_sec - other_sec, seconds(self.schedule, self.cost, start, self.kimg))]
        begun = sum(start <= phase.start_kimg < self.kimg for phase in phases(self.schedule, 0.0, self.total_kimg))
        if begun:
            self._trace_sec.append(max(other_sec - self.tick_sec, 0.0) / begun)
        else:
            self._tick_sec.append(other_sec + maintenance_sec)

    @property
    def tick_sec(self) -> float:
        """Time of a tick beside its iterations and traces."""
        return median(self._tick_sec) if self._tick_sec else TICK_SEC

    @property
    def trace_sec(self) -> float:
        """Time of building the graph of a phase."""
        return fmean(self._trace_sec) if self._trace_sec else TRACE_SEC

    def left_sec(self, kimg: float | None = None) -> float | None:
        """Seconds from an image count (None: the last tick) to the end of the run; None before the first tick."""
        kimg = self.kimg if kimg is None else kimg
        measured, nominal = map(sum, zip(*self._speeds, strict=True)) if self._speeds else (0.0, 0.0)
        if not nominal:
            return None
        work_sec = seconds(self.schedule, self.cost, kimg, self.total_kimg) * measured / nominal
        traces = sum(phase.start_kimg > kimg for phase in phases(self.schedule, kimg, self.total_kimg))
        return work_sec + traces * self.trace_sec + count_ticks(self.schedule, kimg, self.total_kimg) * self.tick_sec


def times_of(record: Record) -> tuple[float, float, float]:
    """Seconds of a tick, of its part beside the iterations, and of the maintenance before it; 0 where a record lacks them."""
    return tuple(float(record.get(name) or 0.0) for name in ("sec_per_tick", "other_sec", "maintenance_sec"))


def measured_cost(schedule: TrainingSchedule, ticks: Iterable[Record], cost: Cost) -> Cost:
    """The cost of each phase as a run measured it; the others follow from `cost`, scaled to the nearest measured one."""
    factors: dict[tuple[int, bool], list[float]] = {}
    start = 0.0
    for tick in ticks:
        covered = phases(schedule, start, tick["kimg"])
        nominal = sum((phase.end_kimg - phase.start_kimg) * cost(phase.kind) for phase in covered)
        start = max(start, tick["kimg"])
        if len(covered) == 1 and nominal > 0:
            tick_sec, other_sec, _ = times_of(tick)
            factors.setdefault(covered[0].kind, []).append((tick_sec - other_sec) / nominal)
    typical = {kind: median(values) for kind, values in factors.items()}
    if not typical:
        return cost

    def measured(kind: tuple[int, bool]) -> float:
        nearest = min(typical, key=lambda other: (abs(other[0].bit_length() - kind[0].bit_length()), other[1] != kind[1]))
        return cost(kind) * typical[nearest]

    return measured
