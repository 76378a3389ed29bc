"""Tensors of PyTorch as NumPy arrays, out of pickles that are interpreted and never run: names, storages, positions."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.safe_pickle import Record, read_next
from stylegan_tf.safe_pickle.values import check_key

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_MAX_DIMENSIONS = 32
_DTYPES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip


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
            return lambda *_: Record("module")
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
        raise UserError("It contains numbers of an unknown format; no code in it was run.")
    known = storages.setdefault(str(key), Storage(kind.dtype, size))
    if known.size != size or known.dtype != np.dtype(kind.dtype):
        raise ValueError("two sizes for the same numbers")
    return Record("storage", (str(key), size))


def make_tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> Record:
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


def make_dict(pairs: Any = ()) -> dict:
    """A dictionary of pairs whose keys are plain."""
    for key, _ in pairs:  # as Python 2 pickles them
        check_key(key)
    return dict(pairs)


def make_parameter(tensor: Any, *_: Any) -> Any:
    """The tensor of a parameter."""
    return tensor


_NAMES = {
    ("collections", "OrderedDict"): make_dict,
    ("torch._utils", "_rebuild_tensor"): make_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): make_tensor,
    ("torch._utils", "_rebuild_parameter"): make_parameter,
    ("torch.nn.parameter", "Parameter"): make_parameter,
    ("torch", "Size"): tuple,
    **{("torch.jit._pickle", f"build_{kind}list"): list for kind in ("int", "double", "bool", "tensor")},
}


def arrays_of(node: Any, storages: Mapping[str, Storage], name: str = "") -> dict[str, np.ndarray]:
    """The tensors under a node of nested containers and modules, by name."""
    if type(node) is Record and node.name == "tensor":
        return {name: array_of(node, storages)}
    children = node.state if type(node) is Record and node.name == "module" else node
    if isinstance(children, list | tuple):
        children = dict(enumerate(children))
    arrays: dict[str, np.ndarray] = {}
    if isinstance(children, dict):
        for key, child in children.items():
            arrays |= arrays_of(child, storages, f"{name}.{key}" if name else str(key))
    return arrays


def array_of(tensor: Record, storages: Mapping[str, Storage]) -> np.ndarray:
    """A read-only view of the numbers of a tensor's storage."""
    key, offset, shape, stride = tensor.args
    storage = storages[key]
    if storage.flat is None:
        raise ValueError("a tensor whose numbers are not in the file")
    if 0 in shape:
        return np.empty(shape, storage.dtype)
    steps = [step * storage.dtype.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage.flat[offset:], shape, steps, writeable=False).view(np.ndarray)


def read_legacy(file: BinaryIO, path: Path, size: int, storages: dict[str, Storage], *, place: Callable[[Storage], None]) -> Any:
    """The object of `torch.save` in the form before PyTorch 1.6: four pickles, a list of keys, then the raw numbers.

    Args:
        file: at its first byte.
        storages: filled by key.
        place: gives a storage the numbers that begin where the file is; need not move it.

    Raises:
        UserError: not such a file, or incomplete. Damage may raise other errors too.
    """
    if file.read(1) != b"\x80":
        raise UserError(f"{path} is not a PyTorch file.")
    file.seek(-1, os.SEEK_CUR)
    if read_object(file, path, size, storages) != _LEGACY_MAGIC:
        raise UserError(f"{path} is not a PyTorch file.")
    read_object(file, path, size, storages)  # protocol version
    read_object(file, path, size, storages)  # sizes of C types where it was written
    tree = read_object(file, path, size, storages)
    for key in read_object(file, path, size, storages):
        storage = storages[str(key)]
        count = int.from_bytes(file.read(8), "little")
        if count != storage.size:
            raise UserError(f"{path}: storage {str(key)[:40]} has {count} numbers, expected {storage.size}.")
        start = file.tell()
        place(storage)
        file.seek(start + storage.num_bytes)
    return tree


def read_object(file: BinaryIO, path: Path, size: int, storages: dict[str, Storage]) -> Any:
    """One pickle. Storages that it names are added to `storages`."""

    def persistent(*facts: Any) -> Record:
        return storage_of(facts, storages)

    allowed: Mapping = TorchNames()
    return read_next(file, path, size, allowed=allowed, persistent=persistent)
