"""The input pipeline: an endless tf.data.Dataset of batches, and the message if a batch cannot be read."""

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.command_line import spelled
from stylegan_tf.data.feed.batches import BatchReader, ReadAhead
from stylegan_tf.data.feed.order import Order, check_balance
from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

_ROWS_AT_ONCE = 4096  # of labels, which may be larger than memory
_OUR_ERROR = re.compile(r"\b(?:UserError|MissingFileError): (.+)")
_PYTHON_ERROR = re.compile(r"^(?:[\w.]*\.)?\w*Error: .+", re.MULTILINE)


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
) -> "tf.data.Dataset":
    """Endless batches of images and their labels.

    The image at a position (an image number since the start of training) depends on `seed` and the position only, not on
    batch size, resolution, or interruptions: a pipeline started at n continues like one started at 0. There is no shuffle
    buffer: an epoch is permuted as a whole (8 bytes per image), see `order.Order`.

    Args:
        dataset: from `open_dataset`.
        resolution: side of the images, one of `dataset.resolutions`.
        batch_size: images in a batch.
        seed: any integer.
        start_nimg: first position, 0 or more.
        mirror: flip images left to right with probability 1/2 (by seed and position).
        balance: "none", "sqrt" or "uniform" over classes; needs one-hot labels.
        shuffle: False for the order of the records.

    Returns:
        tf.data.Dataset of (uint8 [batch_size, R, R, C], float32 [batch_size, label_size]).

    Raises:
        UserError: an invalid argument, no such resolution, or a damaged file. A damaged record ends the iteration later, with
            an error that names the file and the record.
    """
    if batch_size < 1:
        raise UserError(f"The batch size must be 1 or more. Received: {batch_size}")
    if start_nimg < 0:
        raise UserError(f"start_nimg must be 0 or more. Received: {start_nimg}")
    check_balance(balance)
    level = dataset.level(resolution)
    classes = one_hot_classes(dataset) if balance != "none" and shuffle else None
    order = Order(dataset.num_images, seed=seed, shuffle=shuffle, balance=balance, classes=classes)
    reader = BatchReader(level, dataset.labels, order, start=start_nimg, batch_size=batch_size, mirror=mirror)
    image_shape = (batch_size, resolution, resolution, dataset.channels)
    return _as_dataset(reader, image_shape, (batch_size, dataset.label_size))


def pipeline_fault(message: str, path: str | Path) -> str:
    """What went wrong while a batch was read: a complete sentence, with file and record if they are known, and a command to check the rest.

    Args:
        message: of the error that TensorFlow raised for a batch: several lines, with a traceback of the Python code.
        path: of the dataset.
    """
    ours, others = _OUR_ERROR.search(message), _PYTHON_ERROR.findall(message)
    first_line = (message.strip().splitlines() or ["unknown"])[0]
    found = ours[1].strip() if ours else f"Cannot read the dataset {path} any more: {(others or [first_line])[-1].rstrip('.')}."
    return f"{found} Check the whole dataset with `{spelled('python dataset_tool.py check')} {shlex.quote(str(path))}`"


def one_hot_classes(dataset: Dataset) -> np.ndarray:
    """Class number of every image: int64 [num_images].

    Raises:
        UserError: no labels, or labels that are not one-hot.
    """
    if not dataset.label_size:
        raise UserError(f"Balancing classes needs labels, and {dataset.path} has none. Set data.balance=none.")
    classes = np.empty(dataset.num_images, np.int64)
    for first in range(0, dataset.num_images, _ROWS_AT_ONCE):
        labels = dataset.labels[first : first + _ROWS_AT_ONCE]
        wrong = np.flatnonzero(((labels != 0).sum(axis=1) != 1) | (labels.max(axis=1) != 1))
        if len(wrong):
            image = f"image {first + wrong[0]} of {dataset.path}"
            raise UserError(f"Balancing classes needs one class per image, but the label of {image} is not one-hot. Set data.balance=none.")
        classes[first : first + len(labels)] = labels.argmax(axis=1)
    return classes


def _as_dataset(reader: BatchReader, image_shape: tuple[int, ...], label_shape: tuple[int, ...]) -> "tf.data.Dataset":
    """A tf.data.Dataset of batch 0, 1, 2, ..."""
    import tensorflow as tf

    ahead = ReadAhead(reader.read)

    @tf.autograph.experimental.do_not_convert  # autograph writes its source to TMPDIR
    def read(batch):
        images, labels = tf.numpy_function(ahead.get, [batch], (tf.uint8, tf.float32))
        return tf.ensure_shape(images, image_shape), tf.ensure_shape(labels, label_shape)

    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF  # batches are split by the training loop
    options.experimental_optimization.apply_default_optimizations = False  # would add a `prefetch`; see ReadAhead
    # Its own thread, because `read` waits for others that TensorFlow runs.
    options.threading.private_threadpool_size = 1
    return tf.data.Dataset.range(np.iinfo(np.int64).max).map(read).with_options(options)
