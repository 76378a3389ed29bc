"""Builds that decode every image once: facts read from headers, and damage found only when the image is written."""

import contextlib
import json

import pytest
from PIL import Image

from stylegan_tf.data import open_dataset
from stylegan_tf.data.intake.build import build_dataset
from stylegan_tf.data.intake.decode import decode_image_file, shape_from_header
from stylegan_tf.data.intake.options import PrepareOptions
from stylegan_tf.data.sources import UnusableImage, open_images
from stylegan_tf.errors import UserError
from tests.data.broken_files import SIDE, encoded, flipped, leaf
from tests.data.intake.test_colour import SWAPPED

PNG = encoded(leaf(), "PNG")


def jpeg(mode: str = "RGB", **options) -> bytes:
    return encoded(leaf().convert(mode), "JPEG", **options)


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return jpeg(exif=exif)


def cut(data: bytes) -> bytes:
    return data[:-100]  # behind the header


def a_folder(path, contents):
    path.mkdir()
    for number, content in enumerate(contents):
        (path / f"{number}.{'png' if content[:4] == PNG[:4] else 'jpg'}").write_bytes(content)
    return path


@pytest.mark.parametrize("data", [jpeg(), jpeg("L"), PNG], ids=["jpeg", "grey jpeg", "png"])
def test_the_header_gives_the_same_shape_as_decoding(data):
    decoded = decode_image_file(data)
    assert shape_from_header(data) == decoded.pixels.shape
    assert decoded.size == decoded.pixels.shape[:2]
    assert not decoded.notes


@pytest.mark.parametrize(
    "data",
    [rotated(), jpeg("CMYK"), jpeg(icc_profile=SWAPPED), b"", encoded(leaf().convert("RGBA"), "PNG")],
    ids=["rotated", "inks", "profile", "empty", "alpha"],
)
def test_files_that_need_more_than_a_header_give_none(data):
    assert shape_from_header(data) is None


@pytest.mark.parametrize("data", [b"\xff\xd8", b"\xff\xd8\xff\xe0" + bytes(40), jpeg()[:60]], ids=["two bytes", "zeros", "cut header"])
def test_a_broken_header_is_unusable_or_left_to_the_decoder(data):
    with contextlib.suppress(UnusableImage):
        assert shape_from_header(data) is None
    with pytest.raises(UnusableImage):
        decode_image_file(data)


def test_damage_behind_the_header_is_found_when_the_image_is_written(tmp_path):
    folder = a_folder(tmp_path / "images", [jpeg(), cut(jpeg()), PNG, cut(PNG), flipped(PNG, len(PNG) // 2)])
    lines = []
    options = PrepareOptions(resolution=16, labels="none", shuffle=False)
    report = build_dataset(open_images(folder), tmp_path / "set", options, made_by={}, say=lines.append)
    assert report.num_written == open_dataset(tmp_path / "set").num_images == 2
    assert {row["name"]: row["reason"] for row in report.skipped} == {"1.jpg": "truncated", "3.png": "truncated", "4.png": "corrupt"}
    assert json.loads((tmp_path / "set" / "report.json").read_text())["sizes"] == {f"{SIDE}x{SIDE}": 2}
    first = next(place for place, line in enumerate(lines) if "3 of 5 images could not be decoded when they were written" in line)
    assert lines[first + 1].startswith("  1.jpg: truncated")


def test_damaged_files_do_not_influence_the_channels(tmp_path):
    sound, grey = [encoded(leaf(n, 64), "PNG") for n in range(3)], encoded(leaf(9, 16).convert("L"), "PNG")
    for resolution in (None, 32):
        folder = a_folder(tmp_path / f"images{resolution}", [*sound, *[cut(grey)] * 4])
        options = PrepareOptions(resolution=resolution, min_size=8, labels="none")
        report = build_dataset(open_images(folder), tmp_path / f"set{resolution}", options, made_by={}, say=lambda text: None)
        assert (report.num_written, report.resolution, report.channels) == (3, resolution or 64, 3)


def test_a_folder_of_damaged_images_is_refused_and_nothing_is_left(tmp_path):
    folder = a_folder(tmp_path / "images", [cut(jpeg())] * 3)
    with pytest.raises(UserError, match=r"None of the 3 images can be used, nothing was written[\s\S]*0\.jpg: truncated"):
        build_dataset(
            open_images(folder), tmp_path / "set", PrepareOptions(resolution=16, labels="none"), made_by={}, say=lambda text: None
        )
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


@pytest.mark.parametrize(("on_error", "times"), [("skip", 1), ("stop", 2)])
def test_an_image_is_decoded_once_or_twice_with_on_error_stop(tmp_path, monkeypatch, on_error, times):
    from stylegan_tf.data.intake import build, check_images, decode, prepare

    decoded = []

    def counted(data, max_pixels):
        decoded.append(data)
        return decode_image_file(data, max_pixels)

    for module in (prepare, check_images, decode):
        monkeypatch.setattr(module, "decode_image_file", counted)
    monkeypatch.setattr(build, "estimate", lambda prepared, indices: (0, 0))
    folder = a_folder(tmp_path / "images", [jpeg()] * 4)
    options = PrepareOptions(resolution=16, labels="none", on_error=on_error)
    build_dataset(open_images(folder), tmp_path / "set", options, made_by={}, say=lambda text: None)
    assert len(decoded) == 4 * times
