"""TensorFlow's graph optimiser (grappler), disabled where it costs more time than it saves: in training steps on CPUs."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from stylegan_tf.cpu import paths

_SWITCH = "disable_meta_optimizer"


@contextlib.contextmanager
def disabled_on_cpus() -> Iterator[None]:
    """Functions that are traced and called in this context run as they were traced; with a GPU, where layouts matter, no change.

    A step is no slower without the optimiser, and its first call is seconds faster (docs/experiments.md). Calls with and without
    it are compiled separately, so the trace and all calls of a function belong in this context. The switch applies to the whole
    process: a function that another thread calls for the first time meanwhile is not optimised either.
    """
    if not paths.is_on():
        yield
        return
    before = tf.config.optimizer.get_experimental_options().get(_SWITCH, False)
    tf.config.optimizer.set_experimental_options({_SWITCH: True})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({_SWITCH: before})
