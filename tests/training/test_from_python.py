"""Training as a function call, with a callback a tick; steps are faked."""

import threading

import pytest

import stylegan_tf
from stylegan_tf.errors import UserError
from stylegan_tf.training import run as runs
from stylegan_tf.training import state_file, train
from tests.training.comparison import lines
from tests.training.conftest import changed
from tests.training.fake_trainer import FakeTrainer


@pytest.fixture(autouse=True)
def fake_steps(monkeypatch):
    monkeypatch.setattr(runs, "make_trainer", lambda networks, settings, *_: FakeTrainer(networks, settings.run.seed))


def test_every_tick_is_reported_with_its_networks(tiny_settings, tiny_dataset, tmp_path):
    ticks = []
    settings = changed(tiny_settings, data={"path": "nowhere"})
    run = train(settings, data=tiny_dataset, outdir=tmp_path, on_tick=lambda record, nets: ticks.append((record, nets.nimg, nets.lod)))
    assert run == tmp_path / "00000-stylegan-tiny-cpu"
    assert [record for record, *_ in ticks] == [line for line in lines(run / "stats.jsonl") if "tick" in line]
    assert [nimg for _, nimg, _ in ticks] == [32, 64, 96, 128]
    assert ticks[-1][2] == 0
    assert stylegan_tf.load(run).nimg == 128


def test_a_true_callback_ends_the_run_with_a_state(tiny_settings, tmp_path):
    run = train(tiny_settings, outdir=tmp_path, on_tick=lambda record, _: record["tick"] == 2)
    assert "Stopped by on_tick at kimg 0.1; the training state is saved." in (run / "log.txt").read_text()
    assert state_file.read(run / "training-state.pkl")["position"]["nimg"] == 64
    assert not (run / "network-final.pkl").exists()


def test_an_error_of_the_callback_releases_the_run_folder(tiny_settings, tmp_path):
    def fail(record, networks):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        train(tiny_settings, outdir=tmp_path, on_tick=fail)
    from stylegan_tf.training.run_dir import RunDir

    RunDir(tmp_path / "00000-stylegan-tiny-cpu").close()


def test_wrong_settings_are_refused_before_a_folder_is_made(tiny_settings, tmp_path):
    with pytest.raises(UserError, match=r"mbstd_group_size|minibatch"):
        train(changed(tiny_settings, schedule={"minibatch_base": 6}), outdir=tmp_path)
    with pytest.raises(UserError, match="no dataset nowhere"):
        train(tiny_settings, data="nowhere", outdir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_thread_is_refused(tiny_settings, tmp_path):
    errors = []

    def call():
        try:
            train(tiny_settings, outdir=tmp_path)
        except UserError as error:
            errors.append(str(error))

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert "main thread" in errors[0]
