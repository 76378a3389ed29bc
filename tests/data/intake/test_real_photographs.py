"""Datasets of real photographs, if ../shared/data has them: their size on disk and their defaults."""

import inspect
from pathlib import Path

import pytest

from stylegan_tf.data import DatasetWriter, open_dataset
from stylegan_tf.data.intake.build import build_dataset
from stylegan_tf.data.intake.options import PrepareOptions, add_output, prepare_options
from stylegan_tf.data.records.codecs import JPEG_QUALITY
from stylegan_tf.data.records.inspection import describe_dataset
from stylegan_tf.data.sources import open_images

PHOTOGRAPHS = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture
def apple_leaves(tmp_path):
    """Every 64th leaf of the four folders, with labels."""
    folder = PHOTOGRAPHS / "apple_leaves"
    if not folder.is_dir():
        pytest.skip("needs ../shared/data/apple_leaves")
    for number, path in enumerate(sorted(folder.rglob("*.*"))):
        if path.suffix.lower() == ".jpg" and number % 64 == 0:
            link = tmp_path / "leaves" / path.parent.name / path.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    return tmp_path / "leaves"


@pytest.mark.parametrize(("encoding", "most_of_raw", "most_of_source"), [("jpeg", 0.1, 1.95), ("png", 0.6, None)])
def test_size_on_disk_for_leaves(apple_leaves, tmp_path, encoding, most_of_raw, most_of_source):
    """With quality 95, JPEG records took 2.2 times the source files. Without the report, which is large compared to 50 images."""
    options = PrepareOptions(resolution=256, encoding=encoding)
    build_dataset(open_images(apple_leaves), tmp_path / "set", options, made_by={}, say=lambda text: None)
    dataset = open_dataset(tmp_path / "set")
    written = sum(path.stat().st_size for path in dataset.path.glob("*.tfrecords"))
    assert written <= most_of_raw * describe_dataset(dataset)["raw_bytes"]
    source = sum(path.stat().st_size for path in apple_leaves.rglob("*.*"))
    assert most_of_source is None or written <= most_of_source * source


def test_one_quality_is_the_default_everywhere():
    import argparse

    parser = argparse.ArgumentParser()
    add_output(parser)
    assert prepare_options(parser.parse_args(["--encoding", "jpeg"])).quality == PrepareOptions(encoding="jpeg").quality == JPEG_QUALITY
    assert inspect.signature(DatasetWriter).parameters["quality"].default == JPEG_QUALITY
