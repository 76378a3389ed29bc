"""Damaged images are left out of a dataset before anything is written, and do not influence its shape."""

import json

import pytest

from stylegan_tf.data import open_dataset
from stylegan_tf.data.intake import prepare
from stylegan_tf.data.intake.build import build_dataset
from stylegan_tf.data.intake.options import PrepareOptions
from stylegan_tf.data.sources import open_images
from stylegan_tf.errors import UserError
from tests.data.broken_files import SIDE, encoded, flipped, leaf

PNG, JPEG = encoded(leaf(), "PNG"), encoded(leaf(), "JPEG")


def cut(data: bytes) -> bytes:
    return data[:-100]  # behind the header


def a_folder(path, contents):
    path.mkdir()
    for number, content in enumerate(contents):
        (path / f"{number}.{'png' if content[:4] == PNG[:4] else 'jpg'}").write_bytes(content)
    return path


def test_damage_behind_the_header_is_found(tmp_path):
    folder = a_folder(tmp_path / "images", [JPEG, cut(JPEG), PNG, cut(PNG), flipped(PNG, len(PNG) // 2)])
    lines = []
    options = PrepareOptions(resolution=16, labels="none", shuffle=False)
    report = build_dataset(open_images(folder), tmp_path / "set", options, made_by={}, say=lines.append)
    assert report.num_written == open_dataset(tmp_path / "set").num_images == 2
    assert {row["name"]: row["reason"] for row in report.skipped} == {"1.jpg": "truncated", "3.png": "truncated", "4.png": "corrupt"}
    assert json.loads((tmp_path / "set" / "report.json").read_text())["sizes"] == {f"{SIDE}x{SIDE}": 2}
    first = lines.index("3 of 5 images cannot be used and are skipped:")
    assert lines[first + 1].startswith("  1.jpg: truncated")


def test_damaged_files_do_not_influence_the_channels(tmp_path):
    sound, grey = [encoded(leaf(n, 64), "PNG") for n in range(3)], encoded(leaf(9, 16).convert("L"), "PNG")
    folder = a_folder(tmp_path / "images", [*sound, *[cut(grey)] * 4])
    options = PrepareOptions(min_size=8, labels="none")
    report = build_dataset(open_images(folder), tmp_path / "set", options, made_by={}, say=lambda text: None)
    assert (report.num_written, report.resolution, report.channels) == (3, 64, 3)


def test_a_folder_of_damaged_images_is_refused_and_nothing_is_left(tmp_path):
    folder = a_folder(tmp_path / "images", [cut(JPEG)] * 3)
    options = PrepareOptions(resolution=16, labels="none")
    with pytest.raises(UserError, match=r"None of the 3 images of [\s\S]*0\.jpg: truncated"):
        build_dataset(open_images(folder), tmp_path / "set", options, made_by={}, say=lambda text: None)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_an_image_that_changes_after_the_check_ends_the_build_and_nothing_is_left(tmp_path, monkeypatch):
    folder = a_folder(tmp_path / "images", [JPEG] * 3)
    monkeypatch.setattr(prepare, "_report_unusable", lambda *_: (folder / "1.jpg").write_bytes(cut(JPEG)))
    with pytest.raises(UserError, match=r"1\.jpg: truncated.* \(it changed since it was checked\)\. Nothing was written"):
        build_dataset(open_images(folder), tmp_path / "set", PrepareOptions(labels="none"), made_by={}, say=lambda text: None)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
