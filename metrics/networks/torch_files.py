"""Reads the arrays of PyTorch files (.pt, .pth: zip, legacy, TorchScript) without PyTorch and without running what is inside."""

import os
import struct
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf import torch_tensors
from stylegan_tf.errors import UserError
from stylegan_tf.files import MAX_DIRECTORY_BYTES, directory_bytes, open_regular
from stylegan_tf.torch_tensors import Storage, arrays_of

_ZIP_MAGIC = b"PK\x03\x04"
MAX_PICKLE_BYTES = 16 << 20  # the program part of a weights file is small: Inception's is 28 kB


def read_torch_file(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Arrays of a PyTorch file by name ("layers.0.weight"), in the order in which the file lists them.

    Only tensors, numbers, strings and containers are read. TorchScript modules become containers of their attributes;
    their code is ignored. Names of other classes or functions in the file are refused. Arrays are read-only and
    remain on disk until they are used, so that only used arrays need memory.

    Raises:
        MissingFileError: no such file.
        UserError: not a PyTorch file, damaged, larger than expected, or it holds more than data.
    """
    path = Path(path)
    storages: dict[str, Storage] = {}
    try:
        with open_regular(path) as file:
            if file.read(4) == _ZIP_MAGIC:
                tree = _read_zip(path, storages)
            else:  # written before PyTorch 1.6
                file.seek(0)
                size = path.stat().st_size
                tree = torch_tensors.read_legacy(file, path, size, storages, place=lambda storage: storage.map(path, file.tell()))
        return arrays_of(tree, storages)
    except UserError:
        raise
    except Exception as error:  # hostile bytes can fail in any way and must give a message
        reason = f"{type(error).__name__}: {error}"[:200]
        raise UserError(f"{path} cannot be read as a PyTorch weights file ({reason}).") from error


def _read_zip(path: Path, storages: dict[str, Storage]) -> Any:
    """The object in data.pkl of a zip archive, storages mapped from its data/ folder."""
    with open(path, "rb") as file:
        num_bytes = directory_bytes(file)
    if num_bytes is None or num_bytes > MAX_DIRECTORY_BYTES:
        raise UserError(f"{path} is incomplete, or lists more files than PyTorch writes.")
    with zipfile.ZipFile(path) as archive:
        programs = [name for name in archive.namelist() if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(programs) != 1:
            raise UserError(f"{path} is a zip archive without a PyTorch data.pkl.")
        if archive.getinfo(programs[0]).file_size > MAX_PICKLE_BYTES:
            raise UserError(f"{path}: data.pkl is larger than {MAX_PICKLE_BYTES >> 20} MiB.")
        program = archive.read(programs[0])
        tree = torch_tensors.read_object(BytesIO(program), path, len(program), storages)
        folder = programs[0].rsplit("/", 1)[0]
        for key, storage in storages.items():
            entry = archive.getinfo(f"{folder}/data/{key}")
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:  # PyTorch stores them uncompressed
                raise UserError(f"{path}: storage {key[:40]} is compressed.")
            if entry.file_size < storage.num_bytes:
                raise UserError(f"{path}: storage {key[:40]} has {entry.file_size} bytes, not those of {storage.size} numbers.")
            storage.map(path, _start_of(path, entry))
    return tree


def _start_of(path: Path, entry: zipfile.ZipInfo) -> int:
    """Start of the bytes of a member: after its own header, whose length is not in the directory."""
    with open(path, "rb") as file:
        file.seek(entry.header_offset)
        header = file.read(30)
    if header[:4] != _ZIP_MAGIC:
        raise ValueError("a member without a header")
    return entry.header_offset + 30 + sum(struct.unpack("<2H", header[26:30]))
