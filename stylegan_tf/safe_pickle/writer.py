"""Writes data-only pickles: refuses what is not data before it touches the disk, then replaces the file whole."""

import os
import pickle
from typing import Any

from stylegan_tf.files import atomic_path
from stylegan_tf.safe_pickle.values import check_value


def write_pickle(path: str | os.PathLike, value: Any) -> None:
    """Writes `value` as a pickle of protocol 5, atomically. Contiguous arrays are written without a copy.

    Args:
        path: the file; an older one is replaced only by a complete new one.
        value: None, bool, int, float, str, bytes, list, tuple, dict, set, frozenset, NumPy arrays and scalars of
            numbers, nested at most 100 deep.

    Raises:
        ValueError: something else is in `value`; the message holds the keys to it. Nothing is written.
        OSError: the file cannot be written; an older one is untouched.
    """
    check_value(value)
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        pickle.dump(value, file, protocol=5)
