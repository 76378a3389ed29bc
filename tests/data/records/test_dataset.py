"""Datasets of the original and our own can be opened; for damaged ones, the message names the file and the record."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from stylegan_tf.data import DatasetWriter, open_dataset, read_images
from stylegan_tf.data.records.inspection import check_records
from stylegan_tf.data.records.tfrecords import Example, encode_example, frame, parse_example
from stylegan_tf.errors import MissingFileError, UserError

GOLDEN = Path(__file__).resolve().parents[3].parent / "shared" / "golden" / "tfrecords"
golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="arrays recorded from the original are not here (../shared/golden)")
ORIGINALS = ["rgb32", "rgb32-noshuffle", "gray32", "rgb32-labels"]


def recorded_images(name):
    """The images that the original wrote into a dataset: uint8 [64, 32, 32, C]."""
    source = np.load(GOLDEN / "source_images.npz")
    images = source["gray32_sorted" if name == "gray32" else "rgb32_sorted"].transpose(0, 2, 3, 1)
    return images if name == "rgb32-noshuffle" else images[source["order"]]


def made(folder, num_images=6, encoding="png", labels=True, **arguments):
    images = np.random.default_rng(0).integers(0, 256, (num_images, 8, 8, 3)).astype(np.uint8)
    rows = np.eye(2, dtype=np.float32)[np.arange(num_images) % 2]
    with DatasetWriter(folder, resolution=8, channels=3, encoding=encoding, **arguments) as writer:
        writer.add_many(zip(images, rows, strict=True) if labels else images)
    return images


def without_manifest(folder):
    """Removes what a dataset of the original does not have."""
    for path in folder.iterdir():
        if path.suffix in (".json", ".index"):
            path.unlink()


@golden
@pytest.mark.parametrize("name", ORIGINALS)
def test_datasets_of_the_original_can_be_opened(name):
    dataset = open_dataset(GOLDEN / name)
    assert (dataset.name, dataset.num_images, dataset.resolution, dataset.encoding) == (name, 64, 32, "raw")
    assert (dataset.channels, dataset.resolutions, dataset.class_names) == (1 if name == "gray32" else 3, (4, 8, 16, 32), ())
    np.testing.assert_array_equal(read_images(dataset, range(64)), recorded_images(name))
    check_records(dataset)


@golden
def test_labels_of_the_original_have_the_order_of_the_records():
    dataset = open_dataset(GOLDEN / "rgb32-labels")
    order = np.load(GOLDEN / "source_images.npz")["order"]
    np.testing.assert_array_equal(dataset.labels, np.load(GOLDEN / "labels_source.npz")["onehot"][order])


@golden
@pytest.mark.parametrize("name", ORIGINALS)
def test_raw_writer_makes_the_records_of_the_original(tmp_path, name):
    theirs = open_dataset(GOLDEN / name)
    images = recorded_images(name)
    labels = theirs.labels if theirs.label_size else [None] * 64
    with DatasetWriter(tmp_path / name, resolution=32, channels=images.shape[3], encoding="raw") as writer:
        writer.add_many(zip(images, labels, strict=True))
    their_files = {path.name for path in (GOLDEN / name).iterdir()}
    our_files = {path.name for path in (tmp_path / name).iterdir() if path.suffix not in (".json", ".index")}
    assert our_files == their_files
    ours = open_dataset(tmp_path / name)
    for resolution in theirs.resolutions:
        their_file, our_file = theirs.level(resolution).file, ours.level(resolution).file
        assert their_file.num_bytes == our_file.num_bytes
        for row in range(64):  # equal but for the order of the two features
            assert parse_example(our_file.read_payload(row)) == parse_example(their_file.read_payload(row))
    np.testing.assert_array_equal(ours.labels, theirs.labels)


@golden
def test_tensorflow_reads_our_raw_records_as_the_originals(tmp_path):
    tf = pytest.importorskip("tensorflow")
    with DatasetWriter(tmp_path / "rgb32", resolution=32, channels=3, encoding="raw") as writer:
        writer.add_many(recorded_images("rgb32"))
    for name in ("rgb32-r02.tfrecords", "rgb32-r05.tfrecords"):
        ours, theirs = (
            [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(folder / "rgb32" / name))]
            for folder in (tmp_path, GOLDEN)
        )
        assert ours == theirs


@pytest.mark.parametrize("encoding", ["raw", "png"])
def test_a_dataset_without_manifest_and_index_has_the_same_digest(tmp_path, encoding):
    images = made(tmp_path / "a", encoding=encoding)
    stated = open_dataset(tmp_path / "a").digest
    without_manifest(tmp_path / "a")
    dataset = open_dataset(tmp_path / "a")
    assert dataset.manifest is None
    assert dataset.digest == stated
    np.testing.assert_array_equal(read_images(dataset, [5, 0, 0]), images[[5, 0, 0]])


def test_a_renamed_folder_can_be_opened(tmp_path):
    made(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    assert open_dataset(tmp_path / "b").name == "a"


def test_records_in_layouts_of_other_programs_are_read(tmp_path):
    """Both orders of features in one file, and records with a third feature, of other sizes."""
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 4, 4)).astype(np.uint8)
    record = encode_example(Example((3, 4, 4), bytes(48)))
    start, head = record[:-48], record[2:20]  # `head`: the feature `shape`
    ours, other = (start, b""), (start.replace(head, b"", 1), head)
    third = b"\x0a\x0a\x0a\x01x\x12\x05\x1a\x03\x0a\x01\x00"
    pieces = [layout[0] + image.tobytes() + layout[1] for layout, image in zip([ours, other, other, ours], images, strict=True)]
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "two-r02.tfrecords").write_bytes(b"".join(frame(pieces)[0]))
    pieces[2] = bytes([pieces[2][0], pieces[2][1] + len(third)]) + pieces[2][2:] + third
    assert len(parse_example(pieces[2]).data) == 48
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / "three-r02.tfrecords").write_bytes(b"".join(frame(pieces)[0]))
    for name in ("two", "three"):
        dataset = open_dataset(tmp_path / name)
        np.testing.assert_array_equal(read_images(dataset, [3, 2, 1, 0, 2]), images[[3, 2, 1, 0, 2]].transpose(0, 2, 3, 1))


def test_images_are_read_in_the_requested_order(tmp_path):
    images = made(tmp_path / "a", num_images=7)
    dataset = open_dataset(tmp_path / "a")
    np.testing.assert_array_equal(read_images(dataset, np.array([6, 1, 1, 0])), images[[6, 1, 1, 0]])
    assert read_images(dataset, []).shape == (0, 8, 8, 3)
    for index in (-1, 7):
        with pytest.raises(UserError, match=f"images 0 to 6. Received: {index}"):
            read_images(dataset, [0, index])
    with pytest.raises(UserError, match=r"no images of 16x16\. It has: 4, 8"):
        read_images(dataset, [0], 16)


def test_missing_and_foreign_folders_are_refused(tmp_path):
    with pytest.raises(MissingFileError, match="no dataset"):
        open_dataset(tmp_path / "nothing")
    with pytest.raises(MissingFileError, match="create_from_images"):
        open_dataset(tmp_path)
    (tmp_path / "dataset.json").write_text('{"labels": [["0.png", 1]]}')  # as in a folder of images for stylegan2-ada
    with pytest.raises(MissingFileError, match="contains no record files"):
        open_dataset(tmp_path)


def test_a_dataset_in_several_files_for_a_resolution_is_of_an_earlier_version(tmp_path):
    (tmp_path / "cats-r02-00000-of-00003.tfrecords").touch()
    with pytest.raises(UserError, match="written with --shards by an earlier version"):
        open_dataset(tmp_path)


def test_two_datasets_in_one_folder_are_refused(tmp_path):
    made(tmp_path / "a")
    made(tmp_path / "b")
    for path in (tmp_path / "b").glob("*.tfrecords"):
        shutil.copy(path, tmp_path / "a")
    with pytest.raises(UserError, match=r"more than one dataset \(a, b\)"):
        open_dataset(tmp_path / "a")


@pytest.mark.parametrize("has_manifest", [True, False])
def test_missing_files_are_named(tmp_path, has_manifest):
    made(tmp_path / "a")
    if not has_manifest:
        without_manifest(tmp_path / "a")
    for path in sorted((tmp_path / "a").iterdir()):
        if path.suffix in (".json", ".index") or path.name.startswith("a-r03"):
            continue  # without the largest level a smaller dataset is left, which only a manifest can tell
        path.rename(tmp_path / "aside")
        if path.suffix == ".labels" and not has_manifest:
            assert open_dataset(tmp_path / "a").label_size == 0
        else:
            with pytest.raises(UserError, match=f"{path.name} is missing"):
                open_dataset(tmp_path / "a")
        (tmp_path / "aside").rename(path)


def test_a_missing_largest_level_is_detected_by_the_manifest(tmp_path):
    made(tmp_path / "a")
    (tmp_path / "a" / "a-r03.tfrecords").unlink()
    with pytest.raises(MissingFileError, match=r"a-r03.tfrecords is missing"):
        open_dataset(tmp_path / "a")


@pytest.mark.parametrize("resolution_log2", [2, 3])
def test_truncated_files_are_detected_on_opening(tmp_path, resolution_log2):
    made(tmp_path / "a")
    path = tmp_path / "a" / f"a-r0{resolution_log2}.tfrecords"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(UserError, match=rf"{path.name} is truncated in record 5\."):
        open_dataset(tmp_path / "a")
    path.write_bytes(content + content[: 16 + int.from_bytes(content[:8], "little")])  # a whole record too many
    with pytest.raises(UserError, match=rf"{path.name} has \d+ bytes, expected \d+ from the manifest"):
        open_dataset(tmp_path / "a")


def test_level_with_another_number_of_images_is_refused(tmp_path):
    made(tmp_path / "a", encoding="raw")
    without_manifest(tmp_path / "a")
    path = tmp_path / "a" / "a-r02.tfrecords"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 6 * 5])
    with pytest.raises(UserError, match=r"a-r02.tfrecords contains 5 images .* largest level has 6"):
        open_dataset(tmp_path / "a").level(4)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="contains no records"):
        open_dataset(tmp_path / "a").level(4)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((5, 2), np.float32), "contains 5 labels for 6 images"),
        (np.zeros((6, 2), np.float64), "float32 array"),
        (np.zeros(6, np.float32), "float32 array"),
        (np.array([{}] * 6, object), "not a label file"),
        (b"garbage", "not a label file"),
        (b"", "not a label file"),
    ],
)
def test_label_files_that_do_not_match_are_refused(tmp_path, labels, message):
    made(tmp_path / "a")
    without_manifest(tmp_path / "a")
    path = tmp_path / "a" / "a-rxx.labels"
    if isinstance(labels, bytes):
        path.write_bytes(labels)
    else:
        with open(path, "wb") as file:
            np.save(file, labels, allow_pickle=True)
    with pytest.raises(UserError, match=message) as caught:
        open_dataset(tmp_path / "a")
    assert "a-rxx.labels" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_images": 5}, "num_images is 5 in the manifest, but 6 in the files"),
        ({"channels": 1}, "channels is 1 in the manifest, but 3 in the files"),
        ({"resolution": 16}, "resolution is 16 in the manifest, but 8 in the files"),
        ({"encoding": "raw"}, "encoding is raw in the manifest, but png in the files"),
        ({"label_shape": [3]}, "label_size is 3 in the manifest, but 2 in the files"),
        ({"label_shape": []}, "label_size is 0 in the manifest, but 2 in the files"),
        ({"class_names": ["a"]}, "names 1 classes, but labels have 2"),
        ({"name": "b"}, "name is b in the manifest"),
        ({"format_version": 2}, "format version 2"),
        ({"format": "other"}, "not the manifest"),
        ({"num_images": "6"}, "`num_images` is missing or wrong"),
        ({"num_images": -1}, "`num_images` is missing or wrong"),
        ({"num_images": True}, "`num_images` is missing or wrong"),
        ({"resolution": 7}, "power of two"),
        ({"encoding": ["png"]}, "`encoding` is missing or wrong"),
        ({"files": {"../../secret": 3}}, "`files` is missing or wrong"),
        ({"name": "../a"}, "`name` is missing or wrong"),
        ({"made_by": None}, "`made_by` is missing or wrong"),
        ({"digest": 3}, "`digest` is missing or wrong"),
    ],
)
def test_manifests_that_do_not_match_are_refused(tmp_path, change, message):
    made(tmp_path / "a")
    path = tmp_path / "a" / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=message):
        open_dataset(tmp_path / "a")


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"[]", b"null"])
def test_manifests_that_are_not_json_are_refused(tmp_path, content):
    made(tmp_path / "a")
    (tmp_path / "a" / "dataset.json").write_bytes(content)
    with pytest.raises(UserError, match=r"dataset.json"):
        open_dataset(tmp_path / "a")


def test_a_wrong_digest_is_detected_by_a_check(tmp_path):
    made(tmp_path / "a")
    path = tmp_path / "a" / "dataset.json"
    path.write_text(path.read_text().replace("sha256:", "sha256:0"))
    with pytest.raises(UserError, match="digest differs"):
        check_records(open_dataset(tmp_path / "a"))


@pytest.mark.parametrize("encoding", ["png", "raw", "jpeg"])
def test_every_flipped_bit_in_a_record_is_detected(tmp_path, encoding):
    made(tmp_path / "a", num_images=3, encoding=encoding)
    rng = np.random.default_rng(1)
    for path in sorted((tmp_path / "a").glob("*.tfrecords")):
        content = path.read_bytes()
        offsets = open_dataset(tmp_path / "a").level(8 if "r03" in path.name else 4).file.offsets
        for position in [*range(0, 24, 2), *rng.integers(0, len(content), 15).tolist(), len(content) - 1]:
            damaged = bytearray(content)
            damaged[position] ^= 1 << rng.integers(8)
            path.write_bytes(damaged)
            record = int(np.searchsorted(offsets, position, side="right")) - 1
            with pytest.raises(UserError) as caught:
                check_records(open_dataset(tmp_path / "a"))
            assert f"{path.name}: record {record} " in str(caught.value), (position, str(caught.value))
        path.write_bytes(content)
    check_records(open_dataset(tmp_path / "a"))


def test_a_flipped_bit_in_the_labels_is_detected(tmp_path):
    made(tmp_path / "a")
    path = tmp_path / "a" / "a-rxx.labels"
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="digest differs"):
        check_records(open_dataset(tmp_path / "a"))


def test_another_image_with_a_valid_checksum_is_detected(tmp_path):
    """Records with a valid checksum but another image are found by decoding."""
    made(tmp_path / "a", num_images=3, labels=False)
    without_manifest(tmp_path / "a")
    dataset = open_dataset(tmp_path / "a")
    payloads = [bytes(dataset.level(8).file.read_payload(row)) for row in range(3)]
    small = bytes(dataset.level(4).file.read_payload(0))
    data = parse_example(small).data
    for wrong, message in [
        (small, r"record 1 has shape \[3, 4, 4\] \(png\), expected \[3, 8, 8\]"),
        (encode_example(Example((3, 8, 8), data, "png")), "record 1 contains a PNG of 4x4, expected 8x8"),
        (encode_example(Example((3, 8, 8), b"no PNG", "png")), "record 1 contains a damaged PNG"),
        (encode_example(Example((3, 8, 8), bytes(192), "raw")), r"record 1 has shape \[3, 8, 8\] \(raw\)"),
        (b"no Example", "record 1 "),
        (b"", "record 1 does not contain the features"),
    ]:
        path = tmp_path / "a" / "a-r03.tfrecords"
        path.write_bytes(b"".join(frame([payloads[0], wrong, payloads[2]])[0]))
        with pytest.raises(UserError, match=message):
            check_records(open_dataset(tmp_path / "a"))


def test_first_record_must_be_an_image_of_its_level(tmp_path):
    (tmp_path / "a-r02.tfrecords").write_bytes(b"".join(frame([encode_example(Example((3, 8, 8), bytes(192)))])[0]))
    with pytest.raises(UserError, match=r"a-r02.tfrecords: record 0 has shape \[3, 8, 8\]"):
        open_dataset(tmp_path)
    (tmp_path / "a-r02.tfrecords").write_bytes(b"".join(frame([encode_example(Example((3, 4, 4), b"", "gif"))])[0]))
    with pytest.raises(UserError, match=r"encoded as 'gif'\. Known encodings: png, raw, jpeg"):
        open_dataset(tmp_path)
