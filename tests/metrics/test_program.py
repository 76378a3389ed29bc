"""The command line of scores: errors are one message, before TensorFlow is imported."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from metrics import evaluate, registry, sources
from metrics.networks import weights
from metrics.options import Options
from stylegan_tf import data
from stylegan_tf.errors import UserError
from stylegan_tf.snapshot import save_networks

_CHECKOUT = Path(__file__).resolve().parents[2]
_WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None
sys.modules["scipy.stats"] = None  # 12 s on a busy machine, for one quantile
from metrics import program
from metrics.networks import weights
weights.load_inception = weights.load_lpips = lambda *_: {}
for arguments in ARGUMENTS:
    print(program.run_all(arguments), flush=True)
"""


@pytest.fixture(scope="module")
def snapshot(snapshot_networks, tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "network-snapshot-000007.pkl"
    save_networks(path, snapshot_networks)
    return path


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unlabelled") / "plain"
    with data.DatasetWriter(folder, resolution=8, channels=3) as writer:
        for number in range(10):
            writer.add(np.full((8, 8, 3), 20 * number, np.uint8))
    return folder


def test_bad_input_gives_one_message_without_tensorflow(snapshot, leaves_path, unlabelled, tmp_path):
    # `ls10 --data /nonexistent` needed 21 s for its message, and `--network /etc/passwd` did not end.
    (tmp_path / "text.pkl").write_text("root:x:0:0\n")
    network = ["--network", str(snapshot)]
    cases = {
        "text.pkl": ["fid40", "--network", str(tmp_path / "text.pkl")],
        "nowhere": ["ls10", *network, "--data", str(tmp_path / "nowhere")],
        "labels of 0": ["fid40", *network, "--data", str(unlabelled)],
        "There is no dataset": ["memorisation10", *network, "--held-out", str(tmp_path / "none")],
        "the training set itself": ["memorisation10", *network, "--held-out", str(leaves_path)],
        "smile.keras": ["ls10", *network, "--classifier", str(tmp_path / "smile.keras")],
        "pool features": ["is40", *network],
    }
    script = _WITHOUT_TENSORFLOW.replace("ARGUMENTS", repr(list(cases.values())))
    environment = os.environ | {"PYTHONPATH": str(_CHECKOUT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.stdout.split() == ["2"] * len(cases)
    messages = done.stderr.splitlines()
    assert [expected for expected, line in zip(cases, messages, strict=True) if expected not in line] == []
    assert all(line.startswith("error: ") for line in messages)


def test_label_metrics_need_labels_before_anything_slow(unlabelled, monkeypatch):
    dataset = data.open_dataset(unlabelled)
    for name in ("ls10", "is40_labels"):
        with pytest.raises(UserError, match="no labels to train a classifier on"):
            evaluate.prepare(registry.parse_list(name), Options(), dataset)
        numbers = SimpleNamespace(path="angles", num_images=60, label_size=3, labels=np.full((60, 3), 13.5, np.float32))
        with pytest.raises(UserError, match=r"are not classes or attributes \(0 and 1\)"):  # a classifier was trained first
            evaluate.prepare(registry.parse_list(name), Options(), numbers)


def test_metric_networks_are_read_once_for_all_metrics(monkeypatch):
    loaded = []
    monkeypatch.setattr(weights, "load_inception", lambda path: loaded.append(path) or {})
    evaluate.prepare(registry.parse_list("fid40,kid40,pr40_3"), Options(inception="a.npz"))
    assert loaded == ["a.npz"]


def test_recorded_dataset_is_looked_for_in_the_checkout_of_the_run(tmp_path, monkeypatch):
    # From another folder the message was "There is no dataset datasets/apple. Make one", which the user had not named.
    monkeypatch.chdir(tmp_path)
    snapshot = tmp_path / "checkout" / "results" / "00000-sgan" / "network-snapshot-000007.pkl"
    recorded = {"path": "datasets/apple"}
    with pytest.raises(UserError, match=r"000007.pkl was trained on datasets/apple, which does not exist here. Name it: --data FOLDER"):
        sources.find_dataset(snapshot, recorded, None)
    there = tmp_path / "checkout" / "datasets" / "apple"
    there.mkdir(parents=True)
    assert sources.find_dataset(snapshot, recorded, None) == there
    here = tmp_path / "datasets" / "apple"
    here.mkdir(parents=True)
    assert sources.find_dataset(snapshot, recorded, None) == Path("datasets/apple")
    assert sources.find_dataset(snapshot, recorded, "other") == Path("other")
    with pytest.raises(UserError, match="does not contain the path of its dataset"):
        sources.find_dataset(snapshot, None, None)


@pytest.mark.parametrize("place", registry.METRICS)
def test_the_file_of_each_metric_is_a_program(place, tmp_path):
    file = _CHECKOUT / f"{place.split(':')[0].replace('.', '/')}.py"
    done = subprocess.run([sys.executable, str(file), "--help"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert file.name in done.stdout
