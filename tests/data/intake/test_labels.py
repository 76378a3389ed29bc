"""Tests of labels: where they are found, that they match their images, and what is refused."""

import json
import os
import tarfile
import zipfile

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
    with pytest.raises(UserError, match="one subfolder per class"):
        labels_of(folder, "folders")


def test_labels_none(folder):
    assert labels_of(folder, "none").values is None


def test_dataset_json_of_stylegan2_ada_comes_before_folders(folder):
    (folder / "dataset.json").write_text(json.dumps({"labels": [[name, 5 - number] for number, name in enumerate(NAMES)]}))
    assert labels_of(folder).values.tolist() == [5, 4, 3, 2]
    assert labels_of(folder).class_names == tuple("012345")
    (folder / "dataset.json").write_text(json.dumps({"labels": [[name, [number, 0.5]] for number, name in enumerate(NAMES)]}))
    assert labels_of(folder).values.tolist() == [[0, 0.5], [1, 0.5], [2, 0.5], [3, 0.5]]


FORMS = {  # a dataset.json, and what it means: class numbers, or a part of the message
    "pairs": ('{"labels": [["a/0.png", 2], ["a/1.png", 0], ["b/2.png", 1], ["b/3.png", 2]]}', [2, 0, 1, 2]),
    "pairs alone": ('[["a/0.png", 2], ["a/1.png", 0], ["b/2.png", 1], ["b/3.png", 2]]', [2, 0, 1, 2]),
    "dict": ('{"labels": {"a/0.png": 2, "a/1.png": 0, "b/2.png": 1, "b/3.png": 2}}', [2, 0, 1, 2]),
    "dict alone": ('{"a/0.png": 2, "a/1.png": 0, "b/2.png": 1, "b/3.png": 2}', [2, 0, 1, 2]),
    "floats and text": ('{"labels": [["0", 2.0], ["1", "0"], ["2", "1.0"], ["3", " 2 "]]}', [2, 0, 1, 2]),
    "no label": ('{"labels": [["0.png", null], ["1.png", -1], ["2.png", "nan"], ["3.png", 1]]}', [-1, -1, -1, 1]),
    "no label either": ('{"labels": [["0.png", NaN], ["1.png", "-1.0"], ["2.png", "-nan"], ["3.png", 1]]}', [-1, -1, -1, 1]),
    "Windows and absolute": (
        r'{"labels": [["C:\\x\\a\\0.png", 1], ["/data/a/1.png", 0], ["./b/2.png", 1], ["x/b/3.png", 0]]}',
        [1, 0, 1, 0],
    ),
    "UTF-8 with a mark": ('\ufeff{"labels": [["0.png", 1]]}', [1, -1, -1, -1]),
    "null": ("null", None),
    "labels null": ('{"labels": null}', None),
    "comma": (
        '{"labels": [\n ["a/0.png", 2],\n ]}',
        r"images/dataset\.json cannot be parsed as JSON \(line 2, column \d+: (a comma|Illegal trailing comma)",
    ),
    "empty": ("", "line 1, column 1"),
    "not UTF-8": (b'{"labels": [\n["\xff.png", 1]]}', "line 2: not UTF-8"),
    "deep": ("[" * 100_000, "nested too deep"),
    "digits": ('{"labels": [["0.png", %s]]}' % ("9" * 5000), "4300 digits"),
    "something else": ('{"something": "else"}', "no label of these images"),
    "number": ("7", "must have the form"),
    "text": ('{"labels": "0.png"}', "must have the form"),
    "empty list": ('{"labels": []}', "contains no label"),
    "triples": ('[["0.png", 1, 2]]', "entry 1: expected a pair"),
    "swapped": ('[[1, "0.png"]]', "entry 1: expected a pair"),
    "nested dict": ('{"labels": {"0.png": {"class": 1}}}', "entry 1: expected a pair"),
    "the same key twice": ('{"labels": {"0.png": 1, "0.png": 2}}', "'0.png' twice"),
    "two labels": ('{"labels": [["0.png", 1], ["a/0.png", 1]]}', r"two labels for 'a/0\.png' \(entry 1 and entry 2\)"),
    "half a class": ('{"labels": [["0.png", 0.5], ["1.png", 1]]}', r"Received: 0\.5 \(entry 1\).*must be a vector"),
    "infinite": ('{"labels": [["0.png", Infinity]]}', "class numbers must be integers"),
    "all without a label": ('{"labels": [["0.png", -1], ["1.png", null]]}', "none of the images has a label"),
    "names of classes": ('{"labels": [["0.png", 1]], "class_names": ["a", "a"]}', "must be different names"),
    "few names of classes": ('{"labels": [["0.png", 1]], "class_names": ["a"]}', "must be 2 different names"),
    "unknown name": ('{"labels": [["0.png", "c"]], "class_names": ["a", "b"]}', "'c' is not among"),
    "names in their own order": ('{"labels": [["0.png", "b"], ["1.png", "a"], ["2.png", 0]], "class_names": ["b", "a"]}', [0, 1, 0, -1]),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_dataset_json_is_used_or_refused_and_never_replaced_by_a_guess(folder, form):
    """A file that did not parse, or had another form, was ignored, and the names of the folders became the labels."""
    content, expected = FORMS[form]
    (folder / "dataset.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    if isinstance(expected, str):
        with pytest.raises(UserError, match=expected):
            labels_of(folder)
        return
    labels = labels_of(folder)
    assert (None if labels.values is None else labels.values.tolist()) == expected
    assert str(folder / "dataset.json") in labels.origin


def packed(folder, kind, path):
    """The folder as a source: as it is, or as an archive that contains it as its one top folder."""
    if kind == "folder":
        return folder.parent
    if kind == "zip":
        with zipfile.ZipFile(path / "x.zip", "w") as archive:
            for file in sorted(folder.rglob("*")):
                archive.write(file, file.relative_to(folder.parent))
        return path / "x.zip"
    with tarfile.open(path / "x.tar", "w") as archive:
        archive.add(folder, folder.name)
    return path / "x.tar"


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_one_top_folder_is_stepped_into(folder, kind, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed")
    (folder / "dataset.json").write_text(json.dumps({"labels": [[name, 5 - number] for number, name in enumerate(NAMES)]}))
    labels = labels_of(packed(folder, kind, path))
    assert labels.values.tolist() == [5, 4, 3, 2]
    assert labels.origin.endswith("/images/dataset.json")
    (folder / "dataset.json").rename(folder / "a" / "dataset.json")
    with pytest.raises(
        UserError, match=r"images/a/dataset\.json was found, but not all images are in its folder.*\. Name a file with --labels"
    ):
        labels_of(packed(folder, kind, path))
    assert labels_of(folder, "folders").class_names == ("a", "b")


def test_class_names_can_be_written_and_shown(folder):  # a lone surrogate ended in a traceback when the manifest was written
    (folder / "dataset.json").write_text(r'{"labels": [["0.png", 1], ["1.png", 0]], "class_names": ["\ud800", "\u001b[2J"]}')
    assert labels_of(folder).class_names == (r"\ud800", r"\x1b[2J")
    (folder / "dataset.json").write_text(r'{"labels": [["0.png", "\ud800"], ["1.png", "\u001b[2J"]]}')
    assert labels_of(folder).class_names == (r"\ud800", r"\x1b[2J")


def test_a_dataset_json_that_cannot_be_read_is_refused(folder, tmp_path):
    content = json.dumps({"labels": [[name, 0] for name in NAMES]})
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for name in NAMES:
            archive.write(folder / name, name)
        archive.writestr("dataset.json", content)
        archive.getinfo("dataset.json").flag_bits |= 1  # encrypted
    with pytest.raises(UserError, match=r"dataset\.json cannot be read \(encrypted"):
        labels_of(tmp_path / "x.zip")
    for make in (os.mkfifo, os.mkdir):
        make(folder / "dataset.json")
        with pytest.raises(UserError, match=r"dataset\.json cannot be read \(not a regular file"):
            labels_of(folder)
        (folder / "dataset.json").unlink() if make is os.mkfifo else (folder / "dataset.json").rmdir()


def test_a_label_file_of_another_name_is_mentioned_where_folders_are_used_instead(folder):
    (folder / "labels.csv").write_text("0.png,2\n")
    assert labels_of(folder).origin == "names of folders; labels.csv was not read; name it with --labels"
    assert labels_of(folder, "folders").origin == "names of folders"
    (folder / "labels.csv").rename(folder / "metadata.jsonl")
    assert labels_of(folder).origin == "names of folders; metadata.jsonl was not read; --labels reads .json, .csv, .tsv, .npy files"
    (folder / "metadata.jsonl").rename(folder / "dataset.json.gz")
    assert "dataset.json.gz was not read" in labels_of(folder).origin
    (folder / "dataset.json.gz").rename(folder / "labels.csv")
    (folder / "one_more.png").write_bytes(encoded(leaf(), "PNG"))
    assert labels_of(folder).describe() == "none (labels.csv was not read; name it with --labels)"
    for number in range(3):  # what a program noted on each image
        (folder / "a" / f"{number}.png.json").write_text("{}")
    assert labels_of(folder).describe() == "none"


@pytest.mark.parametrize(
    ("text", "values", "names"),
    [
        ("name,label\na/0.png,oak\na/1.png,maple\nb/2.png,oak\nb/3.png,elm\n", [2, 1, 2, 0], ("elm", "maple", "oak")),
        ("3.png;1\n2.png;0\n1.png;1\n0.png;0\n", [0, 1, 0, 1], ("0", "1")),
        ("0.png\t7\n1.png\t7\n2.png\t0\n3.png\t1\n", [7, 7, 0, 1], tuple("01234567")),
        ("name,label\r0.png,1.0\r1.png,2.0\r2.png,10\r3.png,-1\r", [1, 2, 10, -1], tuple(map(str, range(11)))),
        ("id,label\n0,oak\n1,\n2,NaN\n3,10\n", [1, -1, -1, 0], ("10", "oak")),
        ("0.png,NA\n1.png,None\n2.png,0\n3.png,1\n", [-1, -1, 0, 1], ("0", "1")),  # they were classes beside the numbers
        ("0.png,NA\n1.png,none\n2.png,NA\n3.png,oak\n", [0, 1, 0, 2], ("NA", "none", "oak")),
        ("path,label\n/home/someone/a/0.png,0\n/home/someone/a/1.png,1\n", [0, 1, -1, -1], ("0", "1")),
        ("0.png,1.000000000000000000e+00\n1.png,0.000000000000000000e+00\n", [1, 0, -1, -1], ("0", "1")),
        ("a/0.png,gr\u00fcn\n1.png,gru\u0308n\n", [0, 0, -1, -1], ("gr\u00fcn",)),
        ('"0.png",",;"\n"1.png"," x "\n', [0, 1, -1, -1], (",;", "x")),
        ("0.png;0,5\n1.png;rot\n", [0, 1, -1, -1], ("0,5", "rot")),
        ("file,x,y\n0.png,0.5,1\n1.png,,\n2.png,nan,nan\n3.png,-1,4\n", [[0.5, 1], None, None, [-1, 4]], ()),
        ("file,x,y\n0.png,0.5,1\n1.png,1,2\n2.png,0,0\n3.png,-1,4\n", [[0.5, 1], [1, 2], [0, 0], [-1, 4]], ()),
    ],
)
def test_csv(folder, tmp_path, text, values, names):
    (tmp_path / "labels.csv").write_text("\ufeff" + text, encoding="utf-8")
    labels = labels_of(folder, tmp_path / "labels.csv")
    expected = [[np.nan, np.nan] if value is None else value for value in values]
    np.testing.assert_array_equal(labels.values, expected)
    assert labels.class_names == names


def test_npy_is_in_sorted_order(folder, tmp_path):
    np.save(tmp_path / "labels.npy", np.array([3, 1, 0, 2]))
    assert labels_of(folder, tmp_path / "labels.npy").values.tolist() == [3, 1, 0, 2]
    np.save(tmp_path / "labels.npy", np.array([3.0, np.nan, -1, 2]))
    assert labels_of(folder, tmp_path / "labels.npy").values.tolist() == [3, -1, -1, 2]
    np.save(tmp_path / "labels.npy", np.array([[1, 2], [np.nan, np.nan], [0, 0], [0, 0]]))
    assert labels_of(folder, tmp_path / "labels.npy").is_missing().tolist() == [False, True, False, False]
    np.save(tmp_path / "labels.npy", np.eye(4)[:, :2])
    assert labels_of(folder, tmp_path / "labels.npy").values.shape == (4, 2)
    np.save(tmp_path / "labels.npy", np.full((4, 2), 1e300))
    with np.errstate(all="raise"), pytest.raises(UserError, match="NaN or infinity"):  # NumPy printed a warning as well
        labels_of(folder, tmp_path / "labels.npy")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("labels.txt", b"", "must be auto, none, folders"),
        ("labels.json", b"{", "line 1, column 2"),
        ("labels.json", b'{"labels": [["zebra.png", 1]]}', "contains no label of these images"),
        ("labels.json", b'{"labels": [["0.png", -3], ["1.png", 1]]}', "class numbers must be integers"),
        ("labels.json", b'{"labels": [["0.png", 1], ["1.png", [2]]]}', "either classes only, or vectors"),
        ("labels.json", b'{"labels": [["0.png", [1, 2]], ["1.png", [1]]]}', "same length"),
        ("labels.json", b'{"labels": [["0.png", 10000000000000000000000000]]}', "class numbers must be integers"),
        ("labels.csv", b"0.png\n1.png\n", "rows of the same length"),
        ("labels.csv", b"a,b\n\xff\xfe\x00", "line 2, is not UTF-8"),
        ("labels.csv", b"0.png,1,x\n1.png,1,2\n2.png,1,2\n3.png,1,2\n", r"vectors of numbers\. Received: 'x' \(line 1\)"),
        ("labels.csv", b"0.png,1\n1.png\n", "line 2: 1 columns, 2 expected"),
        ("labels.csv", b"0.png,1\n1.png," + b"x" * 200_000 + b"\n", "line 2, cannot be read as CSV: field larger"),
        ("labels.csv", b"0.png,1\n1.png,2\na/0.png,1\n", r"two labels for 'a/0\.png' \(line 1 and line 3\)"),
        ("labels.csv", b"0.png,1,0\n0.png,0,1\n", "needs a vector of 0 and 1"),
        ("labels.csv", b"file,label\n/x/zebra.png,1\n", "first name is '/x/zebra.png', the first image is 'a/0.png'"),
        ("labels.csv", b"0.png,1,\n1.png,1,2\n", "NaN or infinity, no number"),
        ("labels.csv", b"0.png,1e39,1\n", "too large for float32"),
        ("labels.csv", b"", "rows of the same length"),
        ("labels.csv", b"0.png,inf\n1.png,1\n", r"must be integers from 0 to 99999 .* Received: inf \(line 1\)"),
        ("labels.csv", b"0.png" + b",1" * 100_001, "at most. Received: 100,001"),
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
    assert list(report.label_ranges.values()) == [[0, 3, pytest.approx(4 / 3)], [0.5, 0.5, 0.5]]
    assert report.class_counts == {}


def test_imbalance_is_described():
    assert describe_imbalance({"a": 100, "b": 90}) is None
    assert "100 to 1" in describe_imbalance({"a": 1000, "b": 10})
    assert "no image" in describe_imbalance({"a": 1000, "b": 0})
    assert describe_imbalance({}) is None


def test_a_name_without_its_folder_must_be_unique(folder, tmp_path):
    (folder / "b" / "0.png").write_bytes(encoded(leaf(4), "PNG"))
    (tmp_path / "labels.csv").write_text("a/0.png,0\nb/0.png,1\n")
    assert labels_of(folder, tmp_path / "labels.csv").values.tolist() == [0, -1, 1, -1, -1]
    (tmp_path / "labels.csv").write_text("0.png,0\n1.png,1\n")
    with pytest.raises(UserError, match=r"line 1: '0\.png' may be any of several images"):
        labels_of(folder, tmp_path / "labels.csv")


def test_names_match_whatever_the_form_of_unicode(folder, tmp_path):  # macOS writes decomposed names, most editors composed ones
    (folder / "a" / "gru\u0308n.png").write_bytes(encoded(leaf(4), "PNG"))
    (tmp_path / "labels.csv").write_text("gr\u00fcn.png,1\n0.png,0\n", encoding="utf-8")
    assert labels_of(folder, tmp_path / "labels.csv").values.tolist() == [0, -1, 1, -1, -1]


def test_folders_are_normalised_as_cells_are(tmp_path):
    for name in ("10", "9", "-1", "oak", "gru\u0308n", "bad\udcff", "\x1b[31mred"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.png").write_bytes(encoded(leaf(), "PNG"))
    labels = labels_of(tmp_path)
    assert labels.class_names == ("9", "10", r"\x1b[31mred", r"bad\xff", "gr\u00fcn", "oak")
    assert labels.is_missing().sum() == 1  # -1
    (tmp_path / "09").mkdir()
    (tmp_path / "09" / "x.png").write_bytes(encoded(leaf(), "PNG"))
    with pytest.raises(UserError, match="'09' and '9' are the same number"):
        labels_of(tmp_path)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            "0.png,1\n1.png,0\n3.png,\nzebra.png,1\n",
            "2 classes (0, 1) from {}, 2 images without a label, 1 label of images that are not there",
        ),
        ("0.png,9\n", "10 classes (0, 1, 2, 3, 4, 5, 6, 7, ...) from {}, 3 images without a label"),
        ("0.png,1,0\n1.png,0,1\n2.png,1,0\n3.png,1,0\n", "one-hot vectors of 2 classes from {}"),
        ("0.png,1,1\n1.png,0,1\n2.png,1,0\n3.png,0,0\n", "multi-label vectors of 2 classes from {}"),
        ("0.png,1,0.5\n1.png,0,1\n2.png,1,0\n3.png,0,0\n", "vectors of 2 numbers from {}"),
    ],
)
def test_labels_are_described_with_their_file_and_what_is_missing(folder, tmp_path, rows, text):
    (tmp_path / "labels.csv").write_text(rows)
    assert labels_of(folder, tmp_path / "labels.csv").describe() == text.format(tmp_path / "labels.csv")
