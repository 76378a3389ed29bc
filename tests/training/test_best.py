"""Which snapshot is the best, and what of its scores is written where."""

import json
from types import SimpleNamespace

import pytest

from stylegan_tf.errors import UserError
from stylegan_tf.training import best, run_dir
from stylegan_tf.training.outputs import Outputs


@pytest.mark.parametrize(
    ("metric", "is_higher"), [("fid50k", False), ("is50k", True), ("pr50k3_recall", True), ("ls_w", False), ("ppl_wfull", False)]
)
def test_which_way_is_better(metric, is_higher):
    assert best.is_better(metric, 2.0, 1.0) == is_higher
    assert best.is_better(metric, 1.0, 2.0) != is_higher


def test_memorisation_has_no_best(tmp_path):
    assert not best.is_better("memorisation_features", 1.0, 2.0)
    assert not best.is_better("memorisation_features", 2.0, 1.0)
    with pytest.raises(UserError, match="no value is the best"):
        best.BestSnapshot(run_dir.create(tmp_path, "x"), "memorisation_features")


def test_intervals_are_points_and_no_scores(tmp_path):
    # TensorBoard had the values of training without their intervals; statistics and report want one number a score.
    folder = run_dir.create(tmp_path, "x")
    seen = {}
    outputs = Outputs.__new__(Outputs)
    outputs.run_dir, outputs.best = folder, best.BestSnapshot(folder, "fid5k")
    outputs.events = SimpleNamespace(scalars=lambda values, nimg: seen.update(values))
    outputs.on_snapshot = lambda *_: {"fid5k": 3.0, "fid5k/low": 2.0, "fid5k/high": 4.0}
    outputs._measure(folder / "network-final.pkl", SimpleNamespace(nimg=8))
    assert seen == {"Metrics/fid5k": 3.0, "Metrics/fid5k/low": 2.0, "Metrics/fid5k/high": 4.0}
    assert json.loads((folder / "stats.jsonl").read_text()) == {"nimg": 8, "snapshot": "network-final.pkl", "Metrics/fid5k": 3.0}
    assert outputs.best.name == "network-final.pkl"
