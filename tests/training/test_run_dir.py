"""Run folders: names, numbers, the lock, and --resume."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.loading import named_network
from stylegan_tf.training import run_dir as run_dirs

ROOT = Path(__file__).parents[2]


def test_numbers_increase_and_folders_are_not_reused(tmp_path):
    (tmp_path / "00007-sgan-old-1gpu").mkdir()
    (tmp_path / "notes").mkdir()
    names = [run_dirs.create(tmp_path, "sgan-leaves-1gpu").path.name for _ in range(2)]
    assert names == ["00008-sgan-leaves-1gpu", "00009-sgan-leaves-1gpu"]


def test_a_second_process_is_refused(tmp_path):
    run = run_dirs.create(tmp_path, "x")
    code = f"from stylegan_tf.training.run_dir import RunDir; RunDir({str(run.path)!r})"
    second = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Another process (process " in second.stderr
    run.close()
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_on_a_disk_without_locks_a_run_starts_with_one_warning(tmp_path, monkeypatch, capsys, code):
    def fails(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(run_dirs.fcntl, "flock", fails)
    run = run_dirs.create(tmp_path, "x")  # was "another process is writing", and a new folder was left by each try
    assert [path.name for path in tmp_path.iterdir()] == ["00000-x"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: ")
    assert "without locks" in line
    run.close()


def test_outdir_that_cannot_be_made_is_a_message(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Try another --outdir"):
        run_dirs.create(tmp_path / "file" / "results", "x")


def test_find_takes_latest_names_numbers_and_paths(tmp_path):
    folders = [run_dirs.create(tmp_path, name) for name in ("a", "b", "c")]
    for folder in folders[:2]:
        folder.state_path.write_bytes(b"")
    assert run_dirs.find(tmp_path, "latest").name == "00001-b"  # 00002 has no state to resume from
    assert run_dirs.find(tmp_path, "0").name == "00000-a"
    assert run_dirs.find(tmp_path, "00002-c").name == "00002-c"
    assert run_dirs.find(tmp_path, str(folders[0].path)) == folders[0].path
    with pytest.raises(MissingFileError, match="can be resumed: 00000-a, 00001-b"):
        run_dirs.find(tmp_path, "12")


def test_latest_without_runs_says_so(tmp_path):
    with pytest.raises(MissingFileError, match="no run in"):
        run_dirs.find(tmp_path / "nowhere", "latest")


@pytest.mark.parametrize(
    ("nimg", "is_short", "name"),
    [(140_288, False, "fakes000140.png"), (7680, True, "fakes000007-nimg7680.png"), (0, False, "fakes000000.png")],
)
def test_names_contain_the_image_count(nimg, is_short, name):
    assert run_dirs.numbered("fakes", nimg, ".png", is_short) == name
    assert run_dirs.nimg_of(name) == (nimg if is_short else nimg // 1000 * 1000)


def test_other_names_have_no_count():
    assert run_dirs.nimg_of("network-final.pkl") is None


def test_latest_is_the_newest_run_with_a_snapshot(tmp_path):
    for name, has_snapshot in (("00000-a-cpu", True), ("00001-b-cpu", True), ("00002-c-cpu", False)):
        (tmp_path / name).mkdir()
        if has_snapshot:
            (tmp_path / name / "network-snapshot-000001.pkl").touch()
    assert named_network("latest", tmp_path) == tmp_path / "00001-b-cpu"
    assert str(named_network("some/run", tmp_path)) == "some/run"
    with pytest.raises(MissingFileError):
        named_network("latest", tmp_path / "none")
