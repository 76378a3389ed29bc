"""Which snapshot of a run is the best by a score: read from stats.jsonl, so that a resumed run knows it too."""

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylegan_tf.training.run_dir import FINAL_NAME, RunDir
from stylegan_tf.training.snapshots import renamed_final

if TYPE_CHECKING:
    from stylegan_tf.snapshot import Networks


@dataclasses.dataclass(frozen=True)
class BestValue:
    """A score by which snapshots are compared.

    Attributes:
        name: such as "fid5k" or "pr5k3_recall".
        lower_is_better: True for distances.
    """

    name: str
    lower_is_better: bool

    def is_better(self, new: float, old: float) -> bool:
        """True where `new` is better than `old`; False where they are equal."""
        return new < old if self.lower_is_better else new > old

    def best_of(self, values: Sequence[float]) -> float:
        """The best of one or more values."""
        return min(values) if self.lower_is_better else max(values)


@dataclasses.dataclass(frozen=True)
class SnapshotScores:
    """The scores that a program computes for every snapshot of a run; the library itself knows no metric.

    Attributes:
        compute: (path, networks, nimg) -> values by name, with "NAME/low" and "NAME/high" where there is an interval.
        best_value: the value of a name with its better direction, None where snapshots cannot be compared by it.
    """

    compute: Callable[[Path, "Networks", int], dict[str, float]]
    best_value: Callable[[str], BestValue | None] = lambda name: None

    def __call__(self, path: Path, networks: "Networks", nimg: int) -> dict[str, float]:
        """Values of a snapshot by name."""
        return self.compute(path, networks, nimg)


class BestSnapshot:
    """Keeps the name of the best snapshot among the files of a run.

    Args:
        run_dir: the run.
        score: what snapshots are compared by, None to keep none.
    """

    def __init__(self, run_dir: RunDir, score: BestValue | None):
        self.score = score
        self.name: str | None = None
        self.value = math.nan
        for record in scored(run_dir, read_stats(run_dir)):
            if (run_dir / record["snapshot"]).exists():
                self.compare(record["snapshot"], {name.removeprefix("Metrics/"): value for name, value in record.items()})

    def compare(self, name: str, values: dict[str, Any]) -> None:
        """Compares a snapshot that was scored with the best one so far."""
        value = values.get(self.score.name) if self.score else None
        if isinstance(value, int | float) and math.isfinite(value) and (self.name is None or self.score.is_better(value, self.value)):
            self.name, self.value = name, float(value)


def read_stats(run_dir: RunDir) -> list[dict[str, Any]]:
    """All records of stats.jsonl; an incomplete last line is ignored."""
    path = run_dir / "stats.jsonl"
    records = []
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                records.append(json.loads(line))
            except ValueError:
                continue
    return records


def scored(run_dir: RunDir, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records of snapshots that were scored, under the present names of the files.

    A finished run that is resumed renames network-final.pkl to its number: only the last record may have the final name.
    """
    found = [record for record in records if "snapshot" in record]
    finals = [record for record in found if record["snapshot"] == FINAL_NAME]
    if finals and finals[-1] is found[-1] and (run_dir / FINAL_NAME).exists():
        finals.pop()
    names = {id(record): renamed_final(record["nimg"]) for record in finals}
    return [{**record, "snapshot": names.get(id(record), record["snapshot"])} for record in found]
