"""Times of the parts of an iteration, read inside the graph by clocks that depend on the results they time."""

import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def on_host(value: tf.Tensor) -> tf.Tensor:
    """A copy in the memory of the host, which exists when the device has computed the value."""
    with tf.device("CPU:0"):
        return tf.identity(value)


def now_after(*tensors: tf.Tensor) -> tf.Tensor:
    """Seconds since 1970, float64, when all of `tensors` are computed. They must be in the memory of the host; see `on_host`."""
    with tf.device("CPU:0"), tf.control_dependencies(tensors):
        return tf.timestamp() if _has_clock() else tf.numpy_function(_now, [], tf.float64)


def _has_clock() -> bool:
    """False in deterministic mode, in which TensorFlow refuses its own clock."""
    with tf.init_scope():
        try:
            tf.timestamp()
        except tf.errors.FailedPreconditionError:
            return False
    return True


def _now() -> np.float64:
    return np.float64(time.time())


def durations(start: tf.Tensor, fetched: tf.Tensor, done: Sequence[tuple[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
    """Seconds of the parts of one iteration, float32: waiting for data, steps of D, steps of G.

    Args:
        start: when the previous iteration was done; the batch may have been read before.
        fetched: when the batch was read.
        done: network of every step in order, and when its gradients were computed.
    """
    with tf.device("CPU:0"):
        before = tf.maximum(fetched, start)
        parts = {"data": before - start, "D": tf.zeros([], tf.float64), "G": tf.zeros([], tf.float64)}
        for network, time_done in done:
            parts[network] += time_done - before
            before = time_done
        return {f"Timing/{name}_sec": tf.cast(part, tf.float32) for name, part in parts.items()}
