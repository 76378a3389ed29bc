"""Tests of preparing sources: resolution and channels, skipped images, report."""

import re
import time

import numpy as np
import pytest

from stylegan_tf import progress_bar
from stylegan_tf.data import open_dataset, read_images
from stylegan_tf.data.intake.build import build_dataset
from stylegan_tf.data.intake.options import PrepareOptions
from stylegan_tf.data.intake.prepare import prepare
from stylegan_tf.data.sources import ArraySource, open_images
from stylegan_tf.data.sources.leaves import draw_leaf
from stylegan_tf.errors import UserError
from stylegan_tf.progress_bar import Progress, format_sec, track
from tests.data.broken_files import encoded, leaf


def silent(text):
    pass


def write(folder, pictures, kind="PNG", **options):
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures):
        (folder / f"{number:03d}.{kind.lower()}").write_bytes(encoded(picture, kind, **options))
    return open_images(folder)


def plan_of(source, **options):
    return prepare(source, PrepareOptions(**options), say=silent).plan


@pytest.mark.parametrize(
    ("sizes", "resolution"),
    [
        ([(64, 64)] * 3, 64),
        ([(100, 70)] * 3, 64),
        ([(100, 70)] * 39 + [(20, 20)], 64),
        ([(100, 70)] * 3 + [(20, 20)] * 3, 16),
        ([(1500, 2000)], 1024),
    ],
)
def test_the_resolution_is_one_that_nearly_all_images_reach(tmp_path, sizes, resolution):
    source = write(tmp_path, [leaf(0, 8).resize(size) for size in sizes])
    assert plan_of(source).resolution == resolution


@pytest.mark.parametrize(
    ("modes", "channels"),
    [(["L", "L", "RGB"], 1), (["L", "RGB", "RGB"], 3), (["RGBA", "RGBA", "L"], 4), (["L", "RGB"], 3), (["RGB", "RGBA"], 3)],
)
def test_channels_go_by_the_majority(tmp_path, modes, channels):
    pictures = [leaf(number).convert(mode) for number, mode in enumerate(modes)]
    for picture in pictures:
        if picture.mode == "RGBA":
            picture.putalpha(99)
    source = write(tmp_path, pictures)
    assert plan_of(source).channels == channels
    assert plan_of(source, encoding="jpeg").channels == (3 if channels == 4 else channels)
    assert plan_of(source, channels=1).channels == 1


def test_small_images_are_skipped_or_enlarged_as_requested(tmp_path):
    source = write(tmp_path, [leaf(0, 64), leaf(1, 32), leaf(2, 16)])
    assert len(prepare(source, PrepareOptions(resolution=64), say=silent).checked.indices) == 2
    assert len(prepare(source, PrepareOptions(resolution=64, min_size=64), say=silent).checked.indices) == 1
    assert len(prepare(source, PrepareOptions(resolution=64, min_size=1), say=silent).checked.indices) == 3


def test_max_images_are_spread_over_the_source_unless_unshuffled(tmp_path):
    source = write(tmp_path, [leaf(number, 8) for number in range(40)])
    options = {"resolution": 8, "max_images": 10}
    indices = prepare(source, PrepareOptions(**options), say=silent).checked.indices
    assert len(indices) == 10
    assert max(indices) > 25
    assert prepare(source, PrepareOptions(**options, shuffle=False), say=silent).checked.indices.tolist() == list(range(10))


def test_unusable_images_are_counted_among_those_checked(tmp_path):
    """The message was "4 of 600" although --max-images had selected 40."""
    write(tmp_path, [leaf(0, 32)] * 9)
    (tmp_path / "000.png").write_bytes(b"broken")
    lines = []
    prepare(open_images(tmp_path), PrepareOptions(max_images=3, shuffle=False), say=lines.append)
    assert any(line.startswith("1 of 3 images cannot be used") for line in lines)


def test_duplicates_are_skipped_and_listed(tmp_path):
    source = write(tmp_path / "images", [leaf(0), leaf(1), leaf(0), leaf(2)])
    report = build_dataset(source, tmp_path / "set", PrepareOptions(dedupe="exact"), made_by={}, say=silent)
    assert report.num_written == 3
    assert report.skipped == [{"name": "002.png", "reason": "duplicate", "message": "duplicate: the same pixels as 000.png"}]


def test_duplicates_do_not_stop_a_build_that_stops_on_errors(tmp_path):
    source = write(tmp_path / "images", [leaf(0), leaf(0)])
    options = PrepareOptions(dedupe="exact", on_error="stop")
    assert build_dataset(source, tmp_path / "set", options, made_by={}, say=silent).num_written == 1


def test_exact_fit_skips_other_sizes(tmp_path):
    source = write(tmp_path / "images", [leaf(0, 64), leaf(1, 32), leaf(2, 64).resize((48, 48))])
    prepared = prepare(source, PrepareOptions(resolution=32, fit="exact", min_size=1), say=silent)
    assert prepared.checked.indices.tolist() == [0, 1]
    assert "--fit center-crop" in prepared.checked.unusable[0][2]


def test_jpegs_are_stored_as_they_are_in_jpeg_records(tmp_path):
    source = write(tmp_path / "images", [leaf(number, 64) for number in range(4)], "JPEG")
    build_dataset(source, tmp_path / "set", PrepareOptions(encoding="jpeg", shuffle=False), made_by={}, say=silent)
    stored = bytes(open_dataset(tmp_path / "set").level(64).read_data(2))
    assert stored[-200:] == source.read(2)[-200:]  # the compressed pixels, not compressed again


def test_arrays_need_no_check(tmp_path):
    images = np.stack([draw_leaf(0, number, 16)[0] for number in range(5)])
    source = ArraySource("five leaves", images, labels=np.arange(5), class_names=tuple("abcde"))
    report = build_dataset(source, tmp_path / "set", PrepareOptions(shuffle=False), made_by={"command": "x"}, say=silent)
    dataset = open_dataset(tmp_path / "set")
    assert (read_images(dataset, range(5)) == images).all()
    assert report.class_counts == dict.fromkeys("abcde", 1)
    assert dataset.manifest.made_by["command"] == "x"


def test_segmented_objects_are_shown_before_and_after(tmp_path):
    pictures = [leaf(number, 64).resize((120, 120)) for number in range(4)]
    source = write(tmp_path / "images", pictures)
    build_dataset(source, tmp_path / "set", PrepareOptions(crop="segment", resolution=32), made_by={}, say=silent)
    page = (tmp_path / "set" / "report.html").read_text()
    assert "before and after" in page
    assert page.count("data:image/jpeg") == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit": "squash"}, "center-crop"),
        ({"resolution": 100}, "power of two"),
        ({"channels": 2}, "1, 3 or 4"),
        ({"encoding": "gif"}, "png"),
        ({"channels": 4, "encoding": "jpeg"}, "JPEG"),
        ({"min_size": 0}, "1 or more"),
        ({"dedupe_distance": 40, "dedupe": "near"}, "0 to 16"),
        ({"margin": -1, "crop": "segment"}, "margin must be"),
        ({"margin": 0.1}, "only with crop segment"),
        ({"dedupe_distance": 4, "dedupe": "exact"}, "only with dedupe near"),
        ({"quality": 88}, "only with encoding jpeg"),
        ({"quality": 88, "encoding": "raw"}, "only with encoding jpeg"),
        ({"class_names": ("a", "b", "a")}, "twice: 'a'"),
        ({"wide_height": 16, "resolution": 32}, "height of wide"),
        ({"mask_dir": "x"}, "crop segment"),
        ({"mask_dir": "no/such/folder", "crop": "segment"}, "no mask folder"),
        ({"background": "blackish"}, "colour"),
        ({"quality": 0, "encoding": "jpeg"}, "quality"),
    ],
)
def test_invalid_options_are_refused_before_anything_is_read(options, message):
    with pytest.raises(UserError, match=message):
        PrepareOptions(**options)


def test_progress_counts_items_and_prints_plain_lines_when_piped(capsys):
    assert list(track(range(5), label="Doing")) == [0, 1, 2, 3, 4]
    assert re.search(r"Doing: 5 images in \d+s", capsys.readouterr().err)
    with pytest.raises(KeyError), Progress(3, "Failing"):
        raise KeyError
    assert capsys.readouterr().err == ""


def test_progress_without_a_finished_item_is_shown_in_a_pipe(capsys, monkeypatch):
    monkeypatch.setattr(progress_bar, "LINE_SEC", 0.02)
    with Progress(3, "Slow"):
        time.sleep(0.2)
    # A line was written when an item was finished, never before, and then with a rate of 0.
    assert re.search(r"^Slow: 0 of 3 images, \d+s$", capsys.readouterr().err, re.MULTILINE)
    with progress_bar.working("Reading the network"):
        time.sleep(0.2)
    assert re.fullmatch(r"Reading the network: done in \d+s", capsys.readouterr().err.splitlines()[-1])
    monkeypatch.undo()
    with progress_bar.working("Reading the network"):
        pass
    assert not capsys.readouterr().err


def test_the_remaining_time_excludes_startup(monkeypatch):
    now, lines = [0.0], []
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: now[0])
    with Progress(10, "reals") as progress:
        for second in (60.0, 70.0, 80.0):  # a minute for the first, then ten seconds each
            now[0] = second
            progress.advance()
            lines.append(progress.line())
    first, second, third = lines
    assert "left" not in first
    assert second.endswith("1m 20s left")
    assert third.endswith("1m 10s left")


@pytest.mark.parametrize(("seconds", "text"), [(4, "4s"), (190, "3m 10s"), (3700, "1h 01m 40s"), (90_000, "1d 01h 00m")])
def test_durations(seconds, text):
    assert format_sec(seconds) == text


def test_a_disk_that_is_too_small_is_refused_before_writing(tmp_path, monkeypatch):
    import shutil

    source = write(tmp_path / "images", [leaf(number) for number in range(4)])
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=64 << 20))
    lines = []
    with pytest.raises(UserError, match=r"only 0\.1 GB are free"):
        build_dataset(source, tmp_path / "set", PrepareOptions(), made_by={}, say=lines.append)
    assert any("about 1 MB" in line for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_an_image_is_read_upright_cut_and_labelled_the_same_with_any_number_of_workers(tmp_path):
    source = write(tmp_path / "images", [leaf(number, 64).resize((90, 70)) for number in range(30)])
    for workers in (1, 3):
        options = PrepareOptions(resolution=32, workers=workers)
        build_dataset(source, tmp_path / f"set{workers}", options, made_by={}, say=silent)
    images = [read_images(open_dataset(tmp_path / f"set{workers}"), range(30)) for workers in (1, 3)]
    assert (images[0] == images[1]).all()
