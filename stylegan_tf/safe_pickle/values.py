"""The types of values that a data-only pickle may contain, and the limits of their depth and number."""

from collections.abc import Iterator
from typing import Any

import numpy as np

MAX_DEPTH = 100
MAX_VALUES = 500_000  # four opcodes each at most: machine.MAX_OPCODES
MAX_INT_BYTES = 1024
_MAX_COLLISIONS = 100  # -1 and -2 have the same hash, so that a few are usual
_MAX_KEY_ITEMS = 64

DTYPES = frozenset(["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"])
_LEAVES = frozenset([type(None), bool, float, str, bytes])
_KEYS = _LEAVES | {int}


class Record:
    """An object of another program as data: the arguments of its constructor, and its state.

    Attributes:
        name: "module.Class".
        args: tuple of the constructor's arguments.
        state: the state the object was pickled with, or None.
    """

    __slots__ = ("args", "name", "state")

    def __init__(self, name: str, args: tuple = ()):
        self.name, self.args, self.state = name, args, None


class NotDataError(ValueError):
    """A value that a data-only pickle must not hold; the message starts with the path of keys to it."""


class KeyChecker:
    """Checks the keys of a file, and counts those that share their hash with another: many of them take minutes to insert."""

    def __init__(self) -> None:
        self._first: dict[int, Any] = {}  # key by hash; the hashes of strings and bytes cannot be foreseen
        self._colliding: set = set()

    def check(self, key: Any) -> None:
        """Raises NotDataError for a key that is not data, ValueError after too many different keys with equal hashes."""
        check_key(key)
        if type(key) in (tuple, int, float) and self._first.setdefault(hash(key), key) != key:
            self._colliding.add(key)
            if len(self._colliding) > _MAX_COLLISIONS:
                raise ValueError(f"more than {_MAX_COLLISIONS} keys share their hashes with others")


def check_key(key: Any) -> None:
    """Raises NotDataError unless `key` is a plain scalar or a flat tuple of them: other keys can take very long to hash."""
    if type(key) is tuple and len(key) > _MAX_KEY_ITEMS:
        raise NotDataError(f"a key of {len(key):,} items")
    for item in key if type(key) is tuple else (key,):
        if type(item) not in _KEYS or (type(item) is int and item.bit_length() > 64):
            raise NotDataError(f"a key of type {type(item).__name__} that is not a plain scalar")


def dtype_name(dtype: np.dtype) -> str:
    """Kind and size without byte order ("f4"), "" for types that are not numbers."""
    name = f"{dtype.kind}{dtype.itemsize}"
    return name if name in DTYPES and dtype.names is None and dtype.subdtype is None else ""


def check_value(value: Any, *, records: bool = False, max_bytes: int | None = None) -> None:
    """Walks through `value` without recursion and raises NotDataError at the first thing that is not data.

    Shared parts are walked once, but counted as often as they appear, so that a small file cannot expand to a
    value that takes very long to print or copy. Loops are refused.

    Args:
        value: anything.
        records: lets `Record` through (files of other programs).
        max_bytes: of all arrays, each counted as often as it appears, and of the texts and bytes beside them; None for any number.
    """
    measured: dict[int, tuple[int, int, int]] = {}  # id of a finished container -> (values it expands to, levels, bytes)
    above: set[int] = set()  # ids of the containers around the current one
    stack: list[tuple[Any, tuple, bool]] = [(value, (), False)]
    while stack:
        node, path, is_finished = stack.pop()
        if id(node) in measured or _is_leaf(node, path):
            continue
        if is_finished:
            above.discard(id(node))
            children = [child for _, child in _children(node, path, records)]
            parts = [measured.get(id(child), (1, 0, _num_bytes(child))) for child in children if not _is_scalar(child)]
            count = 1 + len(node) if type(node) is not Record else 1
            num_bytes = sum(part[2] for part in parts) + sum(_num_bytes(child) for child in children if _is_scalar(child))
            measured[id(node)] = (count + sum(part[0] for part in parts), 1 + max((part[1] for part in parts), default=0), num_bytes)
            if max_bytes is not None and num_bytes > max_bytes:
                raise NotDataError(f"{_shown(path)} expands to {num_bytes:,} bytes; {max_bytes:,} are allowed for a file of this size")
            if measured[id(node)][0] > MAX_VALUES or measured[id(node)][1] > MAX_DEPTH:
                raise NotDataError(f"{_shown(path)} expands to more than {MAX_VALUES:,} values or {MAX_DEPTH} levels")
            continue
        if id(node) in above:
            raise NotDataError(f"{_shown(path)} contains itself")
        if len(above) >= MAX_DEPTH:
            raise NotDataError(f"{_shown(path)} is nested more than {MAX_DEPTH} levels deep")
        above.add(id(node))
        stack.append((node, path, True))
        stack.extend((child, (path, key), False) for key, child in _children(node, path, records) if not _is_scalar(child))


def _num_bytes(leaf: Any) -> int:
    """Bytes that a copy of an array, text or bytes takes; 0 for other leaves."""
    return leaf.nbytes if isinstance(leaf, np.ndarray) else len(leaf) if type(leaf) in (str, bytes) else 0


def _is_scalar(value: Any) -> bool:
    """True for values that need no check."""
    return type(value) in _LEAVES or (type(value) is int and value.bit_length() <= 64)


def _is_leaf(node: Any, path: tuple) -> bool:
    """True for a leaf that is data, NotDataError for an array or integer that is not, False for everything else."""
    if type(node) is int and node.bit_length() >= 8 * MAX_INT_BYTES:
        raise NotDataError(f"{_shown(path)} is an integer of {node.bit_length()} bits")
    if type(node) is np.ndarray or isinstance(node, np.generic):
        if not dtype_name(node.dtype):
            raise NotDataError(f"{_shown(path)} is an array of type {node.dtype}, not of numbers")
        return True
    return type(node) in _KEYS


def _children(node: Any, path: tuple, records: bool) -> Iterator[tuple[Any, Any]]:
    """Labelled parts of a container, in order."""
    kind = type(node)
    if kind is Record and records:
        return iter((("args", node.args), ("state", node.state)))
    if kind in (list, tuple):
        return iter(enumerate(node))
    if kind not in (dict, set, frozenset):
        raise NotDataError(f"{_shown(path)} is of type {kind.__module__}.{kind.__qualname__}")
    for key in node:
        try:
            check_key(key)
        except NotDataError as error:
            raise NotDataError(f"{_shown(path)} has {error}") from None
    return iter(node.items()) if kind is dict else ((key, key) for key in node)


def _shown(path: tuple) -> str:
    """The keys to a value, as Python would write them: value['G']['weights'][3]."""
    keys = []
    while path:
        path, key = path
        keys.append(f"[{key!r}]")
    return "value" + "".join(reversed(keys))
