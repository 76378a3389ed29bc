"""NumPy arrays, scalars and dtypes out of the calls that a pickle makes for them, sizes checked first."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stylegan_tf.safe_pickle.values import DTYPES, KeyChecker

MAX_DIMENSIONS = 32


class PendingDtype:
    """A dtype whose byte order follows in the pickle's next state (the pickle refers to one object for both)."""

    def __init__(self, name: Any, align: Any = False, copy: Any = True):
        if isinstance(name, bytes):
            name = name.decode("ascii")
        if not isinstance(name, str) or name.lstrip("<>=|") not in DTYPES:
            raise ValueError(f"array type {str(name)[:40]!r} is not a plain number")
        self.value = np.dtype(name)

    def set_state(self, state: tuple) -> None:
        """Takes the tuple (version, byte order, subdtype, names, fields, ...) that NumPy writes."""
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "=", "|") or any(part is not None for part in state[2:5]):
            raise ValueError("an array type with fields")
        self.value = self.value.newbyteorder(order)


class PendingArray:
    """An array without content yet; shape, type and bytes follow in the pickle's next state."""

    def __init__(self, kind: Any = None, shape: Any = (0,), typecode: Any = b"b"):
        if kind is not array_type:
            raise ValueError("an array of a subclass")
        self.value: np.ndarray | None = None

    def set_state(self, state: tuple) -> None:
        """Takes the tuple (version, shape, dtype, is Fortran order, bytes) that NumPy writes."""
        shape, dtype, is_fortran, content = state[-4:]
        self.value = build_array(content, dtype, shape, "F" if is_fortran else "C")


def array_type(*args: Any) -> None:
    """The name numpy.ndarray itself, which is never called."""
    raise ValueError("a direct call of numpy.ndarray")


def build_array(content: Any, dtype: Any, shape: Any, order: str = "C", axis_order: Any = None) -> np.ndarray:
    """An array over `content` without a copy (read-only over bytes, writable over a bytearray).

    Raises:
        ValueError: the shape and the number of bytes do not belong together.
    """
    if isinstance(content, str):  # Python 2 wrote bytes as str
        content = content.encode("latin1")
    if not isinstance(content, bytes | bytearray) or not isinstance(dtype, np.dtype):
        raise ValueError("an array without bytes or type")
    if type(shape) is not tuple or len(shape) > MAX_DIMENSIONS or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        raise ValueError("an array with an impossible shape")
    size = 1
    for length in shape:
        size *= length
    if size * dtype.itemsize != len(content):
        raise ValueError(f"an array of shape {shape} and type {dtype} with {len(content)} bytes")
    array = np.frombuffer(content, dtype=dtype)
    if order == "K" and axis_order is not None:
        return array.reshape(shape).transpose(axis_order)
    return array.reshape(shape, order="F" if order == "F" else "C")


def build_scalar(dtype: Any, content: Any) -> np.generic:
    """One NumPy number."""
    return build_array(content, dtype, ())[()]


def encode_text(text: Any, encoding: Any) -> bytes:
    """Bytes, the way protocol 2 writes them: as text whose code points are the bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("a call of _codecs.encode that does not make bytes")
    return text.encode("latin1")


def make_set(items: Any = (), kind: type = set) -> set | frozenset:
    """A set of a list, the way protocols 2 and 3 write it."""
    if type(items) not in (list, tuple):
        raise ValueError("a set of something that is not a list")
    keys = KeyChecker()
    for item in items:
        keys.check(item)
    return kind(items)


def data_names() -> dict[tuple[str, str], Callable]:
    """(module, name) -> function, for every name that pickled data needs, in NumPy's old and new module paths."""
    names: dict[tuple[str, str], Callable] = {
        ("numpy", "dtype"): PendingDtype,
        ("numpy", "ndarray"): array_type,
        ("_codecs", "encode"): encode_text,
    }
    for module in ("builtins", "__builtin__"):
        names[module, "bytes"] = lambda: b""
        names[module, "set"] = lambda items=(): make_set(items)
        names[module, "frozenset"] = lambda items=(): make_set(items, frozenset)
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray", "_reconstruct"] = PendingArray
        names[f"{core}.multiarray", "scalar"] = build_scalar
        names[f"{core}.numeric", "_frombuffer"] = build_array
    return names
