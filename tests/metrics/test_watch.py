"""Watching a run during its training."""

import pytest

from metrics import program
from stylegan_tf.training import run_dir


@pytest.fixture
def run(tmp_path):
    folder = run_dir.create(tmp_path, "sgan")
    (folder / "network-snapshot-000007.pkl").touch()
    yield folder
    folder.close()


def names(run):
    return [path.name for path in program.watched_snapshots(run.path)]


def test_watching_ends_with_the_training(run, monkeypatch, capsys):
    # It waited only for network-final.pkl, which a killed run never writes.
    def sleep(seconds):
        (run / "network-snapshot-000014.pkl").touch()
        run.close()

    monkeypatch.setattr(program.time, "sleep", sleep)
    assert names(run) == ["network-snapshot-000007.pkl", "network-snapshot-000014.pkl"]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["waiting", str(run.path)]
    assert "no longer being trained" in lines[1]


def test_watching_ends_with_the_final_network(run, monkeypatch, capsys):
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 2:
            (run / "network-final.pkl").touch()

    monkeypatch.setattr(program.time, "sleep", sleep)
    assert names(run) == ["network-snapshot-000007.pkl", "network-final.pkl"]
    assert len(waited) == 2
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_snapshot_that_training_removed_is_skipped(run):
    (run / "network-snapshot-000014.pkl").touch()
    (run / "network-final.pkl").touch()
    found = program.watched_snapshots(run.path)
    assert next(found).name == "network-snapshot-000007.pkl"
    (run / "network-snapshot-000014.pkl").unlink()
    assert [path.name for path in found] == ["network-final.pkl"]


def test_watching_does_not_block_the_lock_of_training(run):
    assert program.is_being_written(run.path)
    run.close()
    assert not program.is_being_written(run.path)
    run_dir.RunDir(run.path).close()
