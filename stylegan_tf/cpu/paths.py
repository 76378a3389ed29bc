"""Chooses between the operations as `layers/` defines them and their fast paths: the only place that does.

A function in `layers/` is written as its paper has it; the decorator `replaced_by` names the fast function of the same meaning.
With the environment variable STYLEGAN_TF_CPU_PATHS=off, nothing in this folder is used.
"""

import contextlib
import functools
import os
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
        UserError: the environment variable is neither "on" nor "off".
    """
    setting = os.environ.get(VARIABLE) or "on"
    if setting not in ("on", "off"):
        raise UserError(f"The environment variable {VARIABLE} must be on or off (default: on). Received: {setting!r}")
    return setting == "on" and not _is_plain and (on_gpus or not tf.config.list_logical_devices("GPU"))


def replaced_by(fast: Callable, *, on_gpus: bool = False) -> Callable[[Callable], Callable]:
    """Decorator of a plain function: `fast` is called in its place where `is_on(on_gpus=on_gpus)`.

    Both are attributes of the decorated function, `plain` and `fast`, for the tests that compare them.

    Args:
        fast: takes the same arguments and returns the same values, up to the rounding of float32.
        on_gpus: as in `is_on`.
    """

    def decorate(plain):
        @functools.wraps(plain)
        def choose(*arguments, **options):
            return (fast if is_on(on_gpus=on_gpus) else plain)(*arguments, **options)

        choose.plain, choose.fast = plain, fast
        return choose

    return decorate
