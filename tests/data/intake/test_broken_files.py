"""Tests of a folder of damaged and unusual files: each is accepted or skipped for the right reason, and a dataset is made."""

import json

import numpy as np
import pytest

from stylegan_tf.data import open_dataset
from stylegan_tf.data.intake.build import build_dataset
from stylegan_tf.data.intake.options import PrepareOptions
from stylegan_tf.data.intake.prepare import prepare
from stylegan_tf.data.records.inspection import check_records
from stylegan_tf.data.sources import open_images
from stylegan_tf.display import visible
from stylegan_tf.errors import UserError
from tests.data import broken_files
from tests.data.broken_files import OK, SIDE


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broken")
    expected = broken_files.write_all(folder)
    return folder, expected, broken_files.write_other_files(folder)


def test_there_are_forty_kinds_of_bad_files():
    assert len(broken_files.unusable_files()) >= 40


def test_every_file_is_accepted_or_skipped_with_the_right_reason(broken):
    folder, expected, num_other_files = broken
    source = open_images(folder)
    assert sorted(source.names) == sorted(expected)
    assert source.other_files.total == num_other_files, source.other_files.counts
    checked = prepare(source, PrepareOptions(resolution=SIDE, channels=3, labels="none"), say=lambda text: None).checked
    found = {source.names[index]: OK for index in checked.indices}
    found.update((source.names[index], reason) for index, reason, _ in checked.unusable)
    wrong = {name: (found[name], wanted) for name, wanted in expected.items() if found[name] != wanted and (wanted or found[name] == OK)}
    assert not wrong


def test_a_dataset_is_made_and_the_report_lists_every_file(broken, tmp_path):
    folder, expected, _ = broken
    lines = []
    build_dataset(
        open_images(folder),
        tmp_path / "set",
        PrepareOptions(resolution=SIDE, channels=3, labels="none"),
        made_by={},
        say=lines.append,
    )
    num_ok = sum(wanted == OK for wanted in expected.values())
    dataset = open_dataset(tmp_path / "set")
    assert dataset.num_images == num_ok
    check_records(dataset)
    report = json.loads((tmp_path / "set" / "report.json").read_text())
    assert report["num_written"] == num_ok
    assert {row["name"] for row in report["skipped"]} == {visible(name) for name, wanted in expected.items() if wanted != OK}
    assert "data:image/jpeg;base64," in (tmp_path / "set" / "report.html").read_text()
    assert any("are skipped" in line for line in lines)


def test_on_error_stop_names_the_files_and_writes_nothing(broken, tmp_path):
    folder, _, _ = broken
    with pytest.raises(UserError, match=r"cannot be used, nothing was written[\s\S]*--on-error skip"):
        build_dataset(
            open_images(folder),
            tmp_path / "set",
            PrepareOptions(resolution=SIDE, on_error="stop"),
            made_by={},
            say=lambda text: None,
        )
    assert list(tmp_path.iterdir()) == []


def test_any_flipped_bit_of_a_png_is_detected_or_harmless(tmp_path):
    """Checksums cover every byte of a PNG that its pixels depend on."""
    from stylegan_tf.data.intake.decode import decode_image_file
    from stylegan_tf.data.sources import UnusableImage

    sound = broken_files.encoded(broken_files.leaf(), "PNG")
    pixels = decode_image_file(sound).pixels
    for place in range(8, len(sound), 7):
        try:
            decoded = decode_image_file(broken_files.flipped(sound, place)).pixels
        except UnusableImage:
            continue
        assert np.array_equal(decoded, pixels)
