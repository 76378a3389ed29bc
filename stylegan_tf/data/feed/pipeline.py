"""Batches for training: an endless tf.data.Dataset whose order is a function of seed and position alone."""

from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.data.feed.batches import BatchReader, ReadAhead
from stylegan_tf.data.feed.order import Order, check_balance
from stylegan_tf.data.records.dataset import Dataset
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
    reader = BatchReader(level, dataset.labels, order, first=first, step=num_shards, batch_size=batch_size, mirror=mirror)
    image_shape = (batch_size, resolution, resolution, dataset.channels)
    return _as_dataset(reader, image_shape, (batch_size, dataset.label_size))


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


def _as_dataset(reader: BatchReader, image_shape: tuple[int, ...], label_shape: tuple[int, ...]) -> "tf.data.Dataset":
    """A tf.data.Dataset that asks for batch 0, 1, 2, ..."""
    import tensorflow as tf

    ahead = ReadAhead(reader.read)

    def read(batch):
        images, labels = tf.numpy_function(ahead.get, [batch], (tf.uint8, tf.float32))
        return tf.ensure_shape(images, image_shape), tf.ensure_shape(labels, label_shape)

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF  # shards are arguments here
    options.experimental_optimization.apply_default_optimizations = False  # they would add a `prefetch`; see ReadAhead
    # A thread of its own, because it waits for others that TensorFlow runs.
    options.threading.private_threadpool_size = 1
    return tf.data.Dataset.range(np.iinfo(np.int64).max).map(read).with_options(options)
