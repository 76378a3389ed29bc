"""Pictures from elsewhere run no program and take no memory beyond the limit, whatever their names and headers say."""

import json
import struct
import subprocess

import numpy as np
import pytest
from PIL import Image

from stylegan_tf.data import open_dataset, read_picture
from stylegan_tf.data.intake.crop import cut_out
from stylegan_tf.data.intake.decode import decode_image_file
from stylegan_tf.data.intake.segment import Segment
from stylegan_tf.data.records.manifest import MANIFEST_NAME
from stylegan_tf.data.records.tfrecords import Example, encode_example, frame
from stylegan_tf.data.sources import UnusableImage
from stylegan_tf.data.sources.file_names import READABLE_FORMATS
from stylegan_tf.errors import UserError
from tests.data import hostile_pictures
from tests.data.broken_files import encoded, leaf
from tests.test_dataset_tool import run
from tests.test_hostile_files import assert_harmless, read_all

Image.init()
MODES = {"XBM": "1", "MSP": "1", "SPIDER": "F", "BLP": "P"}


@pytest.mark.parametrize("name", sorted(Image.OPEN))
def test_each_format_that_pillow_knows_is_decoded_by_pillow_itself_or_refused(name, monkeypatch):
    """EPS was handed to Ghostscript, which executed it, and IPTC files contain pictures of any format."""
    barred = [known for known in Image.OPEN if known not in READABLE_FORMATS]
    for known in barred:  # their readers must not even see the file
        monkeypatch.setitem(Image.OPEN, known, (lambda *_: pytest.fail("opened"), lambda *_: pytest.fail("asked")))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("ran a program"))
    if name not in Image.SAVE or name in ("BUFR", "GRIB", "HDF5", "WMF"):  # Pillow writes these with the help of other libraries
        assert name in READABLE_FORMATS or name in barred
        return
    content = encoded(leaf().convert(MODES.get(name, "RGB")), name)
    if name in READABLE_FORMATS:
        assert decode_image_file(content).size == (32, 32)
    else:
        with pytest.raises(UnusableImage, match="not an image"):
            decode_image_file(content)


def test_the_formats_that_are_read_are_a_list_of_our_own():  # a plug-in that a later Pillow adds is not trusted by default
    assert not {"EPS", "WMF", "IPTC", "FITS", "PDF", "MPEG", "HDF5", "ICNS", "BLP"} & set(READABLE_FORMATS)
    assert set(READABLE_FORMATS) <= set(Image.OPEN)


def test_files_for_other_programs_are_refused_whatever_their_names(tmp_path):
    for name, content in hostile_pictures.program_files().items():
        (tmp_path / name).write_bytes(content)
    results = read_all("picture", tmp_path, 300)
    assert len(results) == 25
    assert_harmless(results, {})
    assert all("not an image" in result["message"] for result in results.values())


def test_pictures_that_unfold_are_refused_by_their_headers(tmp_path):
    """11,500x11,500 pixels in PNG, TIFF, WebP and JPEG 2000 took up to 3.3 GB and a minute."""
    for name, content in hostile_pictures.unfolding_files().items():
        (tmp_path / name).write_bytes(content)
    results = read_all("picture", tmp_path, 600)
    assert_harmless(results, {})
    sparing = {
        name: (result["message"], result["megabytes"]) for name, result in results.items() if "too many pixels" not in result["message"]
    }
    assert not sparing
    assert max(result["megabytes"] for result in results.values()) < 50
    assert max(result["seconds"] for result in results.values()) < 5


def test_a_jpeg_of_many_passes_is_refused():  # each takes as long as decoding the picture
    content = encoded(leaf(), "JPEG", progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    assert decode_image_file(content[:-2] + 50 * scan + content[-2:]).size == (32, 32)
    with pytest.raises(UnusableImage, match="more than 200 scans"):
        decode_image_file(content[:-2] + 300 * scan + content[-2:])


def test_lossless_jpeg_is_refused():
    content = encoded(leaf(), "JPEG")
    frame = content.index(b"\xff\xc0")
    with pytest.raises(UnusableImage, match="lossless JPEG"):
        decode_image_file(content[:frame] + b"\xff\xff\xc3" + content[frame + 2 :])


def test_the_limit_can_be_raised(tmp_path, capsys):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.png").write_bytes(encoded(leaf().resize((1200, 1000)), "PNG"))
    (folder / "b.png").write_bytes(encoded(leaf().convert("RGBA").resize((1000, 600)), "PNG"))
    assert run("check", folder, "--max-pixels", 1) == 2
    text = capsys.readouterr().err
    assert "a.png: too many pixels: 1200x1000; at most 1 million are decoded (--max-pixels)" in text
    assert "b.png: too many pixels: 1000x600 take 5 MB to decode; 4 MB are allowed (--max-pixels)" in text
    assert run("check", folder, "--max-pixels", 3) == 0
    with pytest.raises(UserError, match=r"a\.png cannot be used as a picture: too many pixels"):
        read_picture(folder / "a.png", max_pixels=10**6)
    assert read_picture(folder / "a.png", channels=1).shape == (1000, 1200, 1)


def test_masks_go_through_the_same_reader(tmp_path, capsys):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    (tmp_path / "images" / "a.png").write_bytes(encoded(leaf(), "PNG"))
    (tmp_path / "masks" / "a.png").write_bytes(hostile_pictures.RUNS_CODE)
    assert run("check", tmp_path / "images", "--crop", "segment", "--mask-dir", tmp_path / "masks") == 2
    assert "a.png cannot be used as a picture: not an image" in capsys.readouterr().err


def test_read_picture_says_what_is_wrong(tmp_path):
    for path, message in [(tmp_path / "none.png", "does not exist"), (tmp_path, "is not a file")]:
        with pytest.raises(UserError, match=message):
            read_picture(path)
    (tmp_path / "a\x1b[31m.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"a\\x1b\[31m\.png cannot be used as a picture: empty file"):
        read_picture(tmp_path / "a\x1b[31m.png")


@pytest.fixture(scope="module")
def huge_record(tmp_path_factory):
    """Datasets with one record that contains a picture of 30,000x30,000 pixels with a valid checksum."""
    folder = tmp_path_factory.mktemp("huge")
    (folder / "images").mkdir()
    for number in range(3):
        (folder / "images" / f"{number}.png").write_bytes(encoded(leaf(number), "PNG"))
    for encoding in ("png", "jpeg"):
        target = folder / "datasets" / encoding
        assert run("create_from_images", target, folder / "images", "--encoding", encoding, "--labels", "none") == 0
        level = open_dataset(target).level(32)
        payloads = [bytes(level.file.read_payload(row)) for row in range(3)]
        small = bytes(level.read_data(1))
        if encoding == "png":
            bomb = small[:16] + struct.pack(">II", 30_000, 30_000) + small[24:]
        else:
            place = small.index(b"\xff\xc0") + 5
            bomb = small[:place] + struct.pack(">HH", 30_000, 30_000) + small[place + 4 :]
        payloads[1] = encode_example(Example((3, 32, 32), bomb, encoding))
        (target / f"{encoding}-r05.tfrecords").write_bytes(b"".join(frame(payloads)[0]))
        (target / f"{encoding}-r05.index").unlink()
        values = json.loads((target / MANIFEST_NAME).read_text())
        values["files"] = {}
        (target / MANIFEST_NAME).write_text(json.dumps(values))
    return folder / "datasets"


@pytest.mark.parametrize("reader", ["check", "display", "training"])
def test_records_that_unfold_are_refused_by_their_headers(huge_record, reader):
    """Such a record took 5 GB in `display` and in `check`."""
    results = read_all(reader, huge_record, 600)
    assert_harmless(results, {})
    for result in results.values():
        assert "record 1 contains a" in result["message"]
        assert "of 30000x30000, expected 32x32" in result["message"]
        assert result["megabytes"] < 100


@pytest.mark.slow
def test_very_long_pictures_become_no_squares_of_their_length(tmp_path):
    (tmp_path / "images").mkdir()
    line = Image.new("L", (200_000, 520), 255)
    line.paste(0, (1000, 200, 199_000, 300))
    line.save(tmp_path / "images" / "a.png")
    (tmp_path / "images" / "b.png").write_bytes(encoded(leaf(0, 128), "PNG"))
    for options in (("--crop", "segment"), ("--fit", "pad"), ("--fit", "stretch")):
        target = tmp_path / options[1]
        assert run("create_from_images", target, tmp_path / "images", "--resolution", 64, "--channels", 3, *options) == 0
    mask = np.ones((3, 20_000), bool)
    with pytest.raises(UnusableImage, match="the object and its margin would become a square of 24000x24000"):
        cut_out(np.zeros((3, 20_000, 1), np.uint8), Segment(mask, ~mask, np.zeros((3, 3))), 0.1)
