"""Reads LMDB files without mapping them into memory: a damaged or hostile file ends in a message and not in a signal."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from stylegan_tf.errors import UserError

_HEADER = struct.Struct("<QHHHH")  # of a page: number, unused, flags, end of the table of nodes, start of the nodes
_NODE = struct.Struct("<HHHH")  # two halves of a size, flags, bytes of the key
_META_BYTES = 152
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF = 1, 2  # flags of pages
_BIG, _SUB = 1, 6  # flags of nodes: the value has pages of its own; the value is not plain bytes
_NO_PAGE = 2**64 - 1
_MAX_DEPTH = 32


class Entry(NamedTuple):
    """A key, and where its value lies in the file: `start` and `size` in bytes."""

    key: bytes
    start: int
    size: int


class LmdbFile:
    """The main database of an LMDB file (data format 1: all releases of LMDB 0.9), read-only.

    Raises:
        UserError: another format, or a damaged or truncated file.
    """

    def __init__(self, path: Path):
        self.path = path
        self._file = open(path, "rb")  # noqa: SIM115 - closed by `close`
        self._size = os.fstat(self._file.fileno()).st_size
        try:
            self._root, self._page_bytes = self._read_meta()
        except UserError:
            self.close()
            raise

    def entries(self) -> Iterator[Entry]:
        """All entries in the order of their keys.

        Raises:
            UserError: a damaged page, or one behind the end of the file.
        """
        if self._root == _NO_PAGE:
            return
        seen = bytearray(self._size // self._page_bytes + 1)  # pages in use: one that occurs twice would never end
        pending = [(self._root, 0)]
        while pending:
            number, depth = pending.pop()
            page = self._page(number)
            flags = _HEADER.unpack_from(page)[2]
            if seen[number] or depth > _MAX_DEPTH or not flags & (_BRANCH | _LEAF):
                raise self._damage(number)
            seen[number] = 1
            nodes = self._nodes(page, number)
            if flags & _BRANCH:
                children = [low | high << 16 | node_flags << 32 for low, high, node_flags, _, _ in nodes]
                pending += [(child, depth + 1) for child in reversed(children)]
                continue
            for low, high, node_flags, key_bytes, place in nodes:
                yield self._entry(page, number, low | high << 16, node_flags, key_bytes, place)

    def read(self, entry: Entry) -> bytes:
        """The value of an entry; shorter than `entry.size` if the file is truncated."""
        num_bytes = min(entry.size, self._size - entry.start)
        return os.pread(self._file.fileno(), num_bytes, entry.start) if num_bytes > 0 else b""

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _read_meta(self) -> tuple[int, int]:
        """Root page of the main database and bytes of a page, from the newer of the two meta pages."""
        first = self._meta_at(0)
        second = self._meta_at(first[1]) if first else None
        if not first or not second:
            raise UserError(f"{self.path} is not an LMDB file of version {_VERSION}. Unzip the file that LSUN's download.py downloaded.")
        root, page_bytes, _ = max(first, second, key=lambda meta: meta[2])
        return root, page_bytes

    def _meta_at(self, start: int) -> tuple[int, int, int] | None:
        """(root page, bytes of a page, number of the transaction) of a meta page; None if it is none."""
        content = os.pread(self._file.fileno(), _META_BYTES, start)
        if len(content) < _META_BYTES:
            return None
        magic, version = struct.unpack_from("<II", content, 16)
        (page_bytes,) = struct.unpack_from("<I", content, 40)
        root, _, transaction = struct.unpack_from("<QQQ", content, 128)  # the number between them is that of the last page
        is_right = magic == _MAGIC and version == _VERSION and page_bytes in [256 << shift for shift in range(9)]
        return (root, page_bytes, transaction) if is_right else None

    def _page(self, number: int) -> bytes:
        if number >= self._size // self._page_bytes:
            raise self._damage(number)
        return os.pread(self._file.fileno(), self._page_bytes, number * self._page_bytes)

    def _nodes(self, page: bytes, number: int) -> list[tuple[int, int, int, int, int]]:
        """(low, high, flags, bytes of the key, place of the key) of every node of a page."""
        lower = _HEADER.unpack_from(page)[3]
        if not _HEADER.size <= lower <= len(page):
            raise self._damage(number)
        places = struct.unpack_from(f"<{(lower - _HEADER.size) // 2}H", page, _HEADER.size)
        if any(place + _NODE.size > len(page) for place in places):
            raise self._damage(number)
        return [(*_NODE.unpack_from(page, place), place + _NODE.size) for place in places]

    def _entry(self, page: bytes, number: int, size: int, flags: int, key_bytes: int, place: int) -> Entry:
        key, start = page[place : place + key_bytes], place + key_bytes
        is_inside = start + (8 if flags & _BIG else size) <= len(page)
        if flags & _SUB or not is_inside:
            raise self._damage(number)
        if not flags & _BIG:
            return Entry(key, number * self._page_bytes + start, size)
        (overflow,) = struct.unpack_from("<Q", page, start)
        return Entry(key, overflow * self._page_bytes + _HEADER.size, size)

    def _damage(self, number: int) -> UserError:
        kind = "truncated" if number >= self._size // self._page_bytes else "damaged"
        return UserError(f"{self.path} is {kind}: page {number:,} of {self._size // self._page_bytes:,} cannot be read. Download it again.")
