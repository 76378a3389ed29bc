"""Which snapshot is the best, and what of its scores is written where."""

import json
from types import SimpleNamespace

import pytest

from stylegan_tf.training import best, run_dir
from stylegan_tf.training.outputs import Outputs


@pytest.mark.parametrize("lower_is_better", [True, False])
def test_direction(lower_is_better):
    value = best.BestValue("any", lower_is_better)
    assert value.is_better(1.0, 2.0) == lower_is_better
    assert value.is_better(2.0, 1.0) != lower_is_better
    assert not value.is_better(1.0, 1.0)
    assert value.best_of([2.0, 1.0, 3.0]) == (1.0 if lower_is_better else 3.0)


def test_the_best_snapshot_follows_the_direction_of_the_score(tmp_path):
    folder = run_dir.create(tmp_path, "x")
    for value, name in ((best.BestValue("a", True), "low.pkl"), (best.BestValue("a", False), "high.pkl"), (None, None)):
        snapshot = best.BestSnapshot(folder, value)
        for scored, number in (("low.pkl", 1.0), ("high.pkl", 3.0), ("middle.pkl", 2.0), ("broken.pkl", float("nan"))):
            snapshot.compare(scored, {"a": number, "b": 9.0})
        assert snapshot.name == name


def test_intervals_are_points_and_no_scores(tmp_path):
    # TensorBoard had the values of training without their intervals; statistics and report want one number a score.
    folder = run_dir.create(tmp_path, "x")
    seen = {}
    outputs = Outputs.__new__(Outputs)
    outputs.run_dir, outputs.best = folder, best.BestSnapshot(folder, best.BestValue("fid5k", lower_is_better=True))
    outputs.events = SimpleNamespace(scalars=lambda values, nimg: seen.update(values))
    outputs.on_snapshot = best.SnapshotScores(lambda *_: {"fid5k": 3.0, "fid5k/low": 2.0, "fid5k/high": 4.0})
    outputs._compute_scores(folder / "network-final.pkl", SimpleNamespace(nimg=8))
    assert seen == {"Metrics/fid5k": 3.0, "Metrics/fid5k/low": 2.0, "Metrics/fid5k/high": 4.0}
    assert json.loads((folder / "stats.jsonl").read_text()) == {"nimg": 8, "snapshot": "network-final.pkl", "Metrics/fid5k": 3.0}
    assert outputs.best.name == "network-final.pkl"
