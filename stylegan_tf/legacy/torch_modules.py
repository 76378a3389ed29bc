"""Reads network pickles of PyTorch's StyleGAN programs as options and arrays; the source text in them is never run.

Such a file is a dictionary with `G`, `D` and `G_ema`. Each module in it is a call of `_reconstruct_persistent_obj` with its class name,
its source text and its state, and each tensor has its numbers in a file of `torch.save` of its own.
"""

import dataclasses
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf import torch_tensors
from stylegan_tf.errors import UserError
from stylegan_tf.legacy.unpickler import make_plain_dict
from stylegan_tf.safe_pickle import Record, read_pickle
from stylegan_tf.torch_tensors import Storage, array_of

NAMES = ("G", "D", "G_ema")
_HEAD_BYTES = 1 << 16  # the first module is within these, after some arguments of the dataset
_MAX_DEPTH = 8  # of modules in modules: a generator has four


@dataclasses.dataclass(frozen=True)
class TorchModule:
    """One module, with those inside it."""

    kind: str  # name of its class, such as "Generator"
    state: dict[str, Any]  # its attributes, those of the modules inside it left out
    modules: dict[str, "TorchModule"]  # the modules inside it by name
    arrays: dict[str, np.ndarray]  # its own parameters and buffers by name, read-only

    def all_arrays(self, prefix: str = "") -> dict[str, np.ndarray]:
        """Arrays of this module and of all inside it by name: "synthesis.b4.conv1.weight"."""
        arrays = {f"{prefix}{name}": array for name, array in self.arrays.items()}
        for name, module in self.modules.items():
            arrays |= module.all_arrays(f"{prefix}{name}.")
        return arrays


def is_torch_pickle(path: str | os.PathLike) -> bool:
    """Whether a path is a regular file whose first bytes are those of a network pickle of PyTorch."""
    if not os.path.isfile(path):  # opening a pipe or a device could wait for ever
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return head[:1] == b"\x80" and b"torch_utils.persistence" in head


def read_modules(path: str | os.PathLike) -> dict[str, TorchModule]:
    """The modules `G`, `D` and `G_ema` of a pickle.

    Raises:
        MissingFileError: there is no such file.
        UserError: not such a pickle, damaged, or of another program.
    """
    path = Path(path)
    embedded = _EmbeddedStorages(path)
    value = read_pickle(path, allowed={**_ALLOWED, ("torch.storage", "_load_from_bytes"): embedded.load}, encoding="latin1")
    if not isinstance(value, dict) or not all(isinstance(value.get(name), Record) for name in NAMES):
        raise UserError(f"{path} does not contain the networks {', '.join(NAMES)}. Found: {type(value).__name__}")
    try:
        return {name: _module(value[name], embedded.storages) for name in NAMES}
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UserError(f"{path} is damaged: {(str(error) or type(error).__name__)[:200]}.") from error


class _EmbeddedStorages:
    """The numbers of tensors that lie in a pickle as files of `torch.save`."""

    def __init__(self, path: Path):
        self.path = path
        self.storages: dict[str, Storage] = {}
        self.budget: int | None = None  # bytes that may be interpreted: the same file could be named again and again

    def load(self, content: Any) -> Record:
        """Stands for `torch.storage._load_from_bytes`: the one storage in such a file."""
        if not isinstance(content, bytes):
            raise ValueError("a storage without bytes")
        self.budget = (2 * self.path.stat().st_size if self.budget is None else self.budget) - len(content)
        if self.budget < 0:
            raise ValueError("its storages are larger than the file")
        found: dict[str, Storage] = {}
        file = BytesIO(content)

        def place(storage: Storage) -> None:
            storage.flat = np.frombuffer(content, storage.dtype, storage.size, file.tell())

        record = torch_tensors.read_legacy(file, self.path, len(content), found, place=place)
        if type(record) is not Record or record.name != "storage":
            raise ValueError("a storage that is something else")
        key, size = record.args
        name = f"{len(self.storages)}"
        self.storages[name] = found[key]
        return Record("storage", (name, size))


def _reconstruct(meta: Any) -> Record:
    """Stands for `torch_utils.persistence._reconstruct_persistent_obj`."""
    if (
        type(meta) is not dict
        or meta.get("type") != "class"
        or type(meta.get("class_name")) is not str
        or type(meta.get("state")) is not dict
    ):
        raise ValueError("a module without a class name or a state")
    record = Record(meta["class_name"])
    record.state = meta["state"]
    return record


_ALLOWED = {
    ("torch_utils.persistence", "_reconstruct_persistent_obj"): _reconstruct,
    ("torch._utils", "_rebuild_tensor_v2"): torch_tensors.make_tensor,
    ("torch._utils", "_rebuild_parameter"): torch_tensors.make_parameter,
    ("collections", "OrderedDict"): torch_tensors.make_dict,
    ("dnnlib.util", "EasyDict"): make_plain_dict,
}


def _module(record: Any, storages: dict[str, Storage], depth: int = 0) -> TorchModule:
    if type(record) is not Record or type(record.state) is not dict or depth > _MAX_DEPTH:
        raise ValueError("a module without a state, or nested too deep")
    state = dict(record.state)
    modules, tensors = {}, {}
    for name, inner in state.pop("_modules", {}).items():
        modules[str(name)] = _module(inner, storages, depth + 1)
    for name, tensor in {**state.pop("_parameters", {}), **state.pop("_buffers", {})}.items():
        if tensor is None:  # a layer without bias
            continue
        if type(tensor) is not Record or tensor.name != "tensor":
            raise ValueError(f"{str(name)[:80]} is not a tensor")
        tensors[str(name)] = array_of(tensor, storages)
    return TorchModule(record.name, state, modules, tensors)
