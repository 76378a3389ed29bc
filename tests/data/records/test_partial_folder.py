"""Leftovers of interrupted builds: removed if no process uses them, restored if they are a dataset."""

import os
import subprocess
import sys

import pytest

from stylegan_tf.data.records import target
from stylegan_tf.data.records.target import PartialFolder, clear_leftovers

pytest.importorskip("fcntl")

MAKER = """
import os, sys
from pathlib import Path
from stylegan_tf.data.records.target import PartialFolder
folder = PartialFolder(Path(sys.argv[1]))
folder.make()
(folder.path / "records").write_text("some")
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def maker(tmp_path):
    """A process that builds `tmp_path / "set"` until it is killed, and its folder."""
    command = [sys.executable, "-c", MAKER, str(tmp_path / "set")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process, process.stdout.readline().strip()
        process.kill()


def test_a_folder_is_removed_only_after_its_process_has_ended(tmp_path, maker):
    process, folder = maker
    assert clear_leftovers(tmp_path / "set") == [f"{folder} belongs to a build that is still running."]
    assert os.listdir(folder) == ["records"]
    process.kill()
    process.wait()
    assert clear_leftovers(tmp_path / "set") == [f"Removed {folder}, left by a build that was interrupted."]
    assert os.listdir(tmp_path) == []


def test_folders_of_other_datasets_machines_and_programs_are_not_removed(tmp_path, monkeypatch):
    names = [".set-b-00000123456789ab.partial", ".sets-000012345678.partial", ".set-.partial", "set.partial", ".set-x.partial", "set"]
    for name in names:
        (tmp_path / name).mkdir()
    assert clear_leftovers(tmp_path / "set") == []
    left = PartialFolder(tmp_path / "set")
    left.make()
    left._unlock()
    monkeypatch.setattr(target.platform, "node", lambda: "another")
    (sentence,) = clear_leftovers(tmp_path / "set")
    assert sentence == f"{left.path} belongs to a build on another machine. Delete it if that build has ended."
    assert sorted(os.listdir(tmp_path)) == sorted([*names, left.path.name])
    assert clear_leftovers(tmp_path / "nowhere" / "set") == []


def test_without_locks_nothing_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(target, "fcntl", None)
    left = PartialFolder(tmp_path / "set")
    left.make()
    (sentence,) = clear_leftovers(tmp_path / "set")
    assert "has no locks" in sentence
    assert left.path.exists()


def test_a_dataset_that_was_about_to_be_replaced_is_restored(tmp_path):
    """Killed between two renames, a build with --overwrite left the older dataset under a hidden name."""
    new = PartialFolder(tmp_path / "set")
    new.make()
    older = new.path.with_name(new.path.name.replace(".partial", "-replaced.partial"))
    older.mkdir()
    (older / "older").write_text("")
    assert not (tmp_path / "set").exists()
    assert all("still running" in sentence for sentence in clear_leftovers(tmp_path / "set"))
    new._unlock()
    back, removed = clear_leftovers(tmp_path / "set")
    assert "Restored" in back
    assert "Removed" in removed
    assert os.listdir(tmp_path) == ["set"]
    assert os.listdir(tmp_path / "set") == ["older"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupt_between_the_renames_keeps_the_older_dataset(tmp_path, monkeypatch, error):
    (tmp_path / "set").mkdir()
    new = PartialFolder(tmp_path / "set")
    new.make()
    rename = type(tmp_path).rename

    def fail(self, target):
        if self == new.path:
            raise error
        return rename(self, target)

    monkeypatch.setattr(type(tmp_path), "rename", fail)
    with pytest.raises(error):
        new.publish()
    new.remove()
    assert os.listdir(tmp_path) == ["set"]


def test_a_folder_that_is_removed_before_it_is_locked_is_created_again(tmp_path, monkeypatch):
    locked, folder = target._locked, PartialFolder(tmp_path / "set")
    calls = []

    def cleared_first(path):
        calls.append(path)
        if len(calls) == 1:
            path.rmdir()
        return locked(path)

    monkeypatch.setattr(target, "_locked", cleared_first)
    folder.make()
    assert folder.path.exists()
    assert len(calls) == 2
    folder.remove()
    assert os.listdir(tmp_path) == []
