"""The input pipeline: an endless tf.data.Dataset of batches, read ahead by threads, and the message if one cannot be read."""

import functools
import os
import re
import shlex
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.command_line import spelled
from stylegan_tf.data.feed.order import Order, check_balance
from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.data.records.level import Level
from stylegan_tf.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

_NUM_AHEAD = 2  # batches read ahead, each by its own thread
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
        resolution: side of the images, one of `dataset.resolutions`.
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


class BatchReader:
    """Reads batch number k: positions `start + k * batch_size + i`. Stateless, and Python code runs once per batch only."""

    def __init__(self, level: Level, labels: np.ndarray, order: Order, *, start: int, batch_size: int, mirror: bool):
        self.batch_size = batch_size
        self._level, self._labels, self._order, self._start, self._mirror = level, labels, order, start, mirror
        self._decode = decoder(level)

    def read(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 [N, R, R, C] and labels float32 [N, label_size].

        Raises:
            UserError: a damaged record; names the file and the record.
        """
        positions = self._start + batch * self.batch_size + np.arange(self.batch_size)
        indices = self._order.images_at(positions)
        flipped = self._order.mirrored_at(positions) if self._mirror else np.zeros(self.batch_size, bool)
        images = self._decode(np.array(self._level.read_checked(indices), object), flipped).numpy()
        return images, np.ascontiguousarray(self._labels[indices])


class ReadAhead:
    """Returns batches in order while the next ones are read by threads.

    These are threads of Python, which waits for them when the program ends. Threads of TensorFlow that run Python code at that
    moment can hang or abort the program: hence no `prefetch` in a pipeline whose batches are read by Python.
    """

    def __init__(self, read: Callable[[int], tuple[np.ndarray, np.ndarray]]):
        self._read = read
        self._pool = ThreadPoolExecutor(_NUM_AHEAD, thread_name_prefix="batches")
        self._pending: dict[int, Future] = {}
        self._lock = threading.Lock()

    def get(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch number `batch`; raises the exception of its thread if there was one."""
        batch = int(batch)
        with self._lock:
            wanted = range(batch, batch + 1 + _NUM_AHEAD)
            self._pending = {number: self._pending.get(number) or self._pool.submit(self._read, number) for number in wanted}
            found = self._pending.pop(batch)
        return found.result()


def decoder(level: Level) -> Callable[[np.ndarray, np.ndarray], "tf.Tensor"]:
    """A function from bytes [N] and bool [N] (whether to mirror) to uint8 [N, R, R, C], executed by TensorFlow in parallel."""
    import tensorflow as tf

    def decode_raw(encoded):
        return tf.transpose(tf.reshape(tf.io.decode_raw(encoded, tf.uint8), level.shape), (1, 2, 0))

    if level.encoding == "raw":
        decode = decode_raw
    elif level.encoding == "png":
        decode = functools.partial(tf.io.decode_png, channels=level.channels)
    else:
        # The slow transform agrees with other decoders (Pillow, OpenCV); the fast one differs by up to 15 of 255.
        decode = functools.partial(tf.io.decode_jpeg, channels=level.channels, dct_method="INTEGER_ACCURATE")
    options = tf.data.Options()
    options.autotune.enabled = False  # it would start again with every batch

    @tf.autograph.experimental.do_not_convert
    def decode_one(encoded, is_flipped):
        image = tf.ensure_shape(decode(encoded), (level.resolution, level.resolution, level.channels))
        # `reverse` has a special case for images, ten times as fast as a slice with a negative stride.
        return tf.cond(is_flipped, lambda: tf.reverse(image, [1]), lambda: image)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.bool)], autograph=False)
    def decode_batch(encoded, flipped):
        images = tf.data.Dataset.from_tensor_slices((encoded, flipped)).map(decode_one, num_parallel_calls=os.cpu_count() or 1)
        return images.batch(tf.size(encoded, tf.int64)).with_options(options).get_single_element()

    def decode_on_cpu(encoded, flipped):
        with tf.device("/CPU:0"):
            return decode_batch(encoded, flipped)

    return decode_on_cpu


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
