"""A dataset may replace other datasets and empty folders, and nothing else."""

import os
from pathlib import Path

import pytest

import dataset_tool
from stylegan_tf import command_line
from stylegan_tf.data import open_dataset
from stylegan_tf.data.records.target import check_target
from stylegan_tf.errors import UserError
from tests.data.broken_files import encoded, leaf


def run(*arguments):
    """Runs the program in this process; returns its exit code."""
    return command_line.run(dataset_tool.main, [str(argument) for argument in arguments])


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """A folder with two images, in a working directory of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    for number in range(2):
        (tmp_path / "src" / f"{number}.png").write_bytes(encoded(leaf(number), "PNG"))
    return tmp_path / "src"


def files_below(folder: Path) -> dict:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in sorted(folder.rglob("*"))}


def test_overwrite_deletes_nothing_but_datasets(photographs, tmp_path, capsys):
    """Photographs, a thesis and the working directory were moved away and deleted for --overwrite."""
    (tmp_path / "keep" / "sub").mkdir(parents=True)
    (tmp_path / "keep" / "sub" / "thesis.txt").write_text("years of work")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("a file")
    (tmp_path / "link").symlink_to("texts")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "below").mkdir()
    before = files_below(tmp_path)
    for target in ("src", "keep", "texts", "file", "link", "dangling", ".", "..", str(tmp_path)):
        assert run("create_from_images", target, "src", "--overwrite") == 2, target
        assert capsys.readouterr().err.count("error: ") == 1
        assert files_below(tmp_path) == before, target
        with pytest.raises(UserError):
            check_target(target, overwrite=True)
    assert run("create_from_images", "below", "src", "--overwrite") == 0


def test_a_dataset_that_contains_other_files_is_not_replaced(photographs, tmp_path):
    assert run("create_from_images", "set", "src") == 0
    assert run("display", "set", "--output", "set/set-contact-sheet.png") == 0
    assert run("create_from_images", "set", "src", "--overwrite") == 0
    (tmp_path / "set" / "dataset.json").unlink()  # as the original makes them
    assert run("create_from_images", "set", "src", "--overwrite") == 0
    for extra in ("notes.txt", "sub/", "report.html/"):
        path = tmp_path / "set" / extra
        path.unlink(missing_ok=True)
        path.mkdir() if extra.endswith("/") else path.write_text("mine")
        assert run("create_from_images", "set", "src", "--overwrite") == 2
        path.rmdir() if extra.endswith("/") else path.unlink()
    assert open_dataset(tmp_path / "set").num_images == 2


def test_a_dataset_is_not_replaced_by_one_made_from_it(photographs, tmp_path):
    assert run("create_from_images", "set", "src") == 0
    before = files_below(tmp_path)
    assert run("convert", "set", "set", "--overwrite") == 2
    assert run("create_from_images", "set", "src", "--overwrite", "--labels", "set/dataset.json") == 2
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("target", ["x.partial", "n" * 250, "file/set", "two\nlines", ".hidden"])
def test_an_invalid_target_is_refused_before_the_first_pass(photographs, tmp_path, target, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("stylegan_tf.data.sources.open_images", None)
    assert run("create_from_images", target, "src") == 2
    assert "error: " in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["file", "src"]
