"""Compressed files as blocks of decompressed bytes, with bounds on memory."""

import bz2
import contextlib
import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from stylegan_tf.errors import UserError

_BLOCK_BYTES = 1 << 20
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
_MAX_XZ_BYTES = 256 << 20  # of memory; xz -9 needs 65 MB
_ERRORS = (OSError, EOFError, ValueError, OverflowError, zlib.error, lzma.LZMAError)


def is_compressed(first_bytes: bytes) -> bool:
    """True if a file starts as gzip, bzip2 or xz do."""
    return first_bytes.startswith((_GZIP, _BZIP2, _XZ))


def unpacked(path: Path) -> Iterator[bytes]:
    """Blocks of a file, decompressed if it is compressed.

    Raises:
        UserError: the compressed data are damaged, or need a dictionary of more than 256 MB.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(6)
            file.seek(0)
            if start.startswith(_XZ):
                yield from _unpacked_xz(file)
                return
            opener = gzip.open if start.startswith(_GZIP) else bz2.open if start.startswith(_BZIP2) else None
            with opener(file) if opener else contextlib.nullcontext(file) as packed:
                while block := packed.read(_BLOCK_BYTES):
                    yield block
    except _ERRORS as error:
        raise UserError(f"{path} is a damaged archive: {error}. Copy it again.") from None


def _unpacked_xz(file: BinaryIO) -> Iterator[bytes]:
    """The same for xz, with a limit of the memory that the header of the file may ask for."""
    content = b""
    while content or (content := file.read(_BLOCK_BYTES)):
        decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_XZ_BYTES)
        while not decompressor.eof:
            block = decompressor.decompress(content, _BLOCK_BYTES)
            content = file.read(_BLOCK_BYTES) if decompressor.needs_input and not decompressor.eof else b""
            if not block and not content and not decompressor.eof:
                raise EOFError("the file ends too early")
            if block:
                yield block
        content = decompressor.unused_data.lstrip(b"\0")  # padding between streams
