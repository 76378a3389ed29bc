"""One batch for training by its number: records looked up, decoded, mirrored, with their labels; and batches made ahead."""

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.data.feed.order import Order
from stylegan_tf.data.records.codecs import mirror_images
from stylegan_tf.data.records.level import Level

if TYPE_CHECKING:
    import tensorflow as tf

_NUM_AHEAD = 2  # batches, each made by a thread of its own


class BatchReader:
    """Makes batch number k: positions `first + step * (k * batch_size + i)`. Holds no state; Python runs once a batch."""

    def __init__(self, level: Level, labels: np.ndarray, order: Order, *, first: int, step: int, batch_size: int, mirror: bool):
        self.batch_size = batch_size
        self._level, self._labels, self._order, self._mirror = level, labels, order, mirror
        self._first, self._step = first, step
        self._decode = None if level.encoding == "raw" else decoder(level)

    def read(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Images uint8 [N, R, R, C] and labels float32 [N, label_size].

        Raises:
            UserError: a damaged record; names file and record.
        """
        positions = self._first + self._step * (batch * self.batch_size + np.arange(self.batch_size))
        indices = self._order.images_at(positions)
        flipped = self._order.mirrored_at(positions) if self._mirror else np.zeros(self.batch_size, bool)
        if self._decode:
            images = self._decode(np.array(self._level.read_checked(indices), object), flipped).numpy()
        else:
            images = self._level.read_raw(indices)
            mirror_images(images, flipped)
        return images, np.ascontiguousarray(self._labels[indices])


class ReadAhead:
    """Hands out batches in order while the next ones are being made.

    The threads are Python's, which it waits for when the program ends. TensorFlow's own, caught in Python at that moment,
    would hang or abort the program: hence no `prefetch` where Python makes batches.
    """

    def __init__(self, read: Callable[[int], tuple[np.ndarray, np.ndarray]]):
        self._read = read
        self._pool = ThreadPoolExecutor(_NUM_AHEAD, thread_name_prefix="batches")
        self._pending: dict[int, Future] = {}
        self._lock = threading.Lock()

    def get(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Batch number `batch`; raises what making it raised."""
        batch = int(batch)
        with self._lock:
            wanted = range(batch, batch + 1 + _NUM_AHEAD)
            self._pending = {number: self._pending.get(number) or self._pool.submit(self._read, number) for number in wanted}
            found = self._pending.pop(batch)
        return found.result()


def decoder(level: Level) -> Callable[[np.ndarray, np.ndarray], "tf.Tensor"]:
    """A function of bytes [N] and bool [N] (whether to mirror) to uint8 [N, R, R, C], run by TensorFlow in parallel."""
    import tensorflow as tf

    if level.encoding == "png":
        decode = functools.partial(tf.io.decode_png, channels=level.channels)
    else:
        # The slow transform is the one that others (Pillow, OpenCV) take; the fast one is off by up to 15 of 255.
        decode = functools.partial(tf.io.decode_jpeg, channels=level.channels, dct_method="INTEGER_ACCURATE")
    options = tf.data.Options()
    options.autotune.enabled = False  # would start anew with every batch

    def decode_one(encoded, is_flipped):
        image = tf.ensure_shape(decode(encoded), (level.resolution, level.resolution, level.channels))
        # `reverse` has a loop of its own for images, ten times as fast as a slice with a negative stride.
        return tf.cond(is_flipped, lambda: tf.reverse(image, [1]), lambda: image)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([None], tf.bool)], autograph=False)
    def decode_batch(encoded, flipped):
        images = tf.data.Dataset.from_tensor_slices((encoded, flipped)).map(decode_one, num_parallel_calls=os.cpu_count() or 1)
        return images.batch(tf.size(encoded, tf.int64)).with_options(options).get_single_element()

    def decode_on_cpu(encoded, flipped):
        with tf.device("/CPU:0"):
            return decode_batch(encoded, flipped)

    return decode_on_cpu
