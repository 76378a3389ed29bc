"""A whole tiny run: its log, its files, stopping and resuming."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.util.event_pb2 import Event

import stylegan_tf
from stylegan_tf import devices
from stylegan_tf.settings import RunSettings
from stylegan_tf.training import run as runs
from stylegan_tf.training.best import SnapshotScores
from stylegan_tf.training.step import Trainer
from stylegan_tf.training.stopping import StopRequest
from tests.training.comparison import assert_same_run, lines
from tests.training.conftest import changed

SCORES = {"fid": 3.0, "fid/low": 2.5, "fid/high": 4.0, "kid": 0.25}


@pytest.fixture(scope="module")
def whole_run(tiny_settings, start_run):
    """A conditional run through all stages of growth, never interrupted: settings, folder, what was measured, its trainer."""
    settings = changed(tiny_settings, data={"conditional": True, "mirror": True})
    measured, trainers = [], []
    with pytest.MonkeyPatch.context() as patched:
        make = runs.make_trainer
        patched.setattr(runs, "make_trainer", lambda *args: trainers.append(make(*args)) or trainers[-1])
        code, path = start_run(settings, on_snapshot=SnapshotScores(lambda file, nets, nimg: measured.append((file.name, nimg)) or SCORES))
    assert code == 0
    return settings, path, measured, trainers[0]


def test_files_of_a_run(whole_run):
    _, path, measured, _ = whole_run
    log = (path / "log.txt").read_text()
    assert "tick 4     kimg 0.1      lod 0.00  minibatch 4" in log
    assert "network-final.pkl: fid 3 [2.5, 4], kid 0.25; computed in " in log
    last = f"Done. Pictures: {path / 'fakes000000-nimg128.png'}. Curves and verdict: {path / 'report.html'}"
    assert log.splitlines()[-1] == last
    names = {file.name for file in path.iterdir()}
    assert {"config.json", "log.txt", "stats.jsonl", "reals.png", "report.html", "training-state.pkl", "network-final.pkl"} <= names
    assert {"fakes000000.png", "fakes000000-nimg32.png", "fakes000000-nimg128.png"} <= names
    assert sorted(file.name for file in path.glob("network-snapshot-*")) == [
        "network-snapshot-000000-nimg32.pkl",
        "network-snapshot-000000-nimg64.pkl",
    ]
    assert measured == [("network-snapshot-000000-nimg32.pkl", 32), ("network-snapshot-000000-nimg64.pkl", 64), ("network-final.pkl", 128)]
    ticks = [line for line in lines(path / "stats.jsonl") if "tick" in line]
    assert [line["lod"] for line in ticks] == [1.0, 0.5, 0.0, 0.0]
    assert [line["nimg"] for line in ticks] == [32, 64, 96, 128]
    assert all(np.isfinite(line["Loss/D"]) for line in ticks)
    assert {"nimg": 128, "snapshot": "network-final.pkl", "Metrics/fid": 3.0, "Metrics/kid": 0.25} in lines(path / "stats.jsonl")
    assert Image.open(path / "fakes000000.png").size == (3 * 64, 2 * 64)  # at every level of detail, at least 64 pixels a picture
    networks = stylegan_tf.load(path)
    assert networks.nimg == 128
    assert networks.config["name"] == "tiny"


def test_tensorboard_has_the_grids_and_the_settings(whole_run):
    tags = set()
    for path in whole_run[1].glob("events.out.tfevents.*"):
        for record in tf.data.TFRecordDataset(str(path)):
            tags |= {value.tag for value in Event.FromString(record.numpy()).summary.value}
    assert {"Pictures/fakes", "Pictures/reals", "Settings", "Loss/G"} <= tags


def test_traces_of_earlier_stages_are_freed(whole_run):  # each kept 0.1 GB
    assert len(whole_run[3]._traced) == 1


def test_grids_keep_the_trace_of_one_level():
    from stylegan_tf.training.pictures import PictureGrids

    held = []

    class Generator:
        def preview(self, z, labels, lod):  # a constant in the graph stands for a network's trace
            held.append(weakref.ref(tf.compat.v1.get_default_graph()))
            return tf.zeros([24, 8 >> lod.floor, 8 >> lod.floor, 3])

    grids = PictureGrids(RunSettings(grid_columns=3, grid_rows=2), resolution=8, z_dim=4, labels=None, num_images=24)
    for lod in (1.0, 0.5, 0.0):
        assert grids.draw(Generator(), lod).shape[1] == 8 >> int(lod)
    gc.collect()
    assert [graph() is not None for graph in held] == [False, False, True]


def test_times_of_a_tick_add_up(whole_run):
    for tick in lines(whole_run[1] / "stats.jsonl"):
        if "tick" in tick:
            parts = [tick[name] for name in ("data_sec", "D_sec", "G_sec", "other_sec")]
            assert min(parts[:3]) > 0
            assert sum(parts) == pytest.approx(tick["sec_per_tick"], abs=0.01)


def test_conditional_grids_have_one_class_a_row(tiny_settings, start_run, tiny_dataset):
    from stylegan_tf import data
    from stylegan_tf.training.pictures import PictureGrids

    dataset = data.open_dataset(tiny_dataset)
    grids = PictureGrids(tiny_settings.run, resolution=8, z_dim=4, labels=dataset.labels, num_images=24)
    assert grids.labels.argmax(axis=1).tolist() == [0, 0, 0, 1, 1, 1]
    reals = grids.reals(lambda indices: data.read_images(dataset, indices, 8))
    first = data.read_images(dataset, grids.indices[:1], 8)[0]
    np.testing.assert_array_equal(reals[:64:8, :64:8], first)


def test_abort_file_and_failing_metrics(tiny_settings, start_run, resume_run):
    def fail(file, *_):
        (file.parent / "abort.txt").write_text("")
        raise RuntimeError("no weights")

    settings = changed(tiny_settings, schedule={"start_resolution": 8, "total_kimg": 0.064})
    code, path = start_run(settings, on_snapshot=SnapshotScores(fail))
    assert code == 0
    log = (path / "log.txt").read_text()
    assert "The scores of network-snapshot-000000-nimg32.pkl failed (RuntimeError: no weights). Training continues." in log
    assert "Stopped by abort.txt at kimg 0.0" in log
    assert len(lines(path / "stats.jsonl")) == 1
    assert resume_run(path, settings) == 0  # the file was removed
    assert [line["nimg"] for line in lines(path / "stats.jsonl")] == [32, 64]


def test_an_interrupted_and_resumed_run_equals_one_that_was_not_interrupted(whole_run, start_run, resume_run, monkeypatch):
    settings, whole, *_ = whole_run
    pairs = []

    def reason(self):
        pairs.append(0)
        return "SIGTERM" if len(pairs) == 14 else None  # between two updates and inside a tick, while 8x8 fades in

    with monkeypatch.context() as patched:
        patched.setattr(StopRequest, "reason", property(reason, lambda self, value: None))
        _, cut = start_run(settings, on_snapshot=SnapshotScores(lambda *_: SCORES))
    assert "Stopped by SIGTERM" in (cut / "log.txt").read_text()
    assert resume_run(cut, settings, on_snapshot=SnapshotScores(lambda *_: SCORES)) == 0
    assert_same_run(whole, cut)


@pytest.mark.slow
def test_steps_of_the_next_stage_are_compiled_while_a_run_trains_this_one(tiny_settings, start_run, monkeypatch):
    monkeypatch.setattr(devices, "resolve_xla", lambda *_: "background")
    run_one_call, begun = Trainer.run, []

    def run_and_wait(trainer, batches, stage, **options):
        if not begun or begun[-1][0] != stage.lod:
            begun.append((stage.lod, trainer.compiler.ready(trainer._key(stage, options["nimg"], 1)) is not None))
        results = run_one_call(trainer, batches, stage, **options)
        trainer.compiler.wait()
        return results

    monkeypatch.setattr(Trainer, "run", run_and_wait)
    _, folder = start_run(tiny_settings)
    assert begun[0] == (1.0, False)  # a run begins without XLA
    assert begun[1][0] < 1
    assert begun[1][1]  # compiled during the stage before; the fade itself is over after one update, too soon for the next stage
    log = (folder / "log.txt").read_text()
    for name in ("4x4", "8x8, fading in", "8x8"):
        assert f"A step at {name} is compiled with XLA" in log
