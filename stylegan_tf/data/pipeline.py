"""Batches for training: an endless tf.data.Dataset whose order is a function of seed and position alone."""

import functools
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.data.codecs import mirror_images
from stylegan_tf.data.dataset import Dataset
from stylegan_tf.data.level import Level
from stylegan_tf.data.order import Order, check_balance
from stylegan_tf.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

_ROWS_AT_ONCE = 4096  # of labels, which may be more than memory holds


def make_pipeline(
    dataset: Dataset,
    *,
    resolution: int,
    batch_size: int,
    seed: int,
    start_nimg: int = 0,
    mirror: bool = False,
    balance: str = "none",
    shuffle: bool = True,
    shard_index: int = 0,
    num_shards: int = 1,
) -> "tf.data.Dataset":
    """Endless batches of images and their labels.

    What is shown at a position (an image number since the start of training) depends on `seed` and the position alone,
    not on batch size, resolution, or where a run was cut: a pipeline started at n gives what an unbroken one gives there.
    No buffer is shuffled; the order of an epoch is drawn at once (8 bytes an image), see `order.Order`.

    Args:
        dataset: from `open_dataset`.
        resolution: side of the images, one of `dataset.resolutions`.
        batch_size: images in a batch of this worker.
        seed: any whole number.
        start_nimg: position to start from, 0 or above.
        mirror: flip an image left to right where a coin (by seed and position) says so.
        balance: "none", "sqrt" or "uniform" over classes; needs one-hot labels.
        shuffle: False shows images in the order of the records.
        shard_index, num_shards: worker k of n takes the positions p with p % n == k, so that every n * batch_size positions
            are one batch of each worker and no image is taken twice.

    Returns:
        tf.data.Dataset of (uint8 [batch_size, R, R, C], float32 [batch_size, label_size]).

    Raises:
        UserError: a wrong argument, no such resolution, or a damaged file; before the first batch where it can be seen
            then. A damaged record met later ends the iteration with an error that names file and record.
    """
    _check_arguments(batch_size=batch_size, start_nimg=start_nimg, shard_index=shard_index, num_shards=num_shards)
    check_balance(balance)
    level = dataset.level(resolution)
    classes = one_hot_classes(dataset) if balance != "none" and shuffle else None
    order = Order(dataset.num_images, seed=seed, shuffle=shuffle, balance=balance, classes=classes)
    # The first position of this worker from start_nimg on, then every num_shards-th.
    first = start_nimg + (shard_index - start_nimg) % num_shards
    reader = _BatchReader(level, dataset.labels, order, first=first, step=num_shards, batch_size=batch_size, mirror=mirror)
    return _batches(reader)


def one_hot_classes(dataset: Dataset) -> np.ndarray:
    """Class number of every image: int64 [num_images].

    Raises:
        UserError: no labels, or labels that are not one-hot.
    """
    if not dataset.label_size:
        raise UserError(f"Balancing classes needs labels, and {dataset.path} has none.")
    classes = np.empty(dataset.num_images, np.int64)
    for first in range(0, dataset.num_images, _ROWS_AT_ONCE):
        labels = dataset.labels[first : first + _ROWS_AT_ONCE]
        wrong = np.flatnonzero(((labels != 0).sum(axis=1) != 1) | (labels.max(axis=1) != 1))
        if len(wrong):
            image = f"image {first + wrong[0]} of {dataset.path}"
            raise UserError(f"Balancing classes needs one class an image, but the label of {image} is not one-hot.")
        classes[first : first + len(labels)] = labels.argmax(axis=1)
    return classes


def _check_arguments(*, batch_size: int, start_nimg: int, shard_index: int, num_shards: int) -> None:
    if batch_size < 1:
        raise UserError(f"The batch size must be 1 or more. Received: {batch_size}")
    if start_nimg < 0:
        raise UserError(f"Training starts at image 0 or later. Received: start_nimg={start_nimg}")
    if not 0 <= shard_index < num_shards:
        raise UserError(f"The worker must be from 0 to {num_shards - 1}. Received: shard_index={shard_index}, num_shards={num_shards}")


class _BatchReader:
    """Reads the records of batch after batch: Python once a batch, for TensorFlow to call from its threads."""

    def __init__(self, level: Level, labels: np.ndarray, order: Order, *, first: int, step: int, batch_size: int, mirror: bool):
        self.level, self.batch_size, self.label_size = level, batch_size, labels.shape[1]
        self._labels, self._order, self._mirror = labels, order, mirror
        self._first, self._step = first, step

    def raw(self, batch: int) -> np.ndarray:
        """Images uint8 [N, R, R, C] of batch number `batch`, for raw records."""
        positions, indices = self._look_up(batch)
        images = self.level.read_raw(indices)
        if self._mirror:
            mirror_images(images, self._order.mirrored_at(positions))
        return images

    def encoded(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Compressed images (bytes [N]), and whether to mirror them (bool [N])."""
        positions, indices = self._look_up(batch)
        flipped = self._order.mirrored_at(positions) if self._mirror else np.zeros(len(positions), bool)
        return np.array(self.level.read_checked(indices), object), flipped

    def labels(self, batch: int) -> np.ndarray:
        """Labels of batch number `batch`: float32 [N, label_size]."""
        return np.ascontiguousarray(self._labels[self._look_up(batch)[1]])

    def _look_up(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Positions in training and the image numbers there."""
        positions = self._first + self._step * (int(batch) * self.batch_size + np.arange(self.batch_size))
        return positions, self._order.images_at(positions)


def _batches(reader: _BatchReader) -> "tf.data.Dataset":
    """Images and labels together, in shapes known beforehand."""
    import tensorflow as tf

    level = reader.level
    image_shape = (reader.batch_size, level.resolution, level.resolution, level.channels)

    def with_shapes(images, labels):
        return tf.ensure_shape(images, image_shape), tf.ensure_shape(labels, (reader.batch_size, reader.label_size))

    images = _raw_images(reader) if level.encoding == "raw" else _decoded_images(reader)
    return tf.data.Dataset.zip(images, _labels(reader)).map(with_shapes).prefetch(2).with_options(_options())


def _raw_images(reader: _BatchReader) -> "tf.data.Dataset":
    """Batches of raw records."""
    import tensorflow as tf

    return _batch_numbers().map(lambda batch: tf.numpy_function(reader.raw, [batch], tf.uint8), num_parallel_calls=2, deterministic=True)


def _decoded_images(reader: _BatchReader) -> "tf.data.Dataset":
    """Batches of PNG or JPEG records, decoded image by image in TensorFlow's threads."""
    import tensorflow as tf

    level = reader.level
    if level.encoding == "png":
        decode = functools.partial(tf.io.decode_png, channels=level.channels)
    else:
        # The slow transform is the one that others (Pillow, OpenCV) take; the fast one is off by up to 15 of 255.
        decode = functools.partial(tf.io.decode_jpeg, channels=level.channels, dct_method="INTEGER_ACCURATE")

    def decode_one(encoded, is_flipped):
        image = tf.ensure_shape(decode(encoded), (level.resolution, level.resolution, level.channels))
        # `reverse` has a loop of its own for images, ten times as fast as a slice with a negative stride.
        return tf.cond(is_flipped, lambda: tf.reverse(image, [1]), lambda: image)

    def read(batch):
        encoded, flipped = tf.numpy_function(reader.encoded, [batch], (tf.string, tf.bool))
        return tf.ensure_shape(encoded, (reader.batch_size,)), tf.ensure_shape(flipped, (reader.batch_size,))

    images = _batch_numbers().map(read).prefetch(1).unbatch().map(decode_one, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return images.batch(reader.batch_size, drop_remainder=True)


def _labels(reader: _BatchReader) -> "tf.data.Dataset":
    """Batches of labels. They do not travel with the images: TensorFlow 2.21 crashes where empty ones are taken apart by `unbatch`."""
    import tensorflow as tf

    return _batch_numbers().map(lambda batch: tf.numpy_function(reader.labels, [batch], tf.float32))


def _batch_numbers() -> "tf.data.Dataset":
    import tensorflow as tf

    return tf.data.Dataset.range(np.iinfo(np.int64).max)


def _options() -> "tf.data.Options":
    import tensorflow as tf

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF  # shards are arguments here
    return options
