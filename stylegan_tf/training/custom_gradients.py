"""Has TensorFlow let go of a traced step: `tf.distribute` registers a gradient of each sum over devices for good, and its graph with it."""

import contextlib
from collections.abc import Iterator

from tensorflow.python.framework import ops


@contextlib.contextmanager
def forgotten_afterwards() -> Iterator[None]:
    """For a trace that takes all its derivatives itself: removes what `tf.custom_gradient` registers in it.

    TensorFlow has no public way, and removes nothing itself: a run would grow by a graph of thousands of nodes, some 30 MB, a stage.
    """
    registry = getattr(ops.gradient_registry, "_registry", {})
    before = set(registry)
    try:
        yield
    finally:
        for name in set(registry) - before:
            if name.startswith("CustomGradient-"):
                del registry[name]
