"""Where the time of a step goes, read inside the graph: clocks that depend on what they time."""

import time
from collections.abc import Sequence

import numpy as np
import tensorflow as tf


def on_host(value: tf.Tensor) -> tf.Tensor:
    """A copy in the memory of the host: it is there when the device has come so far, not when it was asked to."""
    with tf.device("CPU:0"):
        return tf.identity(value)


def now_after(*tensors: tf.Tensor) -> tf.Tensor:
    """Seconds since 1970, float64, when all of `tensors` are there. Tensors of the host are meant; see `on_host`."""
    with tf.device("CPU:0"), tf.control_dependencies(tensors):
        return tf.timestamp() if _has_clock() else tf.numpy_function(_now, [], tf.float64)


def _has_clock() -> bool:
    """False where TensorFlow refuses its own clock, as an operation whose result is never the same: in deterministic mode."""
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
        start: when the iteration before was done; the batch may be there earlier, as nothing waits to fetch it.
        fetched: when the batch was there.
        done: network of every step in order, and when its gradients were there.
    """
    with tf.device("CPU:0"):
        before = tf.maximum(fetched, start)
        parts = {"data": before - start, "D": tf.zeros([], tf.float64), "G": tf.zeros([], tf.float64)}
        for network, time_done in done:
            parts[network] += time_done - before
            before = time_done
        return {f"Timing/{name}_sec": tf.cast(part, tf.float32) for name, part in parts.items()}
