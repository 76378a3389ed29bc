"""Datasets are written completely or not at all, in the given order, and contain exactly the given images and labels."""

import json
import os
import struct

import numpy as np
import pytest

from stylegan_tf.data import DatasetWriter, open_dataset, read_images
from stylegan_tf.data.records.codecs import decode_image, encode_images, strip_jpeg
from stylegan_tf.data.records.inspection import check_records
from stylegan_tf.data.records.target import check_disk
from stylegan_tf.data.records.writing import pyramid
from stylegan_tf.errors import UserError


def made_images(num_images, resolution=8, channels=3):
    """Smooth images with a little noise."""
    rng = np.random.default_rng(num_images)
    coarse = rng.integers(0, 256, (num_images, 4, 4, channels)).repeat(resolution // 4, 1).repeat(resolution // 4, 2)
    return np.clip(coarse + rng.integers(-3, 4, coarse.shape), 0, 255).astype(np.uint8)


def encode_one(image, *arguments):
    return encode_images(image[None], *arguments)[0]


def write(folder, images, labels=None, **arguments):
    with DatasetWriter(folder, resolution=images.shape[1], channels=images.shape[3], **arguments) as writer:
        writer.add_many(images if labels is None else zip(images, labels, strict=True), workers=2)
    return open_dataset(folder)


@pytest.mark.parametrize(("encoding", "channels"), [("png", 1), ("png", 3), ("png", 4), ("raw", 1), ("raw", 3), ("raw", 4)])
def test_lossless_datasets_contain_the_same_images(tmp_path, encoding, channels):
    images = made_images(20, 16, channels)
    dataset = write(tmp_path / "cats", images, encoding=encoding)
    assert (dataset.name, dataset.num_images, dataset.resolution, dataset.channels) == ("cats", 20, 16, channels)
    assert (dataset.encoding, dataset.label_size, dataset.labels.shape, dataset.resolutions) == (encoding, 0, (20, 0), (4, 8, 16))
    for level in pyramid(images):
        np.testing.assert_array_equal(read_images(dataset, range(20), level.shape[1]), level)
    check_records(dataset)


def test_jpeg_is_close_and_smaller(tmp_path):
    images = made_images(4, 64)
    dataset = write(tmp_path / "cats", images, encoding="jpeg", quality=95)
    assert np.abs(read_images(dataset, range(4)).astype(int) - images).mean() < 6
    low = write(tmp_path / "low", images, encoding="jpeg", quality=20)
    assert low.manifest.made_by == {"quality": 20}
    assert low.manifest.files["low-r06.tfrecords"] < dataset.manifest.files["cats-r06.tfrecords"]


def test_add_and_add_many_write_the_same(tmp_path):
    images = made_images(30)
    together = write(tmp_path / "a", images)
    with DatasetWriter(tmp_path / "b", resolution=8, channels=3) as writer:
        for image in images[:7]:
            writer.add(image)
        assert writer.add_many((lambda image=image: image) for image in images[7:20]) == 13
        for image in images[20:]:
            writer.add(image)
    one_by_one = open_dataset(tmp_path / "b")
    assert one_by_one.digest == together.digest
    np.testing.assert_array_equal(read_images(one_by_one, range(30)), images)


def test_images_may_be_changed_after_they_are_added(tmp_path):
    images = made_images(3)
    buffer = np.empty_like(images[0])
    with DatasetWriter(tmp_path / "a", resolution=8, channels=3) as writer:
        for image in images:
            buffer[:] = image
            writer.add(buffer)
    np.testing.assert_array_equal(read_images(open_dataset(tmp_path / "a"), range(3)), images)


def test_many_chunks_and_workers_keep_the_order(tmp_path, monkeypatch):
    monkeypatch.setattr("stylegan_tf.data.records.writer._CHUNK_BYTES", 8 * 8 * 3 * 2)  # two images a chunk
    images, labels = made_images(101), np.eye(101, dtype=np.float32)
    items = [(lambda item=item: item) for item in zip(images, labels, strict=True)]
    items[50] = lambda: None  # skipped
    with DatasetWriter(tmp_path / "a", resolution=8, channels=3) as writer:
        assert writer.add_many(items, workers=5) == 100
    dataset = open_dataset(tmp_path / "a")
    np.testing.assert_array_equal(read_images(dataset, range(100)), np.delete(images, 50, axis=0))
    np.testing.assert_array_equal(dataset.labels, np.delete(labels, 50, axis=0))


def test_items_are_generated_lazily(tmp_path, monkeypatch):  # memory use does not depend on the number of images
    monkeypatch.setattr("stylegan_tf.data.records.writer._CHUNK_BYTES", 8 * 8 * 3 * 4)
    taken = 0
    most_ahead = 0
    image = made_images(1)[0]
    with DatasetWriter(tmp_path / "a", resolution=8, channels=3) as writer:

        def items():
            nonlocal taken, most_ahead
            for _ in range(400):
                taken += 1
                most_ahead = max(most_ahead, taken - writer.num_images)
                yield image

        writer.add_many(items(), workers=2)
    assert most_ahead <= 4 * 6  # chunks of 4: in two workers, waiting for their turn, being filled


@pytest.mark.parametrize("labels", [[2, 0, 1, 1], [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0]]])
def test_class_numbers_and_vectors_become_label_rows(tmp_path, labels):
    dataset = write(tmp_path / "a", made_images(4), labels, class_names=["cat", "dog", "fish"])
    np.testing.assert_array_equal(dataset.labels, np.eye(3, dtype=np.float32)[[2, 0, 1, 1]])
    assert dataset.labels.dtype == np.float32
    assert dataset.class_names == ("cat", "dog", "fish")
    assert (tmp_path / "a" / "a-rxx.labels").exists()


def test_labels_can_be_vectors_of_any_numbers(tmp_path):
    labels = np.random.default_rng(0).normal(size=(5, 7))
    dataset = write(tmp_path / "a", made_images(5), labels)
    np.testing.assert_array_equal(dataset.labels, labels.astype(np.float32))
    np.testing.assert_array_equal(np.load(tmp_path / "a" / "a-rxx.labels"), labels.astype(np.float32))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[1.0, 0.0], None, [1.0, 0.0]], "Image 1 has no numbers"),
        ([None, [1.0, 0.0], None], "Image 1 has 2 numbers, those before no"),
        ([[1.0, 0.0], [1.0], [1.0, 0.0]], "Image 1 has 1 numbers, those before 2"),
        ([0, 1, 2], "Image 2 has class number 2, but 2 classes are named"),
        ([-1, 1, 0], "Image 0 has class number -1"),
        ([[1.0, 0, 0]] * 3, "Labels have 3 numbers, but 2 classes are named"),
        (["cat", "dog", "cat"], "label of image 0 must be a vector or a class number"),
        ([0.5, 1, 1], "label of image 0 must be a vector or a class number"),
    ],
)
def test_inconsistent_labels_are_refused(tmp_path, labels, message):
    with pytest.raises(UserError, match=message):
        write(tmp_path / "a", made_images(3), labels, class_names=["cat", "dog"])
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8, 3), np.float32),
        np.zeros((8, 8, 1), np.uint8),
        np.zeros((8, 16, 3), np.uint8),
        np.zeros((8, 8), np.uint8),
        [[0]],
    ],
)
@pytest.mark.parametrize("many", [True, False])
def test_images_of_another_shape_are_refused_and_nothing_is_left(tmp_path, image, many):
    writer = DatasetWriter(tmp_path / "a", resolution=8, channels=3)
    with pytest.raises(UserError, match=r"uint8 \[8, 8, 3\]"), writer:  # noqa: PT012
        writer.add(made_images(1)[0])
        writer.add_many([lambda: image]) if many else writer.add(image)
    assert not any(tmp_path.iterdir())


def test_an_error_in_the_source_is_raised_and_nothing_is_left(tmp_path):
    def fail():
        raise RuntimeError("source broke")

    with pytest.raises(RuntimeError, match="source broke"), DatasetWriter(tmp_path / "a", resolution=8, channels=3) as writer:
        writer.add_many([*made_images(10), fail])
    assert not any(tmp_path.iterdir())


def test_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def no_room(self, *arguments):
        raise OSError(28, "No space left on device")

    for place in ("append", "finish"):
        with monkeypatch.context() as patch:
            patch.setattr(f"stylegan_tf.data.records.writing.LevelWriter.{place}", no_room)
            with pytest.raises(UserError, match="is full"):
                write(tmp_path / "a", made_images(3))
        assert not any(tmp_path.iterdir())


def test_a_target_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be created: .*file is not a folder"):
        write(tmp_path / "file" / "a", made_images(3))


def test_a_dataset_without_images_is_refused(tmp_path):
    with pytest.raises(UserError, match="No images were added"), DatasetWriter(tmp_path / "a", resolution=8, channels=3):
        pass
    assert not any(tmp_path.iterdir())


def test_an_existing_dataset_is_replaced_only_with_overwrite(tmp_path):
    first = write(tmp_path / "a", made_images(3))
    with pytest.raises(UserError, match="exists"):
        write(tmp_path / "a", made_images(4))
    assert open_dataset(tmp_path / "a").digest == first.digest
    assert write(tmp_path / "a", made_images(4), overwrite=True).num_images == 4
    assert os.listdir(tmp_path) == ["a"]


def test_failed_overwrite_keeps_the_older_dataset(tmp_path):
    first = write(tmp_path / "a", made_images(3))
    with pytest.raises(UserError, match="uint8"):
        write(tmp_path / "a", made_images(4).astype(np.float32), overwrite=True)
    assert open_dataset(tmp_path / "a").digest == first.digest
    assert os.listdir(tmp_path) == ["a"]


def test_an_unfinished_dataset_cannot_be_opened(tmp_path):
    writer = DatasetWriter(tmp_path / "a", resolution=8, channels=3)
    writer.__enter__()
    writer.add_many(made_images(3))
    assert not (tmp_path / "a").exists()
    (partial,) = tmp_path.iterdir()
    assert partial.name.startswith(".a-")
    with pytest.raises(UserError, match="is an unfinished dataset"):
        open_dataset(partial)
    writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 12}, "power of two"),
        ({"resolution": 2}, "power of two"),
        ({"resolution": 2048}, "power of two"),
        ({"channels": 2}, "Received: 2"),
        ({"channels": 4, "encoding": "jpeg"}, "1, 3 channels. Received: 4"),
        ({"encoding": "webp"}, "png"),
        ({"encoding": "jpeg", "quality": 101}, "1 to 100"),
    ],
)
def test_invalid_arguments_are_refused_before_anything_is_written(tmp_path, arguments, message):
    with pytest.raises(UserError, match=message):
        DatasetWriter(tmp_path / "a", **{"resolution": 8, "channels": 3, **arguments})
    assert not any(tmp_path.iterdir())


def test_manifest_describes_the_dataset(tmp_path):
    write(tmp_path / "a", made_images(3), [0, 1, 1], class_names=["ä", "b"], made_by={"source": "test", "fit": "pad"})
    manifest = json.loads((tmp_path / "a" / "dataset.json").read_text())
    files = {path.name: path.stat().st_size for path in (tmp_path / "a").iterdir() if path.name != "dataset.json"}
    assert manifest.pop("files") == files
    assert manifest.pop("digest").startswith("sha256:")
    assert manifest == {
        "format": "stylegan_tf dataset",
        "format_version": 1,
        "name": "a",
        "num_images": 3,
        "channels": 3,
        "resolution": 8,
        "encoding": "png",
        "label_shape": [2],
        "class_names": ["ä", "b"],
        "class_counts": {"ä": 1, "b": 2},
        "made_by": {"source": "test", "fit": "pad"},
    }


def test_digest_depends_on_images_and_labels(tmp_path):
    images = made_images(3)
    same = [write(tmp_path / name, images, [0, 1, 1], class_names="ab").digest for name in ("a", "b")]
    others = [
        write(tmp_path / "c", images[::-1], [0, 1, 1], class_names="ab").digest,
        write(tmp_path / "d", images, [1, 1, 1], class_names="ab").digest,
        write(tmp_path / "e", images).digest,
        write(tmp_path / "f", images[:2]).digest,
    ]
    assert same[0] == same[1]
    assert len({same[0], *others}) == 5


def test_disk_check_works_for_a_folder_that_does_not_exist(tmp_path):
    check_disk(tmp_path / "not" / "there", 1000)
    with pytest.raises(UserError, match="only"):
        check_disk(tmp_path / "not" / "there", 1 << 60)


def test_jpeg_files_pass_through_without_their_metadata(tmp_path):
    image = made_images(1, 16)[0]
    plain = encode_one(image, "jpeg", 50)
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 4) + b"name"
    exif = b"\xff\xe1" + struct.pack(">H", 2 + 6) + b"Exif\0\0"
    assert strip_jpeg(plain[:2] + comment + exif + plain[2:], 16, 3) == plain
    for refused in (encode_one(image[:8, :8], "jpeg"), encode_one(image[:, :, :1], "jpeg"), b"", b"\xff\xd8", plain[:20], plain[1:]):
        assert strip_jpeg(refused, 16, 3) is None
    with DatasetWriter(tmp_path / "a", resolution=16, channels=3, encoding="jpeg") as writer:
        writer.add(image, encoded=plain)
    assert bytes(open_dataset(tmp_path / "a").level(16).read_data(0)) == plain


def test_every_encoding_preserves_the_order_of_channels():
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    for encoding in ("raw", "png", "jpeg"):
        decoded = decode_image(encode_one(red, encoding), encoding, (3, 8, 8)).astype(int)
        assert decoded[..., 0].min() > 240
        assert decoded[..., 1:].max() < 15
