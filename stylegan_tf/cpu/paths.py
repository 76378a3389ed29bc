"""Chooses between the operations as `layers/` defines them and their fast paths: the only place that does.

A function in `layers/` is written as its paper has it; the decorator `replaced_by` names the fast functions of the same meaning.
With the environment variable STYLEGAN_TF_CPU_PATHS=off, nothing in this folder or in `layers/gpu/` is used; with "gpu", a CPU computes
what a GPU would, which the tests and the counts of kernels need.
"""

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator

import tensorflow as tf

from stylegan_tf.errors import UserError

VARIABLE = "STYLEGAN_TF_CPU_PATHS"
_is_plain = False


@contextlib.contextmanager
def plain_operations() -> Iterator[None]:
    """For graphs that are traced for other machines and programs: no fast path is used."""
    global _is_plain
    before, _is_plain = _is_plain, True
    try:
        yield
    finally:
        _is_plain = before


def is_on(*, on_gpus: bool = False) -> bool:
    """Whether a fast path is in use.

    Args:
        on_gpus: whether this path is also for machines with a GPU.

    Raises:
        UserError: the environment variable is not "on", "off" or "gpu".
    """
    return _setting() != "off" and not _is_plain and (on_gpus or not _is_gpu())


def _setting() -> str:
    setting = os.environ.get(VARIABLE) or "on"
    if setting not in ("on", "off", "gpu"):
        raise UserError(f"The environment variable {VARIABLE} must be on, off or gpu (default: on). Received: {setting!r}")
    return setting


def _is_gpu() -> bool:
    return _setting() == "gpu" or bool(tf.config.list_logical_devices("GPU"))


_thread = threading.local()


@contextlib.contextmanager
def traced_for_xla() -> Iterator[None]:
    """What this thread traces in this context is compiled with XLA."""
    before = is_traced_for_xla()
    _thread.is_for_xla = True
    try:
        yield
    finally:
        _thread.is_for_xla = before


def is_traced_for_xla() -> bool:
    """Whether the operations that this thread traces are compiled with XLA."""
    return getattr(_thread, "is_for_xla", False)


def replaced_by(fast: Callable | None = None, *, on_gpus: bool = False, gpu: Callable | None = None) -> Callable[[Callable], Callable]:
    """Decorator of a plain function: `gpu` or `fast` is called in its place.

    Each function takes the same arguments and returns the same values, up to the rounding of float32. The plain one and `fast` are
    attributes of the decorated function, for the tests that compare them.

    Args:
        fast: on CPUs; None for the plain function.
        on_gpus: whether `fast` is also for machines with a GPU.
        gpu: on machines with a GPU.
    """

    def decorate(plain):
        @functools.wraps(plain)
        def choose(*arguments, **options):
            chosen = None
            if is_on(on_gpus=True):
                chosen = gpu if gpu is not None and _is_gpu() else fast if is_on(on_gpus=on_gpus) else None
            return (chosen or plain)(*arguments, **options)

        choose.plain, choose.fast = getattr(plain, "plain", plain), fast
        return choose

    return decorate
