"""Errors of exhausted memory, of the machine or of a GPU: how they are recognised, and their message for users."""

import contextlib
import re
from collections.abc import Iterator

from stylegan_tf import nvidia
from stylegan_tf.command_line import spelled
from stylegan_tf.errors import UserError

# In messages of TensorFlow, XLA and CUDA's libraries. The class is not enough: a full disk and too many open files are
# ResourceExhaustedError too; a failed allocation can be InternalError, UnknownError or NotFoundError ("No algorithm worked!").
_TEXT = re.compile(r"out[ _]of[ _]memory|OOM when|(failed|unable) to allocate|_ALLOC_FAILED|Dst tensor is not initialized", re.IGNORECASE)
_OF_MACHINE = re.compile(r"CPU:0 by allocator|allocator cpu|host memory", re.IGNORECASE)


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory was exhausted, of this machine or of a GPU."""
    is_of_tensorflow = type(error).__module__.startswith("tensorflow.")
    return isinstance(error, MemoryError) or (is_of_tensorflow and _TEXT.search(str(error)) is not None)


def holders(error: Exception) -> str:
    """A sentence on what holds memory of the GPUs, with a space after it; "" for memory of this machine, or if it is not known."""
    if isinstance(error, MemoryError) or _OF_MACHINE.search(str(error)):
        return ""
    others = nvidia.other_programs()
    if others:
        return f"Other programs hold memory of the GPU: {', '.join(others)}. "
    driver = nvidia.read_driver()
    return "".join(f"{card.used_gb:.1f} of {card.memory_gb:.1f} GB of {card.name} are in use. " for card in driver.cards) if driver else ""


@contextlib.contextmanager
def explained(advice: str) -> Iterator[None]:
    """Raises UserError in place of an error of exhausted memory.

    Args:
        advice: a sentence on what to try.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"Out of memory. {holders(error)}{spelled(advice)}") from error
