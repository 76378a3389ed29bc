"""Batches for training: the right images with their labels, in an order that cuts and batch sizes do not change."""

import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

from stylegan_tf.data import DatasetWriter, make_pipeline, open_dataset, read_images
from stylegan_tf.data.feed.order import Order
from stylegan_tf.data.feed.pipeline import ReadAhead, pipeline_fault
from stylegan_tf.errors import UserError

tf = pytest.importorskip("tensorflow")


@pytest.fixture(scope="module", params=["raw", "png", "jpeg"])
def dataset(request, tmp_path_factory):
    """19 different images in two levels; the label of image i is (i, 1)."""
    return made(tmp_path_factory.mktemp("data") / "a", encoding=request.param)


def made(folder, num_images=19, resolution=8, channels=3, label_size=2, labels=None, **arguments):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (num_images, 4, 4, channels)).repeat(resolution // 4, 1).repeat(resolution // 4, 2).astype(np.uint8)
    images[:, 0, 0] //= 2  # not symmetric
    if labels is None:
        labels = np.stack([np.arange(num_images), np.ones(num_images)], axis=1)[:, :label_size]
    with DatasetWriter(folder, resolution=resolution, channels=channels, **arguments) as writer:
        writer.add_many(images if label_size == 0 else zip(images, labels, strict=True))
    return open_dataset(folder)


def first_images(pipeline, count):
    """Images and labels of the first `count` positions."""
    num_batches = -(-count // pipeline.element_spec[0].shape[0])
    images, labels = zip(*[(batch[0].numpy(), batch[1].numpy()) for batch in pipeline.take(num_batches)], strict=True)
    return np.concatenate(images)[:count], np.concatenate(labels)[:count]


@pytest.mark.parametrize("resolution", [4, 8])
def test_images_come_with_their_labels_and_as_they_are_stored(dataset, resolution):
    images, labels = first_images(make_pipeline(dataset, resolution=resolution, batch_size=4, seed=1), 57)
    np.testing.assert_array_equal(images, read_images(dataset, labels[:, 0].astype(int), resolution))
    np.testing.assert_array_equal(labels[:, 0], Order(19, seed=1).images_at(np.arange(57)))
    np.testing.assert_array_equal(np.sort(labels[:19, 0]), np.arange(19))


def test_shapes_are_known_beforehand(dataset):
    images, labels = make_pipeline(dataset, resolution=4, batch_size=5, seed=0).element_spec
    assert (images.shape.as_list(), images.dtype, labels.shape.as_list(), labels.dtype) == ([5, 4, 4, 3], tf.uint8, [5, 2], tf.float32)


@pytest.mark.parametrize("batch_size", [1, 3, 19, 50])
def test_batch_size_does_not_change_the_order(dataset, batch_size):
    expected = first_images(make_pipeline(dataset, resolution=8, batch_size=8, seed=2, mirror=True), 60)
    found = first_images(make_pipeline(dataset, resolution=8, batch_size=batch_size, seed=2, mirror=True), 60)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("start_nimg", [1, 16, 19, 45])
def test_resumed_pipeline_goes_on_as_the_unbroken_one(dataset, start_nimg):
    unbroken = first_images(make_pipeline(dataset, resolution=8, batch_size=8, seed=2, mirror=True), 96)
    resumed = first_images(make_pipeline(dataset, resolution=8, batch_size=4, seed=2, mirror=True, start_nimg=start_nimg), 48)
    np.testing.assert_array_equal(resumed[0], unbroken[0][start_nimg : start_nimg + 48])
    np.testing.assert_array_equal(resumed[1], unbroken[1][start_nimg : start_nimg + 48])


def test_mirroring_flips_left_to_right_at_the_same_positions_on_every_level(dataset):
    for resolution in (4, 8):
        images, labels = first_images(make_pipeline(dataset, resolution=resolution, batch_size=8, seed=3, mirror=True), 64)
        plain = read_images(dataset, labels[:, 0].astype(int), resolution)
        flipped = Order(19, seed=3).mirrored_at(np.arange(64))
        assert 16 < flipped.sum() < 48
        np.testing.assert_array_equal(images, np.where(flipped[:, None, None, None], plain[:, :, ::-1], plain))
        assert (plain != plain[:, :, ::-1]).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("start_nimg", [0, 7])
def test_batches_hold_the_images_of_the_order(dataset, start_nimg):
    images, labels = first_images(make_pipeline(dataset, resolution=4, batch_size=4, seed=1, start_nimg=start_nimg), 20)
    np.testing.assert_array_equal(labels[:, 0], Order(19, seed=1).images_at(start_nimg + np.arange(20)))
    np.testing.assert_array_equal(images, read_images(dataset, labels[:, 0].astype(int), 4))


def test_without_shuffling_records_come_in_order(dataset):
    _, labels = first_images(make_pipeline(dataset, resolution=4, batch_size=7, seed=0, shuffle=False), 40)
    np.testing.assert_array_equal(labels[:, 0], np.arange(40) % 19)


def test_iterator_works_inside_a_graph(dataset):
    batches = iter(make_pipeline(dataset, resolution=4, batch_size=4, seed=1))

    @tf.function
    def two_batches():
        first, second = next(batches), next(batches)
        return tf.concat([first[1], second[1]], 0), first[0]

    labels, images = two_batches()
    np.testing.assert_array_equal(labels[:, 0], Order(19, seed=1).images_at(np.arange(8)))
    np.testing.assert_array_equal(images, read_images(dataset, labels[:4, 0].numpy().astype(int), 4))


def test_several_levels_can_be_read_at_once(dataset):
    small = iter(make_pipeline(dataset, resolution=4, batch_size=4, seed=1))
    large = iter(make_pipeline(dataset, resolution=8, batch_size=4, seed=1))
    for _ in range(20):
        np.testing.assert_array_equal(next(small)[1], next(large)[1])


@pytest.mark.parametrize("encoding", ["raw", "png"])
@pytest.mark.parametrize(("num_images", "channels", "label_size"), [(1, 1, 0), (2, 4, 0), (3, 3, 1), (9, 1, 2)])
def test_odd_datasets(tmp_path, encoding, num_images, channels, label_size):
    dataset = made(tmp_path / "a", encoding=encoding, num_images=num_images, channels=channels, label_size=label_size)
    images, labels = first_images(make_pipeline(dataset, resolution=8, batch_size=4, seed=1), 30)
    assert labels.shape == (30, label_size)
    expected = Order(num_images, seed=1).images_at(np.arange(30))
    np.testing.assert_array_equal(images, read_images(dataset, expected))


def one_hot(classes, size):
    return np.eye(size, dtype=np.float32)[classes]


def test_balanced_batches_show_classes_alike(tmp_path):
    classes = np.repeat([0, 1], [16, 4])
    dataset = made(tmp_path / "a", num_images=20, labels=one_hot(classes, 3))
    images, labels = first_images(make_pipeline(dataset, resolution=4, batch_size=10, seed=0, balance="uniform"), 100)
    np.testing.assert_array_equal(labels.sum(axis=0), [50, 50, 0])
    order = Order(20, seed=0, balance="uniform", classes=classes).images_at(np.arange(100))
    np.testing.assert_array_equal(images, read_images(dataset, order, 4))
    resumed = first_images(make_pipeline(dataset, resolution=4, batch_size=3, seed=0, balance="uniform", start_nimg=33), 50)
    np.testing.assert_array_equal(resumed[0], images[33:83])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resolution": 16}, "no images of 16x16"),
        ({"batch_size": 0}, "batch size"),
        ({"start_nimg": -1}, "start_nimg must be 0 or more. Received: -1"),
        ({"balance": "all"}, "Balance must be one of none, sqrt, uniform"),
        ({"balance": "sqrt"}, "label of image 1 of .* is not one-hot"),
        ({"balance": "sqrt", "shuffle": False}, "requires labels and shuffling"),
    ],
)
def test_wrong_arguments_are_refused_at_once(dataset, arguments, message):
    with pytest.raises(UserError, match=message):
        make_pipeline(dataset, **{"resolution": 8, "batch_size": 4, "seed": 0, **arguments})


def test_balance_without_labels_is_refused(tmp_path):
    with pytest.raises(UserError, match="needs labels"):
        make_pipeline(made(tmp_path / "a", label_size=0), resolution=8, batch_size=4, seed=0, balance="uniform")


@pytest.mark.parametrize(("encoding", "position"), [("png", 90), ("jpeg", 300), ("raw", 3), ("raw", 25), ("raw", 120)])
def test_damaged_record_ends_training_with_its_name(tmp_path, encoding, position):  # 120 is a pixel
    dataset = made(tmp_path / "a", encoding=encoding)
    file = dataset.level(8).file
    content = bytearray(file.path.read_bytes())
    content[int(file.offsets[11]) + position] ^= 16
    file.path.write_bytes(content)
    with pytest.raises(tf.errors.OpError) as met:
        first_images(make_pipeline(dataset, resolution=8, batch_size=4, seed=0), 19)
    message = pipeline_fault(met.value.message, dataset.path)
    assert re.fullmatch(
        rf"\S+a-r03\.tfrecords: record 11 is damaged .*`python dataset_tool\.py check {re.escape(str(dataset.path))}`", message
    )


def test_file_that_is_cut_during_training_is_named(tmp_path):
    dataset = made(tmp_path / "a", encoding="raw")
    file = dataset.level(8).file
    os.truncate(file.path, int(file.offsets[11]) + 5)
    with pytest.raises(tf.errors.OpError) as met:
        first_images(make_pipeline(dataset, resolution=8, batch_size=4, seed=0), 19)
    assert re.match(r"\S+a-r03.tfrecords is truncated in record 1\d", pipeline_fault(met.value.message, dataset.path))


def test_other_faults_of_a_pipeline_are_one_line():
    line = "OSError: [Errno 5] Input/output error"
    message = f"{line}\nTraceback (most recent call last):\n\n  File ...\n\n{line}\n\n"
    start = f"Cannot read the dataset d any more: {line}. Check"
    assert pipeline_fault(f"{message}\t [[{{{{node PyFunc}}}}]]", "d").startswith(start)
    assert pipeline_fault("Data loss\nmore", "d").startswith("Cannot read the dataset d any more: Data loss. Check")


def test_level_with_other_images_is_refused_before_training(tmp_path):
    dataset = made(tmp_path / "a")
    other = made(tmp_path / "b", num_images=18)
    (dataset.path / "dataset.json").unlink()
    os.replace(other.path / "b-r02.tfrecords", dataset.path / "a-r02.tfrecords")
    with pytest.raises(UserError, match=r"a-r02.tfrecords contains 18 images"):
        make_pipeline(open_dataset(dataset.path), resolution=4, batch_size=4, seed=0)


EXIT_SCRIPT = """
import sys
from stylegan_tf.data import make_pipeline, open_dataset
iterators = [iter(make_pipeline(open_dataset(path), resolution=8, batch_size=4, seed=0)) for path in sys.argv[1:]]
for iterator in iterators * 3:
    next(iterator)
"""


def test_program_ends_while_batches_are_being_made(tmp_path):
    """TensorFlow's threads, caught in Python when the program ended, made every other run hang or abort."""
    for encoding in ("raw", "png"):
        made(tmp_path / encoding, encoding=encoding)
    command = [sys.executable, "-c", EXIT_SCRIPT, str(tmp_path / "raw"), str(tmp_path / "png")]
    assert subprocess.run(command, check=False, timeout=300, capture_output=True).returncode == 0


def test_batches_are_made_ahead_and_in_order():
    made_batches, lock = [], threading.Lock()

    def read(batch):
        with lock:
            made_batches.append(batch)
        if batch == 6:
            raise UserError("batch 6 is damaged")
        return batch

    ahead = ReadAhead(read)
    assert [ahead.get(batch) for batch in range(6)] == list(range(6))
    with pytest.raises(UserError, match="batch 6"):
        ahead.get(6)
    assert [ahead.get(batch) for batch in (7, 0, 1, 7)] == [7, 0, 1, 7]  # a second iterator starts again
    assert sorted(made_batches)[:3] == [0, 0, 1]
    assert len(made_batches) < 20


def test_importing_the_data_room_leaves_tensorflow_alone():
    script = "import sys, stylegan_tf.data; sys.exit('tensorflow' in sys.modules or 'cv2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
