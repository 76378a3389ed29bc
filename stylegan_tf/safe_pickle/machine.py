"""Python's reader of pickles, limited to the opcodes of data; every name, call and size is checked before it is used."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.safe_pickle import arrays
from stylegan_tf.safe_pickle.values import KeyChecker, Record, check_value

_FREE_BYTES = 16 << 20  # to which any file may expand, beyond four times its size
MAX_OPCODES = 2_000_000  # one byte of a file can cost at most an empty set of 216 bytes: 0.4 GB in all
_MAX_LINE = 300  # bytes of the name of a module or a class
_MAX_MARKS = 1000

# Not among them: objects of other classes, references to other buffers, and the text forms of protocols 0 and 1.
_DATA = (
    *("PROTO", "FRAME", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINSTRING", "BINSTRING", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
    *("BYTEARRAY8", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_SET", "ADDITEMS", "FROZENSET"),
    *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "BINGET", "LONG_BINGET", "BINPUT", "LONG_BINPUT", "MEMOIZE"),
    *("GLOBAL", "STACK_GLOBAL", "REDUCE", "NEWOBJ", "BUILD", "BINPERSID"),
)


class _Global:
    """A name in the file, with the function that replaces it."""

    def __init__(self, call: Callable):
        self.call = call


class _Opcodes(dict):
    """The methods of opcodes, by their code."""

    def __missing__(self, code: int) -> Callable:
        raise ValueError(f"opcode {bytes([code])!r} is not part of data")


class _Reader:
    """The bytes of the pickle; lengths are checked before anything is allocated."""

    def __init__(self, file: BinaryIO, size: int):
        self.file, self.size = file, size
        self._num_single = 0  # single bytes that were read: at least the number of opcodes

    def read(self, length: int) -> bytes:
        """The next `length` bytes."""
        self._num_single += length == 1
        if self._num_single > MAX_OPCODES:
            raise ValueError(f"more than {MAX_OPCODES:,} values")
        self.check(length)
        return self.file.read(length)

    def readline(self) -> bytes:
        """The bytes up to a line end."""
        line = self.file.readline(_MAX_LINE)
        if not line.endswith(b"\n"):
            raise ValueError("a name without an end")
        return line

    def check(self, length: int) -> None:
        """Raises ValueError if the file ends before `length` more bytes."""
        if length > self.size - self.file.tell():
            raise ValueError("it ends too early" if length <= 8 else f"{length:,} bytes are declared, more than the file holds")


class Machine(pickle._Unpickler):
    """The reader of the pickle format in Python, without the opcodes that data does not need.

    The reader in C cannot be limited in this way: it allocates what a file declares.

    Args:
        file, path, size: where it reads.
        names: (module, name) -> the function that replaces it.
        encoding: of the byte strings of Python 2.
        persistent: gives the `Record` for what lies outside of the pickle, from its tuple of facts; None: nothing does.
    """

    dispatch = _Opcodes()

    def __init__(self, file: BinaryIO, path: Path, size: int, names: Mapping, encoding: str, persistent: Callable | None = None):
        self.source = _Reader(file, size)
        super().__init__(self.source, encoding=encoding)
        self.path, self.names, self.persistent = path, names, persistent
        self.keys = KeyChecker()
        self.copy_budget = 4 * size + 4096  # bytes that calls inside the file may copy

    def run(self) -> Any:
        """Interprets the file up to its STOP.

        Returns:
            The value, checked to be data.

        Raises:
            UserError: the file refers to a name that is not in the table.
            ValueError, LookupError, TypeError, ArithmeticError, AttributeError, BufferError, UnpicklingError: the file is damaged.
        """
        value = self.load()
        check_value(value, records=True, max_bytes=4 * self.source.size + _FREE_BYTES)
        return value

    def find_class(self, module: str, name: str) -> _Global:
        """Finds a name in the table: the only way from a file to a function."""
        call = self.names.get((module, name))
        if call is None:
            shown = f"{module}.{name}"[:100]
            raise UserError(f"{self.path} is not a data-only file: it refers to {shown!r}. No code in it was run.")
        return _Global(call)

    def persistent_load(self, pid: object) -> Record:
        """What lies outside of the pickle."""
        if self.persistent is None or type(pid) is not tuple:
            raise ValueError("it refers to something outside of itself")
        return self.persistent(*(item.call if type(item) is _Global else item for item in pid))

    def _decode_string(self, value: bytes) -> str | bytes:
        """A str of Python 2; bytes where it is not one."""
        return value if self.encoding == "ASCII" and not value.isascii() else super()._decode_string(value)

    def _charge(self, length: int) -> None:
        """Counts what calls copy: the same bytes could be copied again and again."""
        self.copy_budget -= length
        if self.copy_budget < 0:
            raise ValueError("it expands to far more than its size")

    def load_proto(self) -> None:
        version = self.read(1)[0]
        if not 2 <= version <= 5:
            raise ValueError(f"pickle protocol {version}; 2 to 5 are read")

    def load_frame(self) -> None:
        self.source.check(int.from_bytes(self.read(8), "little"))  # not read at once: an array can fill a frame

    def load_stop(self) -> None:
        if self.metastack or len(self.stack) != 1:
            raise ValueError("it does not end with one value")
        super().load_stop()

    def load_mark(self) -> None:
        if len(self.metastack) >= _MAX_MARKS:
            raise ValueError("nested too deep")
        super().load_mark()

    def load_bytearray8(self) -> None:
        length = int.from_bytes(self.read(8), "little")
        self.source.check(length)
        content = bytearray(length)
        self.source.file.readinto(content)  # without a copy: most arrays are stored in this form
        self.append(content)

    def load_frozenset(self) -> None:
        items = self.pop_mark()  # it changes `append`
        self.append(arrays.make_set(items, frozenset))

    def load_setitem(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def load_setitems(self) -> None:
        self._set_items(self.pop_mark())

    def _set_items(self, items: list) -> None:
        target = self._top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.keys.check(key)
            target[key] = value

    def load_additems(self) -> None:
        items = self.pop_mark()
        for item in items:
            self.keys.check(item)
        self._top(set).update(items)

    def _top(self, kind: type) -> Any:
        """The container at the top of the stack."""
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"{type(self.stack[-1]).__name__} where a {kind.__name__} belongs")
        return self.stack[-1]

    def load_reduce(self) -> None:
        args, target = self.stack.pop(), self.stack.pop()
        if type(target) is not _Global or type(args) is not tuple:
            raise ValueError("a call of something that is not a name")
        self._charge(sum(len(item) for item in args if isinstance(item, str | list | tuple)))
        result = target.call(*(item.call if type(item) is _Global else item for item in args))
        if isinstance(result, np.ndarray) and not result.dtype.isnative:
            self._charge(result.nbytes)
            result = result.astype(result.dtype.newbyteorder("="))
        self.append(result)

    def load_newobj(self) -> None:
        self.load_reduce()

    def load_build(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if type(target) is Record:
            target.state = state
        elif isinstance(target, np.dtype | np.ndarray) and type(state) is tuple:
            self._charge(len(state[-1]) if isinstance(state[-1], str | bytes) else 0)
            arrays.set_state(target, state)
        elif type(target) is not dict or not self.persistent:  # PyTorch sets version numbers on its dictionaries
            raise ValueError(f"a state for a {type(target).__name__}")


# Python's table refers to its own methods.
Machine.dispatch.update(
    {code: getattr(Machine, pickle._Unpickler.dispatch[code].__name__) for code in (getattr(pickle, name)[0] for name in _DATA)}
)
