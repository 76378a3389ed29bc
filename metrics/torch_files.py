"""Reads the arrays of PyTorch files (.pt, .pth: zip, legacy, TorchScript) without PyTorch and without running what is inside."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

from stylegan_tf.errors import MissingFileError, UserError

MAX_PICKLE_BYTES = 16 << 20  # the program part of a weights file is small: Inception's is 28 kB
MAX_ARRAY_BYTES = 4 << 30
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


def read_torch_file(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Arrays of a PyTorch file by name ("layers.0.weight"), in the order in which the file lists them.

    Only tensors, numbers, strings and containers are read. TorchScript modules become containers of their attributes;
    their code is not looked at. Names of other classes or functions in the file are refused.

    Raises:
        MissingFileError: no such file.
        UserError: not a PyTorch file, damaged, larger than expected, or it holds more than data.
    """
    path = Path(path)
    if not path.is_file():
        raise MissingFileError(f"{path} does not exist. Expected a PyTorch weights file (.pt or .pth).")
    try:
        tree = _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)
        arrays: dict[str, np.ndarray] = {}
        _flatten(tree, "", arrays, depth=0)
        return arrays
    except UserError:
        raise
    except Exception as error:  # hostile bytes can fail in any way: they must end in a message
        raise UserError(f"{path} cannot be read as a PyTorch weights file ({type(error).__name__}: {error}).") from error


class _Sealed:
    """What a pickle may make but not change afterwards: no state is taken, so checks made at the start hold."""

    def __setstate__(self, state):
        raise UserError(f"it tries to change a finished {type(self).__name__.lstrip('_')}")


class _StorageType(_Sealed):
    """Stands for torch.FloatStorage and its kin: only the kind of number counts."""

    def __init__(self, name: str):
        self.dtype = np.dtype(_DTYPES[name]).newbyteorder("<")


class _Module:
    """Stands for a TorchScript module: takes its attributes, runs nothing."""

    def __new__(cls, *_):
        return object.__new__(cls)

    def __setstate__(self, state):
        if not isinstance(state, dict):
            raise UserError(f"a module's state must be a dictionary. Received: {type(state).__name__}")
        self.attributes = state


class _Storage(_Sealed):
    """A flat array that may arrive after the tensors that look into it (legacy files)."""

    def __init__(self, dtype: np.dtype, size: int):
        self.dtype, self.size, self.flat = dtype, size, None


class _Tensor(_Sealed):
    """Where a tensor lies in its storage, checked before anything is laid out."""

    def __init__(self, storage: _Storage, offset: int, shape: tuple, stride: tuple):
        if not isinstance(storage, _Storage) or len(shape) != len(stride):
            raise UserError("a tensor without a storage, or with a stride that does not fit its shape")
        numbers = (offset, *shape, *stride)
        if any(not isinstance(number, int) or number < 0 for number in numbers):
            raise UserError(f"a tensor with an impossible shape {shape}, stride {stride} or offset {offset}")
        last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
        if 0 not in shape and last >= storage.size:
            raise UserError("a tensor reaches beyond its storage")
        self.storage, self.offset, self.shape, self.stride = storage, offset, shape, stride

    def array(self) -> np.ndarray:
        """The tensor as an array of its own."""
        count = int(np.prod(self.shape, dtype=np.int64))
        if count > max(self.storage.size, 1):  # strides of 0 could make a small file large
            raise UserError("a tensor is larger than its storage")
        flat = self.storage.flat[self.offset :]
        strides = [step * flat.itemsize for step in self.stride]
        return np.array(np.lib.stride_tricks.as_strided(flat, self.shape, strides)) if count else np.empty(self.shape, flat.dtype)


def _rebuild_tensor(storage, offset, shape, stride, *_):
    return _Tensor(storage, offset, tuple(shape), tuple(stride))


def _rebuild_parameter(tensor, *_):
    return tensor


_ALLOWED = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch.jit._pickle", f"build_{kind}list"): list for kind in ("int", "double", "bool", "tensor")},
}


class _Reader(pickle.Unpickler):
    """An unpickler that knows tensors and containers, and no other name."""

    def __init__(self, file, storages: dict):
        super().__init__(file)
        self.storages = storages

    def find_class(self, module: str, name: str):
        if (module, name) in _ALLOWED:
            return _ALLOWED[module, name]
        if module == "torch" and name in _DTYPES:
            return _StorageType(name)
        if module.split(".")[0] == "__torch__":
            return _Module
        raise UserError(f"it holds {module}.{name}, which is not data; nothing of it was run")

    def persistent_load(self, identity):
        tag, kind, key, _, size, *_ = identity
        if tag != "storage" or not isinstance(kind, _StorageType) or not isinstance(size, int) or size < 0:
            raise UserError(f"a storage with an unknown form: {identity!r}")
        if size * kind.dtype.itemsize > MAX_ARRAY_BYTES:
            raise UserError(f"a storage of {size} numbers is larger than {MAX_ARRAY_BYTES >> 30} GiB")
        return self.storages.setdefault(str(key), _Storage(kind.dtype, size))


def _read_zip(path: Path):
    """The object in data.pkl of a zip archive, storages filled from its data/ folder."""
    with zipfile.ZipFile(path) as archive:
        programs = [name for name in archive.namelist() if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(programs) != 1:
            raise UserError(f"{path} is a zip archive without a PyTorch data.pkl.")
        if archive.getinfo(programs[0]).file_size > MAX_PICKLE_BYTES:
            raise UserError(f"{path}: data.pkl is larger than {MAX_PICKLE_BYTES >> 20} MiB.")
        storages: dict[str, _Storage] = {}
        tree = _Reader(io.BytesIO(archive.read(programs[0])), storages).load()
        folder = programs[0].rsplit("/", 1)[0]
        for key, storage in storages.items():
            entry = archive.getinfo(f"{folder}/data/{key}")
            if entry.file_size < storage.size * storage.dtype.itemsize or entry.file_size > MAX_ARRAY_BYTES:
                raise UserError(f"{path}: storage {key} has {entry.file_size} bytes, not those of {storage.size} numbers.")
            storage.flat = np.frombuffer(archive.read(entry), storage.dtype, storage.size)
    return tree


def _read_legacy(path: Path):
    """The object of a file written before PyTorch 1.6: four pickles, a list of keys, then the raw numbers."""
    storages: dict[str, _Storage] = {}
    with open(path, "rb") as file:
        if file.read(2)[:1] != b"\x80":
            raise UserError(f"{path} is not a PyTorch file.")
        file.seek(0)
        if _Reader(file, storages).load() != _LEGACY_MAGIC:
            raise UserError(f"{path} is not a PyTorch file.")
        _Reader(file, storages).load()  # protocol version
        _Reader(file, storages).load()  # sizes of C types where it was written
        tree = _Reader(file, storages).load()
        for key in _Reader(file, storages).load():
            storage = storages[str(key)]
            size = int.from_bytes(file.read(8), "little")
            if size != storage.size:
                raise UserError(f"{path}: storage {key} has {size} numbers, expected {storage.size}.")
            content = file.read(size * storage.dtype.itemsize)
            storage.flat = np.frombuffer(content, storage.dtype, size)
    return tree


def _flatten(node, name: str, arrays: dict[str, np.ndarray], depth: int) -> None:
    """Collects the tensors under a node of nested containers and modules."""
    if depth > 64:
        raise UserError("containers are nested too deeply")
    if isinstance(node, _Tensor):
        arrays[name] = node.array()
        return
    children = node.attributes if isinstance(node, _Module) else node
    if isinstance(children, list | tuple):
        children = dict(enumerate(children))
    if isinstance(children, dict):
        for key, child in children.items():
            _flatten(child, f"{name}.{key}" if name else str(key), arrays, depth + 1)
