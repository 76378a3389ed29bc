"""Tests of labels: where they are found, that they match their images, and what is refused."""

import json

import numpy as np
import pytest

from stylegan_tf.data import open_dataset, read_images
from stylegan_tf.data.intake.build import build_dataset
from stylegan_tf.data.intake.find_labels import find_labels
from stylegan_tf.data.intake.labels import describe_imbalance
from stylegan_tf.data.intake.options import PrepareOptions
from stylegan_tf.data.sources import open_images
from stylegan_tf.errors import UserError
from tests.data.broken_files import encoded, leaf

NAMES = ["a/0.png", "a/1.png", "b/2.png", "b/3.png"]


@pytest.fixture
def folder(tmp_path):
    for number, name in enumerate(NAMES):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(leaf(number), "PNG"))
    return tmp_path / "images"


def labels_of(folder, wanted="auto"):
    return find_labels(open_images(folder), str(wanted))


def test_folders_are_classes_below_what_all_images_share(folder, tmp_path):
    labels = labels_of(folder)
    assert labels.class_names == ("a", "b")
    assert labels.values.tolist() == [0, 0, 1, 1]
    folder.rename(tmp_path / "inner")
    (tmp_path / "outer").mkdir()
    (tmp_path / "inner").rename(tmp_path / "outer" / "inner")
    assert labels_of(tmp_path / "outer").class_names == ("a", "b")


def test_numbers_as_folder_names_are_sorted_by_value(tmp_path):
    for name in ("10", "9", "100"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(encoded(leaf(), "PNG"))
    assert labels_of(tmp_path).class_names == ("9", "10", "100")


def test_images_beside_the_folders_mean_no_labels(folder):
    (folder / "one_more.png").write_bytes(encoded(leaf(), "PNG"))
    assert labels_of(folder).values is None
    with pytest.raises(UserError, match="one sub-folder per class"):
        labels_of(folder, "folders")


def test_labels_none(folder):
    assert labels_of(folder, "none").values is None


def test_dataset_json_of_stylegan2_ada_comes_before_folders(folder):
    (folder / "dataset.json").write_text(json.dumps({"labels": [[name, 5 - number] for number, name in enumerate(NAMES)]}))
    assert labels_of(folder).values.tolist() == [5, 4, 3, 2]
    assert labels_of(folder).class_names == tuple("012345")
    (folder / "dataset.json").write_text(json.dumps({"labels": [[name, [number, 0.5]] for number, name in enumerate(NAMES)]}))
    assert labels_of(folder).values.tolist() == [[0, 0.5], [1, 0.5], [2, 0.5], [3, 0.5]]
    (folder / "dataset.json").write_text(json.dumps({"labels": None}))
    assert labels_of(folder).origin == "names of folders"
    (folder / "dataset.json").write_text('{"something": "else"}')
    assert labels_of(folder).origin == "names of folders"


@pytest.mark.parametrize(
    ("text", "values", "names"),
    [
        ("name,label\na/0.png,oak\na/1.png,maple\nb/2.png,oak\nb/3.png,elm\n", [2, 1, 2, 0], ("elm", "maple", "oak")),
        ("3.png;1\n2.png;0\n1.png;1\n0.png;0\n", [0, 1, 0, 1], ("0", "1")),
        ("0.png\t7\n1.png\t7\n2.png\t0\n3.png\t1\n", [7, 7, 0, 1], tuple("01234567")),
        ("file,x,y\n0.png,0.5,1\n1.png,1,2\n2.png,0,0\n3.png,-1,4\n", [[0.5, 1], [1, 2], [0, 0], [-1, 4]], ()),
    ],
)
def test_csv(folder, tmp_path, text, values, names):
    (tmp_path / "labels.csv").write_text("\ufeff" + text, encoding="utf-8")
    labels = labels_of(folder, tmp_path / "labels.csv")
    assert labels.values.tolist() == values
    assert labels.class_names == names


def test_npy_is_in_sorted_order(folder, tmp_path):
    np.save(tmp_path / "labels.npy", np.array([3, 1, 0, 2]))
    assert labels_of(folder, tmp_path / "labels.npy").values.tolist() == [3, 1, 0, 2]
    np.save(tmp_path / "labels.npy", np.eye(4)[:, :2])
    assert labels_of(folder, tmp_path / "labels.npy").values.shape == (4, 2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("labels.txt", b"", "must be auto, none, folders"),
        ("labels.json", b"{", "of stylegan2-ada"),
        ("labels.json", b'{"labels": null}', "contains no labels"),
        ("labels.json", b'{"labels": [["zebra.png", 1]]}', "contains no label of these images"),
        ("labels.json", b'{"labels": [["0.png", -3], ["1.png", 1]]}', "class numbers must be integers"),
        ("labels.json", b'{"labels": [["0.png", 1], ["1.png", [2]]]}', "either classes only, or vectors"),
        ("labels.json", b'{"labels": [["0.png", [1, 2]], ["1.png", [1]]]}', "same length"),
        ("labels.json", b'{"labels": [["0.png", 10000000000000000000000000]]}', "15 digits"),
        ("labels.csv", b"0.png\n1.png\n", "rows of the same length"),
        ("labels.csv", b"\xff\xfe\x00", "not UTF-8"),
        ("labels.csv", b"0.png,1,x\n1.png,1,2\n2.png,1,2\n3.png,1,2\n", "all must be numbers"),
        ("labels.csv", b"0.png,1,nan\n1.png,1,2\n2.png,1,2\n3.png,1,2\n", "NaN or infinity"),
        ("labels.npy", b"\x93NUMPY", r"not a \.npy array"),
    ],
)
def test_label_files_that_cannot_be_used_are_refused(folder, tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        labels_of(folder, tmp_path / name)


def test_npy_of_another_length_and_pickled_npy_are_refused(folder, tmp_path):
    np.save(tmp_path / "labels.npy", np.zeros(3, np.int64))
    with pytest.raises(UserError, match="4 labels"):
        labels_of(folder, tmp_path / "labels.npy")
    np.save(tmp_path / "labels.npy", np.array([{}] * 4), allow_pickle=True)
    with pytest.raises(UserError, match=r"not a \.npy array"):
        labels_of(folder, tmp_path / "labels.npy")


def test_labels_match_their_images_when_others_are_skipped(folder, tmp_path):
    (folder / "a" / "0a.png").write_bytes(b"broken")
    (folder / "b" / "1b.png").write_bytes(b"")
    rows = [[name, number] for number, name in enumerate(NAMES)] + [["a/0a.png", 3]]
    (tmp_path / "labels.json").write_text(json.dumps({"labels": rows}))
    options = PrepareOptions(labels=str(tmp_path / "labels.json"), resolution=32)
    report = build_dataset(open_images(folder), tmp_path / "set", options, made_by={}, say=lambda text: None)
    assert report.skipped_counts == {"not an image": 1, "no label": 1}
    dataset = open_dataset(tmp_path / "set")
    images = read_images(dataset, range(4))
    for image, label in zip(images, dataset.labels.argmax(axis=1), strict=True):
        assert (image == np.asarray(leaf(int(label)))).all()
    assert report.class_counts == {"0": 1, "1": 1, "2": 1, "3": 1}


def test_an_image_without_a_vector_is_skipped(folder, tmp_path):
    """One missing row made the whole build fail, but the documentation says that the image is skipped."""
    (tmp_path / "labels.csv").write_text("name,x,y\n0.png,0,0.5\n1.png,1,0.5\n3.png,3,0.5\n")
    options = PrepareOptions(labels=str(tmp_path / "labels.csv"), shuffle=False)
    report = build_dataset(open_images(folder), tmp_path / "set", options, made_by={}, say=lambda text: None)
    assert [(row["name"], row["reason"]) for row in report.skipped] == [("b/2.png", "no label")]
    assert open_dataset(tmp_path / "set").labels.tolist() == [[0, 0.5], [1, 0.5], [3, 0.5]]


def test_imbalance_is_described():
    assert describe_imbalance({"a": 100, "b": 90}) is None
    assert "100 to 1" in describe_imbalance({"a": 1000, "b": 10})
    assert "no image" in describe_imbalance({"a": 1000, "b": 0})
    assert describe_imbalance({}) is None
