"""Reads the arrays of PyTorch files (.pt, .pth: zip, legacy, TorchScript) without PyTorch and without running what is inside."""

import os
import stat
import struct
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.safe_pickle import Record, read_next
from stylegan_tf.safe_pickle.values import check_key
from stylegan_tf.zip_directory import MAX_DIRECTORY_BYTES, directory_bytes

MAX_PICKLE_BYTES = 16 << 20  # the program part of a weights file is small: Inception's is 28 kB
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_MAX_DIMENSIONS = 32
_DTYPES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip


def read_torch_file(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Arrays of a PyTorch file by name ("layers.0.weight"), in the order in which the file lists them.

    Only tensors, numbers, strings and containers are read. TorchScript modules become containers of their attributes;
    their code is ignored. Names of other classes or functions in the file are refused. Arrays are read-only and
    stay on disk until they are used, so that only used arrays need memory.

    Raises:
        MissingFileError: no such file.
        UserError: not a PyTorch file, damaged, larger than expected, or it holds more than data.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"{path} does not exist. Expected a PyTorch weights file (.pt or .pth).")
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise UserError(f"{path} is not a file.")
    storages: dict[str, Storage] = {}
    try:
        tree = _read_zip(path, storages) if _is_zip(path) else _read_legacy(path, storages)
        return arrays_of(tree, storages)
    except UserError:
        raise
    except Exception as error:  # hostile bytes can fail in any way and must give a message
        reason = f"{type(error).__name__}: {error}"[:200]
        raise UserError(f"{path} cannot be read as a PyTorch weights file ({reason}).") from error


class Storage:
    """A flat array of a file; its position may be known only after the tensors that refer to it."""

    def __init__(self, dtype: str, size: int):
        self.dtype, self.size = np.dtype(dtype), size
        self.flat: np.ndarray | None = None

    @property
    def num_bytes(self) -> int:
        """Of all numbers."""
        return self.size * self.dtype.itemsize

    def map(self, path: Path, start: int) -> None:
        """Maps the numbers of a file from byte `start` on; they are not read."""
        if start + self.num_bytes > path.stat().st_size:
            raise UserError(f"{path} is incomplete: a storage of {self.size} numbers ends after it.")
        self.flat = np.memmap(path, self.dtype, "r", start, (self.size,)) if self.size else np.empty(0, self.dtype)


class TorchNames(Mapping):
    """(module, name) -> its replacement: containers, tensors, storages, and any class of a TorchScript archive."""

    def __getitem__(self, key: tuple[str, str]):
        module, name = key
        if module == "torch" and name in _DTYPES:
            return _StorageType(_DTYPES[name])
        if module.split(".")[0] == "__torch__":
            return _make_module
        return _NAMES[key]

    def __iter__(self) -> Iterator:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


class _StorageType:
    """Placeholder of torch.FloatStorage and similar types, which is never called."""

    def __init__(self, dtype: str):
        self.dtype = dtype

    def __call__(self, *_):
        raise ValueError("a storage without numbers")


def storage_of(facts: tuple, storages: dict[str, Storage]) -> Record:
    """The record of ("storage", type, key, place, size, ...), entered into `storages` by its key."""
    tag, kind, key, _, size, *_ = facts
    if tag != "storage" or not isinstance(kind, _StorageType) or type(key) not in (str, int) or type(size) is not int or size < 0:
        raise UserError("It holds numbers of an unknown form; nothing in it was run.")
    known = storages.setdefault(str(key), Storage(kind.dtype, size))
    if known.size != size or known.dtype != np.dtype(kind.dtype):
        raise ValueError("two sizes for the same numbers")
    return Record("storage", (str(key), size))


def _make_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> Record:
    """Position and shape of a tensor in its storage, checked before memory is used."""
    if type(storage) is not Record or storage.name != "storage" or type(shape) not in (tuple, list) or type(stride) not in (tuple, list):
        raise ValueError("a tensor without a storage or a shape")
    numbers = (offset, *shape, *stride)
    if any(type(number) is not int or not 0 <= number < 2**48 for number in numbers):
        raise ValueError("a tensor with an impossible shape, stride or offset")
    if len(shape) != len(stride) or len(shape) > _MAX_DIMENSIONS:
        raise ValueError("a tensor whose stride does not fit its shape")
    key, size = storage.args
    last = offset + sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
    if 0 not in shape and last >= size:
        raise ValueError("a tensor reaches beyond its storage")
    if int(np.prod(shape, dtype=object)) > max(size, 1):  # strides of 0 could make a small file large
        raise ValueError("a tensor is larger than its storage")
    return Record("tensor", (key, offset, tuple(shape), tuple(stride)))


def _make_module(*_: Any) -> Record:
    return Record("module")


def _make_dict(pairs: Any = ()) -> dict:
    for key, _ in pairs:  # as Python 2 pickles them
        check_key(key)
    return dict(pairs)


def _make_parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _make_list(items: Any = ()) -> list:
    return list(items)


_NAMES = {
    ("collections", "OrderedDict"): _make_dict,
    ("torch._utils", "_rebuild_tensor"): _make_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _make_tensor,
    ("torch._utils", "_rebuild_parameter"): _make_parameter,
    ("torch.nn.parameter", "Parameter"): _make_parameter,
    ("torch", "Size"): tuple,
    **{("torch.jit._pickle", f"build_{kind}list"): _make_list for kind in ("int", "double", "bool", "tensor")},
}


def arrays_of(node: Any, storages: Mapping[str, Storage], name: str = "") -> dict[str, np.ndarray]:
    """The tensors under a node of nested containers and modules, by name."""
    if type(node) is Record and node.name == "tensor":
        return {name: _array(storages[node.args[0]], *node.args[1:])}
    children = node.state if type(node) is Record and node.name == "module" else node
    if isinstance(children, list | tuple):
        children = dict(enumerate(children))
    arrays: dict[str, np.ndarray] = {}
    if isinstance(children, dict):
        for key, child in children.items():
            arrays |= arrays_of(child, storages, f"{name}.{key}" if name else str(key))
    return arrays


def _array(storage: Storage, offset: int, shape: tuple, stride: tuple) -> np.ndarray:
    """A view of the storage."""
    if storage.flat is None:
        raise ValueError("a tensor whose numbers are not in the file")
    if 0 in shape:
        return np.empty(shape, storage.dtype)
    steps = [step * storage.dtype.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage.flat[offset:], shape, steps, writeable=False).view(np.ndarray)


def _is_zip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"


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
        tree = _interpret(BytesIO(program), path, len(program), storages)
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
    if header[:4] != b"PK\x03\x04":
        raise ValueError("a member without a header")
    return entry.header_offset + 30 + sum(struct.unpack("<2H", header[26:30]))


def _read_legacy(path: Path, storages: dict[str, Storage]) -> Any:
    """The object of a file written before PyTorch 1.6: four pickles, a list of keys, then the raw numbers."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        if file.read(1) != b"\x80":
            raise UserError(f"{path} is not a PyTorch file.")
        file.seek(0)
        if _interpret(file, path, size, storages) != _LEGACY_MAGIC:
            raise UserError(f"{path} is not a PyTorch file.")
        _interpret(file, path, size, storages)  # protocol version
        _interpret(file, path, size, storages)  # sizes of C types where it was written
        tree = _interpret(file, path, size, storages)
        for key in _interpret(file, path, size, storages):
            storage = storages[str(key)]
            count = int.from_bytes(file.read(8), "little")
            if count != storage.size:
                raise UserError(f"{path}: storage {str(key)[:40]} has {count} numbers, expected {storage.size}.")
            storage.map(path, file.tell())
            file.seek(storage.num_bytes, os.SEEK_CUR)
    return tree


def _interpret(file, path: Path, size: int, storages: dict[str, Storage]) -> Any:
    """One pickle. Storages that it names are added to `storages`."""

    def persistent(*facts: Any) -> Record:
        return storage_of(facts, storages)

    allowed: Mapping = TorchNames()
    return read_next(file, path, size, allowed=allowed, persistent=persistent)
