"""Files: written atomically (temporary name, sync, rename), so that none is ever incomplete, and read with bounds on their size."""

import contextlib
import json
import os
import shutil
import stat
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stylegan_tf.errors import MissingFileError, UserError

MAX_DIRECTORY_BYTES = 1 << 20  # of a zip's directory: some ten thousand members
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Gives a temporary name beside `path`; on success the file is synced and renamed, on failure removed.

    The temporary name starts with a dot and keeps the suffix, so that writers which choose a format by suffix work.

    Raises:
        OSError: the file cannot be written; nothing is left behind and an older `path` is untouched.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}.partial{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, str(temporary)):
            error.filename = str(path)  # errors of writing name no file
        raise


@contextlib.contextmanager
def new_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Gives the name of a temporary folder beside `path`, to be made and filled; on success it is renamed, on failure removed.

    Raises:
        UserError: `path` exists.
    """
    path = Path(path)
    if path.exists():
        raise UserError(f"{path} exists already. Choose another folder or remove it.")
    partial = path.with_name(f".{path.name}-{uuid.uuid4().hex[:8]}.partial")
    try:
        yield partial
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes UTF-8 text atomically; bytes of file names that are not UTF-8 are written as escapes, which JSON can read."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def open_regular(path: str | os.PathLike) -> BinaryIO:
    """Opens a file to read its bytes.

    Raises:
        MissingFileError: there is no such file.
        UserError: a folder, pipe or device (which could block for ever), or a file that cannot be read.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise UserError(f"{path} is not a file.")
        return open(path, "rb")
    except FileNotFoundError:
        raise MissingFileError(f"{path} does not exist.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None


def read_bounded(path: str | os.PathLike, max_bytes: int) -> bytes:
    """Content of a regular file of at most `max_bytes` bytes. Raises as `open_regular`, and UserError for a larger file."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise UserError(f"{path} has {size:,} bytes; at most {max_bytes:,} are read.")
        return file.read(size)


def read_json(path: str | os.PathLike, max_bytes: int = 1 << 20) -> object:
    """The value in a small JSON file. Raises as `read_bounded`, and UserError for content that is not JSON."""
    content = read_bounded(path, max_bytes)
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON ({str(error)[:80]}).") from error


def directory_bytes(file: BinaryIO) -> int | None:
    """Bytes of a zip's directory, read before zipfile makes an object of every entry; of the 64-bit record where there is one.

    Returns:
        None for a file that is not a zip archive or is truncated, or for an archive whose 64-bit record lies elsewhere.
    """
    size = file.seek(0, os.SEEK_END)
    start = max(size - _END.size - 65_535 - _LOCATOR_64.size - _END_64.size, 0)
    file.seek(start)
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) - place < _END.size:
        return None
    *_, num_bytes, _, _ = _END.unpack_from(tail, place)
    locator = place - _LOCATOR_64.size
    if locator >= 0 and tail[locator:].startswith(b"PK\x06\x07"):
        record = locator - _END_64.size
        if record < 0 or not tail[record:].startswith(b"PK\x06\x06"):
            return None
        *_, num_bytes, _ = _END_64.unpack_from(tail, record)
    return num_bytes
