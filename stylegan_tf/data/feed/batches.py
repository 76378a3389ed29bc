"""Batches for training by number: records read, decoded and mirrored, with labels; and read ahead by threads."""

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.data.feed.order import Order
from stylegan_tf.data.records.level import Level

if TYPE_CHECKING:
    import tensorflow as tf

_NUM_AHEAD = 2  # batches read ahead, each by its own thread


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
