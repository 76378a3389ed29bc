"""NumPy arrays, scalars and dtypes out of the calls that a pickle makes for them, sizes checked first."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stylegan_tf.safe_pickle.values import DTYPES, KeyChecker

MAX_DIMENSIONS = 32


def make_dtype(name: Any, align: Any = False, copy: Any = True) -> np.dtype:
    """A type of its own, whose byte order can be set by `set_state`."""
    if isinstance(name, bytes):
        name = name.decode("ascii")
    if not isinstance(name, str) or name.lstrip("<>=|") not in DTYPES:
        raise ValueError(f"array type {str(name)[:40]!r} is not a plain number")
    return np.dtype(name, copy=True)


def make_array(kind: Any = None, shape: Any = (0,), typecode: Any = b"b") -> np.ndarray:
    """An array of objects without content, which is not data until `set_state` makes it an array of numbers."""
    if kind is not array_type:
        raise ValueError("an array of a subclass")
    return np.empty(0, object)


def set_state(target: np.dtype | np.ndarray, state: tuple) -> None:
    """Sets the byte order of a type from (version, byte order, subdtype, names, fields, ...), or the content of an array.

    That of an array is (version, shape, dtype, is Fortran order, bytes). Arrays of the other byte order become native.
    """
    if isinstance(target, np.dtype):
        order = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "=", "|") or any(part is not None for part in state[2:5]):
            raise ValueError("an array type with fields")
        target.__setstate__((3, order, None, None, None, -1, -1, 0))
        return
    shape, dtype, is_fortran, content = state[-4:]
    if target.dtype != object:
        raise ValueError("two states for an array")
    target.__setstate__((1, shape, dtype, bool(is_fortran), bytes(_checked_content(content, dtype, shape))))
    target.flags.writeable = False


def array_type(*args: Any) -> None:
    """The name numpy.ndarray itself, which is never called."""
    raise ValueError("a direct call of numpy.ndarray")


def build_array(content: Any, dtype: Any, shape: Any, order: str = "C", axis_order: Any = None) -> np.ndarray:
    """An array over `content` without a copy (read-only over bytes, writable over a bytearray).

    Raises:
        ValueError: the shape and the number of bytes do not belong together.
    """
    array = np.frombuffer(_checked_content(content, dtype, shape), dtype=dtype)
    if order == "K" and axis_order is not None:
        return array.reshape(shape).transpose(axis_order)
    return array.reshape(shape, order="F" if order == "F" else "C")


def _checked_content(content: Any, dtype: Any, shape: Any) -> bytes | bytearray:
    """The bytes of an array. Raises ValueError if the shape and their number do not belong together."""
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
    return content


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
        ("numpy", "dtype"): make_dtype,
        ("numpy", "ndarray"): array_type,
        ("_codecs", "encode"): encode_text,
    }
    for module in ("builtins", "__builtin__"):
        names[module, "bytes"] = lambda: b""
        names[module, "set"] = lambda items=(): make_set(items)
        names[module, "frozenset"] = lambda items=(): make_set(items, frozenset)
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray", "_reconstruct"] = make_array
        names[f"{core}.multiarray", "scalar"] = build_scalar
        names[f"{core}.numeric", "_frombuffer"] = build_array
    return names
