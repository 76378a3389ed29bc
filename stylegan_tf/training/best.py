"""Which snapshot of a run is the best by a metric: read from stats.jsonl, so that a run that goes on still knows."""

import json
import math
from typing import Any

from stylegan_tf.errors import UserError
from stylegan_tf.training.run_dir import FINAL_NAME, RunDir
from stylegan_tf.training.snapshots import renamed_final

# Scores of these families are better when they are higher; distances (FID, KID, path length, separability) when lower.
HIGHER_IS_BETTER = ("precision", "recall", "density", "coverage", "accuracy")
NO_BEST = ("memorisation",)


class BestSnapshot:
    """Keeps the name of the best snapshot of those that are there.

    Args:
        run_dir: the run.
        metric: name of the metric, None to keep none.

    Raises:
        UserError: a metric of which no value is the best.
    """

    def __init__(self, run_dir: RunDir, metric: str | None):
        check_best_metric(metric)
        self.metric = metric
        self.name: str | None = None
        self.value = math.nan
        for record in scored(run_dir, read_stats(run_dir)):
            if (run_dir / record["snapshot"]).exists():
                self.see(record["snapshot"], {name.removeprefix("Metrics/"): value for name, value in record.items()})

    def see(self, name: str, values: dict[str, Any]) -> None:
        """Compares a snapshot that was measured."""
        value = values.get(self.metric) if self.metric else None
        if isinstance(value, int | float) and math.isfinite(value) and (self.name is None or is_better(self.metric, value, self.value)):
            self.name, self.value = name, float(value)


def is_better(metric: str, new: float, old: float) -> bool:
    """True where `new` beats `old`; never, where no value is the best."""
    return has_best(metric) and (new > old if is_higher_better(metric) else new < old)


def check_best_metric(metric: str | None) -> None:
    """Raises UserError for a metric of which no value is the best."""
    if metric is not None and not has_best(metric):
        raise UserError(f"run.best_metric is {metric}, of which no value is the best one: copies and noise lie at its two ends.")


def has_best(metric: str) -> bool:
    """Whether a value can be the best: copies have the highest memorisation, and networks far from the data the lowest."""
    return not metric.removeprefix("Metrics/").startswith(NO_BEST)


def is_higher_better(metric: str) -> bool:
    """Whether more is better: inception score, precision, recall, ..."""
    name = metric.removeprefix("Metrics/")
    return name.startswith("is") or any(word in name for word in HIGHER_IS_BETTER)


def read_stats(run_dir: RunDir) -> list[dict[str, Any]]:
    """All records of stats.jsonl; a last line that was cut off is left out."""
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
    """The records of snapshots that were measured, by the names that the files have now.

    A run that was over and went on has given network-final.pkl a number: the name belongs to the last record alone, or to none.
    """
    found = [record for record in records if "snapshot" in record]
    finals = [record for record in found if record["snapshot"] == FINAL_NAME]
    if finals and finals[-1] is found[-1] and (run_dir / FINAL_NAME).exists():
        finals.pop()
    names = {id(record): renamed_final(record["nimg"]) for record in finals}
    return [{**record, "snapshot": names.get(id(record), record["snapshot"])} for record in found]
