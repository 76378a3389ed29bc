"""Faults in the middle of a run: divergence, memory, disk, data. Only the steps are faked."""

import errno
import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf import nvidia, snapshot
from stylegan_tf.errors import UserError
from stylegan_tf.training import faults
from stylegan_tf.training import run as runs
from stylegan_tf.training.best import BestValue, SnapshotScores
from tests.test_out_of_memory import GPU_ERRORS
from tests.training.conftest import changed
from tests.training.fake_trainer import FakeTrainer


@pytest.fixture
def fake_steps(monkeypatch):
    """A function that puts a FakeTrainer in the place of the real one."""

    def install(on_iteration=None):
        made = []

        def make(networks, settings, *_):
            made.append(FakeTrainer(networks, settings.run.seed, on_iteration))
            return made[-1]

        monkeypatch.setattr(runs, "make_trainer", make)
        return made

    return install


def full_size(settings, **groups):
    """No growth: 128 images at 8x8, a tick each 32."""
    return changed(settings, **{"schedule": {"start_resolution": 8}, **groups})


def folder_of(tmp_path_factory):
    return max(tmp_path_factory.getbasetemp().glob("results*/*"), key=lambda path: path.stat().st_mtime)


def state_in(path):
    return snapshot.load_state(path / "training-state.pkl")


@pytest.mark.parametrize(
    ("statistics", "message"),
    [({"Loss/D": float("nan")}, "Loss/D is nan"), ({"Loss/scores/fake": -2e6}, r"Loss/scores/fake is -2e\+06, above run.max_logit")],
)
def test_divergence_stops_at_the_next_update_and_is_not_saved(tiny_settings, start_run, fake_steps, tmp_path_factory, statistics, message):
    fake_steps(lambda trainer, stage, nimg: statistics if nimg >= 72 else None)
    with pytest.raises(UserError, match=rf"diverged at kimg 0.1: {message}.*run.on_nan=rollback"):
        start_run(full_size(tiny_settings))
    assert state_in(folder_of(tmp_path_factory))["position"]["nimg"] == 64


def test_weights_that_are_not_finite_are_not_saved(tiny_settings, start_run, fake_steps, tmp_path_factory):
    def diverge(trainer, stage, nimg):
        if nimg == 92:
            trainer.G.w_avg.assign(trainer.G.w_avg * np.inf)

    fake_steps(diverge)
    with pytest.raises(UserError, match="weight w_avg of G is not finite"):
        start_run(full_size(tiny_settings))
    path = folder_of(tmp_path_factory)
    assert np.isfinite(state_in(path)["weights"]["G"]["w_avg"]).all()
    assert not (path / "network-snapshot-000000-nimg96.pkl").exists()


def test_a_rollback_continues_with_another_seed(tiny_settings, start_run, fake_steps):
    trainers = fake_steps(lambda trainer, stage, nimg: {"Loss/D": np.nan} if trainer.seed == 0 and nimg >= 72 else None)
    code, path = start_run(full_size(tiny_settings, run={"on_nan": "rollback"}))
    assert code == 0
    log = (path / "log.txt").read_text()
    assert "Loss/D is nan: returned to kimg 0.1 with another seed (rollback 1 of 3)" in log
    assert [json.loads(line)["nimg"] for line in (path / "stats.jsonl").read_text().splitlines()] == [32, 64, 96, 128]
    assert state_in(path)["position"]["num_rollbacks"] == 1
    assert trainers[0].seed != 0


def test_rollbacks_are_counted(tiny_settings, start_run, fake_steps):
    seeds = []
    fake_steps(lambda trainer, stage, nimg: (seeds.append(trainer.seed), {"Loss/D": np.nan})[1] if nimg >= 72 else None)
    with pytest.raises(UserError, match="diverged") as refusal:
        start_run(full_size(tiny_settings, run={"on_nan": "rollback", "max_rollbacks": 2}))
    assert "on_nan" not in str(refusal.value)  # it has been tried
    assert len(set(seeds)) == 3  # the first try, and two more


def raise_at(first, error):
    def on_iteration(trainer, stage, nimg):
        if nimg >= first:
            raise error

    return on_iteration


def test_out_of_memory_says_which_stage_and_what_to_lower(tiny_settings, start_run, fake_steps):
    fake_steps(raise_at(40, tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")))
    with pytest.raises(UserError, match=r"Out of memory at 8x8 \(lod 0.00\), 4 images.*max_minibatch_per_device_by_resolution.8=2"):
        start_run(full_size(tiny_settings, D={"mbstd_group_size": 2}))


@pytest.mark.parametrize(("kind", "text"), GPU_ERRORS)
def test_out_of_memory_names_other_programs_and_no_part_that_cannot_be_smaller(kind, text, monkeypatch):
    monkeypatch.setattr(nvidia, "other_programs", lambda: ["blender (pid 77) 21.0 GB"])
    stage = SimpleNamespace(resolution=64, lod=0.0, minibatch=32, max_minibatch_per_device=4)
    run_dir = SimpleNamespace(how_to_resume="python train.py --resume 3")

    def message(least_part, is_float32):
        options = {"num_devices": 1, "run_dir": run_dir, "data_path": "leaves"}
        return str(faults.explained(kind(None, None, text), stage, least_part=least_part, is_float32=is_float32, **options))

    assert message(1, True) == (
        "Out of memory at 64x64 (lod 0.00), 4 images at once on a device, minibatch 32. "
        "Other programs hold memory of the GPU: blender (pid 77) 21.0 GB. "
        "Try --set schedule.max_minibatch_per_device_by_resolution.64=2 (half the memory for activations, same results: gradients are "
        "accumulated), or smaller networks, or --set run.precision=mixed_float16. "
        "The last training state is valid. Resume with: python train.py --resume 3"
    )
    assert "GB. Try smaller networks. The last" in message(4, False)  # the group of the minibatch standard deviation


@pytest.mark.parametrize(
    ("kind", "text"),  # of TensorFlow 2.21 on a CPU, with an entry that was cut off, emptied, changed, and folders that cannot be written
    [
        (tf.errors.OutOfRangeError, "Read less bytes than requested [Op:__inference_f_39]"),
        (tf.errors.InvalidArgumentError, "Serialized cache key does not match. [Op:__inference_f_39]"),
        (tf.errors.InternalError, "Failed to parse serialized CpuAotCompilationResult. [Op:__inference_f_39]"),
        (tf.errors.FailedPreconditionError, "/cache/xla is not a directory [Op:__inference_f_39]"),
        (tf.errors.NotFoundError, "/cache/xla; No such file or directory [Op:__inference_f_39]"),
        (tf.errors.ResourceExhaustedError, "/cache/xla/xla_compile_cache__1; No space left on device"),
    ],
)
def test_a_cache_of_compiled_steps_that_cannot_be_used_is_named(kind, text, monkeypatch):
    error, options = kind(None, None, text), {"num_devices": 1, "least_part": 1, "is_float32": False, "data_path": "leaves"}
    run_dir = SimpleNamespace(how_to_resume="python train.py --resume 3", path="results/3")
    monkeypatch.delenv("TF_XLA_FLAGS", raising=False)
    assert "cache" not in str(faults.explained(error, None, run_dir=run_dir, **options)).replace(text, "")
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_persistent_cache_directory=/cache/xla --tf_xla_cpu_global_jit")
    assert str(faults.explained(error, None, run_dir=run_dir, **options)) == (
        f"The cache of compiled steps in /cache/xla is damaged or cannot be written: {text}. "
        "Delete the folder, or unset TF_XLA_FLAGS. Then resume: python train.py --resume 3"
    )


def test_a_convolution_without_an_algorithm_is_not_reported_as_missing_data():
    error = tf.errors.NotFoundError(None, None, "No algorithm worked!  Error messages:\n  CUDNN_STATUS_NOT_SUPPORTED [Op:Conv2D]")
    run_dir = SimpleNamespace(how_to_resume="")
    assert faults.explained(error, None, num_devices=1, least_part=1, is_float32=False, run_dir=run_dir, data_path="leaves") is error


def test_tensorboards_full_disk_is_not_reported_as_memory(tiny_settings, start_run, fake_steps):
    fake_steps(raise_at(40, tf.errors.ResourceExhaustedError(None, None, "events.out.tfevents.1; No space left on device Failed to flush")))
    with pytest.raises(UserError, match=r"the disk is full.*then resume: python train.py --resume .*tiny"):
        start_run(full_size(tiny_settings))


def test_a_missing_dataset_is_named(tiny_settings, start_run, fake_steps, tiny_dataset):
    inside = "FileNotFoundError: tiny-r03.tfrecords is gone\n\t [[{{node PyFunc}}]] [Op:IteratorGetNext]"
    fake_steps(raise_at(40, tf.errors.UnknownError(None, None, inside)))
    with pytest.raises(UserError, match=r"Cannot read the dataset .*tiny any more: FileNotFoundError: tiny-r03\.tfrecords is gone"):
        start_run(full_size(tiny_settings))


def test_a_full_disk_does_not_damage_the_last_state(tiny_settings, start_run, fake_steps, monkeypatch, tmp_path_factory):
    fake_steps()
    save = snapshot.safe_pickle.write_pickle

    def fill_up(path, value):
        if value.get("nimg") == 64:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(path, value)

    monkeypatch.setattr(snapshot.safe_pickle, "write_pickle", fill_up)
    with pytest.raises(UserError, match=r"the disk is full\. Older files are intact"):
        start_run(full_size(tiny_settings))
    path = folder_of(tmp_path_factory)
    assert state_in(path)["position"]["nimg"] == 32
    assert not list(path.glob(".*partial*"))


def test_other_errors_keep_their_traceback(tiny_settings, start_run, fake_steps):
    fake_steps(raise_at(40, RuntimeError("a bug")))
    with pytest.raises(RuntimeError, match="a bug"):
        start_run(full_size(tiny_settings))


def test_control_json_changes_rates_and_stops_the_run(tiny_settings, start_run, resume_run, fake_steps):
    rates = {}

    def note(trainer, stage, nimg):
        rates[nimg] = (stage.G_lrate, stage.gamma)

    def write_control(file, _, nimg):
        contents = {32: {"G_lrate": 0.5, "gamma": 3, "snapshot": True}, 64: {"stop": True}}
        if nimg in contents:
            (file.parent / "control.json").write_text(json.dumps(contents[nimg]))

    fake_steps(note)
    settings = full_size(tiny_settings, run={"network_snapshot_ticks": 2})
    code, path = start_run(settings, on_snapshot=SnapshotScores(write_control))
    assert code == 0
    assert "Stopped by control.json" in (path / "log.txt").read_text()
    assert (rates[28], rates[60], rates[64]) == ((0.001, 10.0), (0.001, 10.0), (0.5, 3.0))
    assert max(rates) == 92
    assert resume_run(path, settings) == 0  # the changed values still apply
    assert rates[124] == (0.5, 3.0)


def test_old_snapshots_are_removed_and_the_best_is_kept(tiny_settings, start_run, fake_steps):
    fake_steps()
    scores = {32: 5.0, 64: 1.0, 96: 2.0, 128: 3.0}
    settings = full_size(tiny_settings, run={"network_snapshot_ticks": 1, "keep_snapshots": 1, "best_metric": "fid"})
    fid = SnapshotScores(lambda file, nets, nimg: {"fid": scores[nimg]}, lambda name: BestValue(name, lower_is_better=True))
    _, path = start_run(settings, on_snapshot=fid)
    assert sorted(file.name for file in path.glob("network-snapshot-*")) == [
        "network-snapshot-000000-nimg64.pkl",
        "network-snapshot-000000-nimg96.pkl",
    ]
    assert (path / "network-final.pkl").exists()


def test_resume_from_other_data_is_refused(tiny_settings, start_run, resume_run, fake_steps, tmp_path):
    from stylegan_tf.data import DatasetWriter

    fake_steps()
    _, path = start_run(full_size(tiny_settings))
    with DatasetWriter(tmp_path / "other", resolution=8, channels=3) as writer:
        for _ in range(4):
            writer.add(np.zeros((8, 8, 3), np.uint8))
    before = {file.name: file.read_bytes() for file in path.iterdir() if file.name != ".lock"}
    with pytest.raises(UserError, match="was trained on tiny; its images differ"):
        resume_run(path, full_size(tiny_settings, data={"path": str(tmp_path / "other")}))
    assert before == {file.name: file.read_bytes() for file in path.iterdir() if file.name != ".lock"}  # nothing is changed
