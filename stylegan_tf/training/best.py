"""Scores of the snapshots of a run: how they are compared, and which snapshot is the best."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stylegan_tf.training import records
from stylegan_tf.training.run_dir import RunDir

if TYPE_CHECKING:  # metrics are listed without TensorFlow
    from stylegan_tf.snapshot import Networks


@dataclasses.dataclass(frozen=True)
class BestValue:
    """A score by which snapshots are compared."""

    name: str  # such as "fid5k" or "pr5k3_recall"
    lower_is_better: bool  # True for distances

    def is_better(self, new: float, old: float) -> bool:
        """Whether `new` is better than `old`; False if they are equal."""
        return new < old if self.lower_is_better else new > old

    def best_of(self, values: Sequence[float]) -> float:
        """The best of one or more values."""
        return min(values) if self.lower_is_better else max(values)


@dataclasses.dataclass(frozen=True)
class SnapshotScores:
    """The scores that a program computes for every snapshot of a run; the library itself does not import metrics."""

    # (path, networks, nimg) -> values by name, with "NAME/low" and "NAME/high" for the ends of an interval
    compute: "Callable[[Path, Networks, int], dict[str, float]]"
    best_value: Callable[[str], BestValue | None] = lambda name: None  # the score of that name, None if snapshots cannot be compared by it


class BestSnapshot:
    """The best snapshot among the files of a run. It is read from stats.jsonl first, so that a resumed run has it.

    Args:
        score: by which snapshots are compared, None for no comparison.
    """

    def __init__(self, run_dir: RunDir, score: BestValue | None):
        self.score = score
        self.name: str | None = None
        self.value = math.nan
        for record in records.scored(run_dir, records.read(run_dir)):
            if (run_dir / record["snapshot"]).exists():
                self.compare(record["snapshot"], {name.removeprefix("Metrics/"): value for name, value in record.items()})

    def compare(self, name: str, values: Mapping[str, object]) -> None:
        """Compares a scored snapshot with the best one so far."""
        value = values.get(self.score.name) if self.score else None
        if isinstance(value, int | float) and math.isfinite(value) and (self.name is None or self.score.is_better(value, self.value)):
            self.name, self.value = name, float(value)
