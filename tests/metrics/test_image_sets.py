"""Scores of pictures without a network: the same as of the same images in records; sizes, kinds and damaged files."""

import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from metrics import image_sets, program
from metrics.nearest_neighbours import small_pixels
from stylegan_tf import data
from stylegan_tf.errors import UserError
from tests.data.broken_files import png
from tests.data.hostile_pictures import HUGE

pytestmark = pytest.mark.usefixtures("stand_in")


@pytest.fixture(scope="module")
def fakes():
    return np.random.default_rng(2).integers(0, 256, (40, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def pictures(fakes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "drawn"
    folder.mkdir()
    for number, image in enumerate(fakes):
        Image.fromarray(image).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture(scope="module")
def records(fakes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("records") / "drawn"
    with data.DatasetWriter(folder, resolution=8, channels=3) as writer:
        for image in fakes:
            writer.add(image)
    return folder


def zipped(folder, path):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path


def scores(out, *arguments):
    """Runs the program; the results by metric."""
    assert program.run_all([*map(str, arguments), "--outdir", str(out)]) == 0
    lines = [json.loads(line) for path in sorted(out.glob("metric-*.jsonl")) for line in path.read_text().splitlines()]
    return {line["metric"]: line for line in lines}


def values(found):
    return {name: estimate["value"] for line in found.values() for name, estimate in line["values"].items()}


def test_a_folder_an_archive_and_records_of_the_same_images_have_the_same_scores(pictures, records, leaves_path, tmp_path):
    names = "fid,kid,pr,memorisation,fid20"
    sets = {"folder": pictures, "zip": zipped(pictures, tmp_path / "drawn.zip"), "records": records}
    found = {kind: scores(tmp_path / kind, names, "--images", path, "--data", leaves_path) for kind, path in sets.items()}
    assert set(found["folder"]) == {"fid40_full", "kid40_full", "pr40_3_full", "memorisation40", "fid20"}  # all images without a number
    assert values(found["folder"]) == values(found["zip"]) == values(found["records"])
    line = found["folder"]["fid40_full"]
    assert line["protocol"]["resolution"] == 8
    assert (line["protocol"]["num_fakes"], line["protocol"]["num_reals"]) == (40, 60)
    assert line["protocol"]["images"] == data.PictureSet(pictures).digest == found["zip"]["fid40_full"]["protocol"]["images"]
    assert (tmp_path / "folder" / "metric-memorisation40-drawn.png").exists()


def test_real_images_may_be_pictures_and_the_same_set_has_distance_0(pictures, records, tmp_path):
    found = scores(tmp_path, "fid,kid", "--images", records, "--data", pictures)
    assert values(found)["fid40_full"] == pytest.approx(0, abs=1e-6)


def test_pictures_of_other_sizes_are_brought_to_the_size_of_the_smaller_set(pictures, fakes, leaves_path, tmp_path):
    enlarged = tmp_path / "enlarged"
    enlarged.mkdir()
    for number, image in enumerate(np.repeat(np.repeat(fakes, 2, 1), 2, 2)):  # exact means of 2x2 pixels give the images back
        Image.fromarray(image).save(enlarged / f"{number:03d}.png")
    Image.fromarray(np.zeros((6, 30, 3), np.uint8)).save(enlarged / "wide.png")
    reals = ["--data", leaves_path]
    found = scores(tmp_path / "a", "fid40,kid40", "--images", enlarged, *reals)["fid40"]
    assert (found["protocol"]["resolution"], found["protocol"]["resampled_images"]) == (8, 41)
    assert "1 pictures of enlarged are not square: the central square of each is used" in found["notes"]
    assert "1 pictures of enlarged were enlarged to 8 pixels" in found["notes"]
    (enlarged / "wide.png").unlink()
    again = scores(tmp_path / "b", "fid,kid", "--images", enlarged, *reals)
    assert values(again) == values(scores(tmp_path / "c", "fid,kid", "--images", pictures, *reals))
    smaller = scores(tmp_path / "d", "fid", "--images", pictures, *reals, "--resolution", "4")["fid40_full"]["protocol"]
    assert (smaller["resolution"], smaller["resampled_images"]) == (4, 40)
    assert "resampled_reals" not in smaller  # the records of that level
    other = scores(tmp_path / "e", "fid", "--images", pictures, *reals, "--resolution", "7")["fid40_full"]["protocol"]
    assert other["resampled_reals"] == 60


def test_grey_pictures_and_transparent_ones_have_the_channels_of_the_real_images(pictures, tmp_path):
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    Image.new("L", (8, 8), 100).save(mixed / "grey.png")
    Image.new("RGBA", (8, 8), (9, 9, 9, 0)).save(mixed / "clear.png")
    found = image_sets.read_images(data.PictureSet(mixed), [0, 1], 8, 3)
    assert (found[0] == 255).all()  # white behind transparent pixels
    assert (found[1] == 100).all()
    assert image_sets.choose(data.PictureSet(pictures), data.PictureSet(mixed)).channels == 3


def test_damaged_and_hostile_pictures_are_left_out_and_named(pictures, leaves_path, tmp_path, capsys):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for file in pictures.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "bomb.png").write_bytes(png(bytes(1000), width=HUGE, height=HUGE))
    (folder / "cut.png").write_bytes((pictures / "000.png").read_bytes()[:60])
    (folder / "es\x1b[31m.png").write_bytes(b"")
    found = scores(tmp_path / "out", "fid", "--images", folder, "--data", leaves_path)["fid40_full"]
    (note,) = found["notes"][1:]
    assert note.startswith("3 of 43 pictures of mixed cannot be used and are left out:")
    assert "bomb.png" in note
    assert "\x1b" not in note + capsys.readouterr().out
    for file in folder.iterdir():
        file.write_bytes(b"damaged")
    with pytest.raises(UserError, match="None of the 43 pictures"):
        data.PictureSet(folder)


def test_bad_arguments_are_one_message(pictures, leaves_path, snapshot_networks, tmp_path, capsys):
    for name in ("empty", "large", "labels"):
        (tmp_path / name).mkdir()
    for name in ("large", "labels"):
        Image.new("1", (1200, 1000)).save(tmp_path / name / "a.png")
    (tmp_path / "labels" / "dataset.json").write_text("{")
    large, labels = str(tmp_path / "large"), str(tmp_path / "labels")
    images, reals = ["--images", str(pictures)], ["--data", str(leaves_path)]
    cases = {
        "There is no dataset, folder or archive": ["fid", "--images", str(tmp_path / "none"), *reals],
        "contains no pictures": ["fid", "--images", str(tmp_path / "empty"), *reals],
        "needs the real images, too: --data": ["fid", *images],
        "fid5k needs 5,000 images": ["fid5k", *images, *reals],
        "cannot be computed from images alone": ["ppl_wfull", *images, *reals],
        "do not apply to --images": ["fid", *images, *reals, "--trunc", "0.7"],
        "Omit --network": ["fid", *images, *reals, "--network", "results"],
        "A network is scored at its own resolution": ["fid", "--network", "results", "--resolution", "8"],
        "compared at 4 to 2048 pixels": ["fid", *images, *reals, "--resolution", "3"],
        "1200x1000; at most 1 million are decoded (--max-pixels)": ["fid", "--images", large, *reals, "--max-pixels", "1"],
        "None of the 1 pictures": ["fid", *images, "--data", large, "--max-pixels", "1"],
        "A score needs 10 to": ["fid", "--images", large, *reals, "--max-pixels", "2"],
        "column 2: Expecting property name enclosed in double quotes). Correct the file, or remove it.": [
            "fid",
            "--images",
            labels,
            *reals,
        ],
        "is neither a folder nor a file": ["fid", "--images", "/dev/null", *reals],
    }
    for message, arguments in cases.items():
        assert program.run_all(arguments) == 2
        error = capsys.readouterr().err
        assert message in error.splitlines()[-1], message
        assert error.splitlines()[-1].startswith("error: ")


def test_a_picture_that_changes_while_it_is_scored_is_named(fakes, tmp_path):
    Image.fromarray(fakes[0]).save(tmp_path / "a.png")
    found = data.PictureSet(tmp_path)
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"a\.png of .* has changed"):
        found.read([0], 8, 3)


def test_small_pixels_are_means_of_areas():
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), np.uint8)
    repeated = np.repeat(np.repeat(images, 2, 1), 2, 2).reshape(2, 32, 3, 32, 3, 3)  # 48 * 2 = 32 * 3
    np.testing.assert_allclose(small_pixels(images), repeated.mean((2, 4)).reshape(2, -1) / 255, atol=1e-6)
