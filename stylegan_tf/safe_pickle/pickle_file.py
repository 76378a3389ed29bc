"""Data-only pickles as files: read, where a file that is not one is refused with one message, and written whole or not at all."""

import os
import pickle
from collections import ChainMap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from stylegan_tf.errors import UserError
from stylegan_tf.files import atomic_path, open_regular
from stylegan_tf.safe_pickle.arrays import data_names
from stylegan_tf.safe_pickle.machine import Machine
from stylegan_tf.safe_pickle.values import NotDataError, check_value

MAX_BYTES = 8 << 30
_MAGIC = {
    b"PK": "a zip archive (PyTorch saves such files)",
    b"\x1f\x8b": "a gzip archive: unpack it first",
    b"\x89HDF": "an HDF5 file",
    b"<": "a web page: the download went wrong",
    b"version https://git-lfs": "a Git LFS pointer: fetch the file itself",
}


def read_pickle(
    path: str | os.PathLike,
    *,
    allowed: Mapping[tuple[str, str], Callable] | None = None,
    max_bytes: int = MAX_BYTES,
    encoding: str = "ASCII",
) -> Any:
    """Reads a pickle (protocols 2 to 5) of plain values and NumPy arrays. Nothing inside is ever run.

    Memory is limited to about the size of the file: arrays share the bytes that were read (read-only, or writable
    where protocol 5 says so).

    Args:
        path: the file.
        allowed: further (module, name) pairs the file may call, and what is called instead: a function of plain
            values that returns plain values or a `Record`.
        max_bytes: larger files are refused.
        encoding: of the byte strings of Python 2: "ASCII" (bytes where that fails), "latin1" or "bytes".

    Returns:
        The value.

    Raises:
        MissingFileError: there is no such file.
        UserError: not a pickle, damaged, or it names anything but data.
    """
    path = Path(path)
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise UserError(f"{path} has {size:,} bytes; at most {max_bytes:,} are read.")
        try:
            _check_header(file, path)
            return _interpret(Machine(file, path, size, data_names() | dict(allowed or {}), encoding))
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error


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


def read_next(file: BinaryIO, path: Path, size: int, *, allowed: Mapping, persistent: Callable) -> Any:
    """One pickle of an open file that holds several, or of bytes at hand; see `read_pickle`.

    Args:
        file: at the first byte of the pickle; afterwards behind its last.
        path: for messages.
        size: bytes of the file.
        allowed: further names, any mapping of (module, name).
        persistent: see `Machine`.
    """
    return _interpret(Machine(file, path, size, ChainMap(data_names(), allowed), "latin1", persistent))


def _check_header(file: BinaryIO, path: Path) -> None:
    """Recognises other files that are passed by mistake."""
    header = file.read(32)
    if header[:1] != b"\x80":
        known = (text for magic, text in _MAGIC.items() if header.lstrip().startswith(magic))
        raise UserError(f"{path} cannot be read as a network or state: it is {next(known, 'not a pickle of protocol 2 to 5')}.")
    file.seek(0)


def _interpret(machine: Machine) -> Any:
    """Runs the machine and turns every error of a damaged file into one message."""
    try:
        return machine.run()
    except UserError:
        raise
    except NotDataError as error:
        raise UserError(f"{machine.path} contains more than plain values and arrays: {error}.") from error
    except (ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError) as error:
        reason = (str(error) or type(error).__name__)[:200]
        where = machine.file.tell()
        raise UserError(f"{machine.path} is damaged or not a data-only pickle (byte {where:,}: {reason}).") from error
