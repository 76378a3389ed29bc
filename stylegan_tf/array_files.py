"""Reads .npy and .npz files from elsewhere: plain numbers only, sizes checked before memory is allocated."""

import math
import os
import re
import struct
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.files import MAX_DIRECTORY_BYTES, directory_bytes, open_regular

MAX_BYTES = 1 << 30
MAX_HEADER_BYTES = 10_000  # NumPy's own limit
_HEADER = re.compile(
    r"\{'descr': *'(?P<dtype>[<>=|]?[biuf]\d{1,2})', *'fortran_order': *(?P<order>True|False), *"
    r"'shape': *\((?P<shape>(\d{1,13}L?(, *|(?=\))))*)\),? *\} *\n?"  # Python 2 wrote 3L
)


def read_npy(path: str | os.PathLike, *, max_bytes: int = MAX_BYTES, is_mapped: bool = False) -> np.ndarray:
    """The array of an .npy file: numbers (bool, int, uint, float) of any shape.

    Args:
        max_bytes: larger arrays are refused; without effect on mapped ones.
        is_mapped: leave the numbers on disk, read-only.

    Raises:
        MissingFileError: there is no such file.
        UserError: not such a file, damaged, or larger than allowed.
    """
    path = Path(path)
    with open_regular(path) as file:
        return _guarded(path, lambda: _read_array(file, os.fstat(file.fileno()).st_size, max_bytes, path if is_mapped else None))


def read_npz(path: str | os.PathLike, names: Collection[str] | None = None, *, max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """Arrays of an .npz file by name, in the order of the file.

    Args:
        names: of the arrays to read, all of which must be there; None: every one.
        max_bytes: more bytes of unpacked arrays, all together, are refused before the first is unpacked.

    Raises:
        MissingFileError: there is no such file.
        UserError: not such a file, damaged, larger than allowed, or an array is not there.
    """
    path = Path(path)
    with open_regular(path) as file:
        return _guarded(path, lambda: _read_members(file, path, names, max_bytes))


def npz_names(path: str | os.PathLike) -> list[str]:
    """Names of the arrays in an .npz file; see `read_npz`."""
    path = Path(path)
    with open_regular(path) as file:
        return _guarded(path, lambda: list(_members(file, path)))


def _guarded(where: object, read):
    try:
        return read()
    except UserError:
        raise
    except Exception as error:  # hostile headers can raise any exception in NumPy and zipfile
        reason = (str(error) or type(error).__name__)[:200]
        raise UserError(f"{where} is damaged or not a NumPy file of plain numbers ({reason}).") from error


def _read_array(file: BinaryIO, size: int, max_bytes: int, mapped_path: Path | None) -> np.ndarray:
    """One array in .npy format from a file of `size` bytes."""
    start = file.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:] not in (b"\x01\x00", b"\x02\x00"):
        raise ValueError("it does not begin as .npy files do")
    form = struct.Struct("<H" if start[6] == 1 else "<I")
    (length,) = form.unpack(file.read(form.size))
    if length > MAX_HEADER_BYTES:
        raise ValueError(f"a header of {length:,} bytes")
    dtype, order, shape = _parse_header(file.read(length).decode("latin1"))
    offset = 8 + form.size + length
    num_bytes = math.prod(shape) * dtype.itemsize
    if num_bytes > size - offset:
        raise ValueError(f"{num_bytes:,} bytes are stated in its header, {max(size - offset, 0):,} are there")
    if mapped_path is not None:
        return np.memmap(mapped_path, dtype, "r", offset, shape, order) if num_bytes else np.empty(shape, dtype)
    if num_bytes > max_bytes:
        raise ValueError(f"{num_bytes:,} bytes are stated in its header; at most {max_bytes:,} are read")
    content = bytearray(num_bytes)
    if file.readinto(content) != num_bytes:
        raise ValueError("it ends too early")
    return np.frombuffer(content, dtype).reshape(shape, order=order) if num_bytes else np.empty(shape, dtype)


def _parse_header(text: str) -> tuple[np.dtype, Literal["C", "F"], tuple[int, ...]]:
    """Type, order and shape from a header, parsed without evaluating it."""
    found = _HEADER.fullmatch(text)
    if found is None:
        raise ValueError("its header does not describe an array of plain numbers")
    shape = tuple(int(side.rstrip("L")) for side in found["shape"].replace(",", " ").split())
    if len(shape) > 32 or any(side >= 2**40 for side in shape):
        raise ValueError(f"an impossible shape {str(shape)[:80]}")
    return np.dtype(found["dtype"]), "F" if found["order"] == "True" else "C", shape


def _read_members(file: BinaryIO, path: Path, names: Collection[str] | None, max_bytes: int) -> dict[str, np.ndarray]:
    members = _members(file, path)
    missing = [name for name in names or () if name not in members]
    if missing:
        raise UserError(f"{path} must contain an array named {missing[0]!r}. Found: {', '.join(list(members)[:20])[:500] or 'none'}")
    chosen = {name: info for name, info in members.items() if names is None or name in names}
    total = sum(info.file_size for info in chosen.values())
    if total > max_bytes:
        raise UserError(f"{path} states {total:,} bytes of arrays; at most {max_bytes:,} are read.")
    arrays = {}
    with zipfile.ZipFile(file) as archive:
        for name, info in chosen.items():
            with archive.open(info) as member:
                arrays[name] = _read_array(member, info.file_size, max_bytes, None)
    return arrays


def _members(file: BinaryIO, path: Path) -> dict[str, zipfile.ZipInfo]:
    """Entries of an archive's directory, by the name of the array."""
    _check_directory(file, path)
    with zipfile.ZipFile(file) as archive:
        return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}


def _check_directory(file: BinaryIO, path: Path) -> None:
    """Refuses a directory of millions of members."""
    num_bytes = directory_bytes(file)
    if num_bytes is None:
        raise UserError(f"{path} is not an .npz file of NumPy arrays.")
    if num_bytes > MAX_DIRECTORY_BYTES:
        raise UserError(f"{path} lists too many arrays: its directory has more than {MAX_DIRECTORY_BYTES:,} bytes.")
