"""TensorFlow's optimiser of graphs (grappler), left out where it takes longer than it saves: in steps on CPUs."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

_SWITCH = "disable_meta_optimizer"


@contextlib.contextmanager
def left_out_on_cpus() -> Iterator[None]:
    """Functions that are traced and called within are run as they were traced; on a GPU, where layouts are its work, as ever.

    A step is no slower for it, and its first call seconds faster (docs/performance.md). Calls with and without the optimiser
    are prepared apart, so the trace and all calls of a function belong within. The switch is the process's: a thread that calls
    its first function meanwhile keeps it.
    """
    if tf.config.list_logical_devices("GPU"):
        yield
        return
    before = tf.config.optimizer.get_experimental_options().get(_SWITCH, False)
    tf.config.optimizer.set_experimental_options({_SWITCH: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_SWITCH: before})
