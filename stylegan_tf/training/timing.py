"""Where the time of a step goes, read inside the graph: clocks that depend on what they time."""

import time

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


def durations(start: tf.Tensor, fetched: tf.Tensor, D_done: tf.Tensor, G_done: tf.Tensor) -> dict[str, tf.Tensor]:
    """Seconds of the parts of one pair of steps, float32.

    Args:
        start: when the pair before was done; the batch may be there earlier, as nothing waits to fetch it.
        fetched: when the batch was there.
        D_done, G_done: when the gradients of the step were there.
    """
    with tf.device("CPU:0"):
        fetched = tf.maximum(fetched, start)
        parts = {"data": fetched - start, "D": D_done - fetched, "G": G_done - D_done}
        return {f"Timing/{name}_sec": tf.cast(part, tf.float32) for name, part in parts.items()}
