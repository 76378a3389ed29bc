"""Interprets the opcodes of a data-only pickle; every name and size is checked before it is used."""

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.safe_pickle import arrays
from stylegan_tf.safe_pickle.values import MAX_INT_BYTES, KeyChecker, Record, check_value

_FREE_BYTES = 16 << 20  # to which any file may expand, beyond four times its size
MAX_OPCODES = 2_000_000  # one byte of a file can cost at most an empty set of 216 bytes: 0.4 GB in all


class _Global:
    """A name in the file, with the function that replaces it."""

    def __init__(self, name: str, call: Callable):
        self.name, self.call = name, call


class Machine:
    """The stack machine of the pickle format, without the opcodes that data does not need.

    Args:
        file, path, size: where it reads.
        names: (module, name) -> the function that replaces it.
        encoding: of the byte strings of Python 2.
        persistent: gives the `Record` for what lies outside of the pickle, from its tuple of facts; None: nothing does.
    """

    def __init__(self, file: BinaryIO, path: Path, size: int, names: Mapping, encoding: str, persistent: Callable | None = None):
        self.file, self.path, self.size, self.names, self.encoding = file, path, size, names, encoding
        self.persistent = persistent
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.keys = KeyChecker()
        self.copy_budget = 4 * size + 4096  # bytes that calls inside the file may copy

    def run(self) -> Any:
        """Interprets the file up to its STOP.

        Returns:
            The value, checked to be data.

        Raises:
            UserError: the file refers to a name that is not in the table.
            ValueError, LookupError, TypeError, ArithmeticError, AttributeError: the file is damaged.
        """
        self._interpret()
        (value,) = self.stack
        value = _settled(value)
        check_value(value, records=True, max_bytes=4 * self.size + _FREE_BYTES)
        return value

    def _interpret(self) -> None:
        read, opcodes = self.file.read, _OPCODES
        for _ in range(MAX_OPCODES):
            code = read(1)
            if code == b".":
                if self.marks:
                    raise ValueError("it ends inside a list")
                return
            opcode = opcodes.get(code)
            if opcode is None:
                raise ValueError("it ends too early" if not code else f"opcode {code!r} is not part of data")
            opcode(self)
        raise ValueError(f"more than {MAX_OPCODES:,} values")

    def take(self, length: int) -> bytes:
        """The next `length` bytes, refused before anything is allocated where the file is shorter."""
        self._check_length(length)
        chunk = self.file.read(length)
        if len(chunk) != length:
            raise ValueError("it ends too early")
        return chunk

    def _check_length(self, length: int) -> None:
        if not 0 <= length <= self.size - self.file.tell():
            raise ValueError(f"{length:,} bytes are declared, more than the file holds")

    def push_buffer(self, length: int) -> None:
        """Bytes that an array may write into; read in place."""
        self._check_length(length)
        content = bytearray(length)
        if self.file.readinto(content) != length:
            raise ValueError("it ends too early")
        self.push(content)

    def number(self, form: str) -> Any:
        """One number in `struct` format."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        """A line of ASCII text without its end."""
        text = self.file.readline(300)
        if not text.endswith(b"\n"):
            raise ValueError("a name without an end")
        return text[:-1].decode("ascii")

    def push(self, value: Any) -> None:
        """Puts a value on the stack."""
        self.stack.append(value)

    def pop(self) -> Any:
        """Takes a finished value from the stack."""
        return _settled(self.stack.pop())

    def pop_marked(self) -> list:
        """Takes all finished values above the last mark."""
        items = [_settled(item) for item in self.stack]
        self.stack = self.marks.pop()
        return items

    def top(self, kind: type) -> Any:
        """The container at the top of the stack."""
        if type(self.stack[-1]) is not kind:
            raise ValueError(f"{type(self.stack[-1]).__name__} where a {kind.__name__} belongs")
        return self.stack[-1]

    def push_name(self, module: Any, name: Any) -> None:
        """Finds a name in the table: the only way from a file to a function."""
        call = self.names.get((module, name)) if isinstance(module, str) and isinstance(name, str) else None
        if call is None:
            shown = f"{module}.{name}"[:100]
            raise UserError(f"{self.path} is not a data-only file: it refers to {shown!r}. No code in it was run.")
        self.push(_Global(f"{module}.{name}", call))

    def charge(self, length: int) -> None:
        """Counts what calls copy: the same bytes could be copied again and again."""
        self.copy_budget -= length
        if self.copy_budget < 0:
            raise ValueError("it expands to far more than its size")

    def native(self, value: Any) -> Any:
        """An array in this machine's byte order, any other value as it is."""
        if not isinstance(value, np.ndarray) or value.dtype.isnative:
            return value
        self.charge(value.nbytes)
        return value.astype(value.dtype.newbyteorder("="))

    def call(self) -> None:
        """REDUCE and NEWOBJ: calls the function that replaces a name."""
        args, target = self.pop(), self.stack.pop()
        if type(target) is not _Global or type(args) is not tuple:
            raise ValueError("a call of something that is not a name")
        self.charge(sum(len(item) for item in args if isinstance(item, str | list | tuple)))
        result = target.call(*(item.call if type(item) is _Global else item for item in args))
        self.push(self.native(result))

    def build(self) -> None:
        """BUILD: gives a state to a dtype, an array or a record."""
        state, target = self.pop(), self.stack[-1]
        if type(target) is Record:
            target.state = state
        elif isinstance(target, arrays.PendingDtype | arrays.PendingArray) and type(state) is tuple:
            self.charge(len(state[-1]) if isinstance(state[-1], str) else 0)
            target.set_state(state)
            target.value = self.native(target.value)
        elif type(target) is dict and self.persistent:
            return  # PyTorch sets version numbers on its dictionaries
        else:
            raise ValueError(f"a state for a {type(target).__name__}")

    def find_persistent(self) -> None:
        """BINPERSID: what lies outside of the pickle."""
        facts = self.pop()
        if self.persistent is None or type(facts) is not tuple:
            raise ValueError("it refers to something outside of itself")
        self.push(self.persistent(*(item.call if type(item) is _Global else item for item in facts)))

    def set_items(self, items: list) -> None:
        """SETITEMS: keys and values into the dictionary at the top."""
        target = self.top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            self.keys.check(key)
            target[key] = value

    def add_items(self, items: list) -> None:
        """ADDITEMS: members into the set at the top."""
        for item in items:
            self.keys.check(item)
        self.top(set).update(items)

    def store(self, index: int) -> None:
        """PUT and MEMOIZE."""
        self.memo[index] = self.stack[-1]

    def text(self, length: int) -> None:
        """A str in UTF-8."""
        self.push(str(self.take(length), "utf-8", "surrogatepass"))

    def old_text(self, length: int) -> None:
        """A str of Python 2."""
        content = self.take(length)
        if self.encoding == "bytes" or (self.encoding == "ASCII" and not content.isascii()):
            self.push(content)
        else:
            self.push(content.decode(self.encoding))

    def integer(self, length: int) -> None:
        """A long integer."""
        if length > MAX_INT_BYTES:
            raise ValueError(f"an integer of {length:,} bytes")
        self.push(int.from_bytes(self.take(length), "little", signed=True))

    def check_protocol(self) -> None:
        """PROTO."""
        version = self.take(1)[0]
        if not 2 <= version <= 5:
            raise ValueError(f"pickle protocol {version}; 2 to 5 are read")

    def check_frame(self) -> None:
        """FRAME: only its size is checked."""
        self._check_length(self.number("<Q"))

    def mark(self) -> None:
        """MARK."""
        if len(self.marks) >= 1000:
            raise ValueError("nested too deep")
        self.marks.append(self.stack)
        self.stack = []

    def pack(self, count: int) -> None:
        """TUPLE1 to TUPLE3."""
        items = tuple(_settled(item) for item in self.stack[-count:])
        if len(items) != count:
            raise ValueError("a tuple without its items")
        self.stack[-count:] = [items]


def _settled(value: Any) -> Any:
    """The array or dtype behind a pending one; anything else as it is."""
    if not isinstance(value, arrays.PendingDtype | arrays.PendingArray):
        return value
    if value.value is None:
        raise ValueError("an array without content")
    return value.value


_OPCODES: dict[bytes, Callable[[Machine], None]] = {
    b"\x80": Machine.check_protocol,
    b"\x95": Machine.check_frame,
    b"(": Machine.mark,
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"K": lambda m: m.push(m.take(1)[0]),
    b"M": lambda m: m.push(m.number("<H")),
    b"J": lambda m: m.push(m.number("<i")),
    b"\x8a": lambda m: m.integer(m.take(1)[0]),
    b"\x8b": lambda m: m.integer(m.number("<i")),
    b"G": lambda m: m.push(m.number(">d")),
    b"\x8c": lambda m: m.text(m.take(1)[0]),
    b"X": lambda m: m.text(m.number("<I")),
    b"\x8d": lambda m: m.text(m.number("<Q")),
    b"U": lambda m: m.old_text(m.take(1)[0]),
    b"T": lambda m: m.old_text(m.number("<i")),
    b"C": lambda m: m.push(m.take(m.take(1)[0])),
    b"B": lambda m: m.push(m.take(m.number("<I"))),
    b"\x8e": lambda m: m.push(m.take(m.number("<Q"))),
    b"\x96": lambda m: m.push_buffer(m.number("<Q")),
    b"]": lambda m: m.push([]),
    b"}": lambda m: m.push({}),
    b"\x8f": lambda m: m.push(set()),
    b"\x91": lambda m: m.push(arrays.make_set(m.pop_marked(), frozenset)),
    b")": lambda m: m.push(()),
    b"\x85": lambda m: m.pack(1),
    b"\x86": lambda m: m.pack(2),
    b"\x87": lambda m: m.pack(3),
    b"t": lambda m: m.push(tuple(m.pop_marked())),
    b"a": lambda m: (item := m.pop(), m.top(list).append(item)),
    b"e": lambda m: (items := m.pop_marked(), m.top(list).extend(items)),
    b"s": lambda m: (value := m.pop(), key := m.pop(), m.set_items([key, value])),
    b"u": lambda m: m.set_items(m.pop_marked()),
    b"\x90": lambda m: m.add_items(m.pop_marked()),
    b"h": lambda m: m.push(m.memo[m.take(1)[0]]),
    b"j": lambda m: m.push(m.memo[m.number("<I")]),
    b"q": lambda m: m.store(m.take(1)[0]),
    b"r": lambda m: m.store(m.number("<I")),
    b"\x94": lambda m: m.store(len(m.memo)),
    b"c": lambda m: m.push_name(m.line(), m.line()),
    b"\x93": lambda m: (name := m.pop(), module := m.pop(), m.push_name(module, name)),
    b"R": Machine.call,
    b"\x81": Machine.call,
    b"b": Machine.build,
    b"Q": Machine.find_persistent,
}
