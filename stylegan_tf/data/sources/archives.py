"""Images in a zip or tar, read entry by entry and never unpacked to files."""

import bz2
import contextlib
import gzip
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

from stylegan_tf.data.sources.base import LABELS_NAME, MAX_FILE_BYTES, NOT_AN_IMAGE, Source, UnusableImage, check_items, is_bomb
from stylegan_tf.data.sources.file_names import SNIFF_BYTES, entry_name, has_image_ending, looks_like_image, not_image_reason, size_reason
from stylegan_tf.errors import UserError
from stylegan_tf.files import directory_bytes

_TAR_ERRORS = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, RecursionError)
_SPARE_BYTES = 1 << 30  # disk space left free when a compressed tar is decompressed
_MAX_HEADER_BYTES, _MAX_HEADERS_BYTES, _MAX_USUAL_BYTES = 1 << 20, 64 << 20, 16 << 10  # of one, and of all unusually large ones
_MAX_DIRECTORY_BYTES = 256 << 20  # of a zip: about three million entries
_MIN_ENTRIES, _ENTRY_BYTES = 100_000, 16  # entries that are always accepted; packed bytes that each further one must have
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error)
_ZIP_ERRORS += (OSError, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError, OverflowError, MemoryError)
_BLOCK_BYTES = 1 << 20
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
_MAX_XZ_BYTES = 256 << 20  # of memory; xz -9 needs 65 MB
_PACKING_ERRORS = (OSError, EOFError, ValueError, OverflowError, zlib.error, lzma.LZMAError)
_Entry = TypeVar("_Entry")
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flags of entries


class _Archive(Source, Generic[_Entry]):
    """All image entries of an archive, sorted by name. Subclasses add their entries, and read one."""

    def __init__(self, path: Path):
        super().__init__()
        self.title = str(path)
        self._entries: dict[str, _Entry] = {}
        self._others: dict[str, _Entry] = {}

    def read(self, index: int) -> bytes:
        """Content of an image entry."""
        return self._read(self._entries[self.names[index]])

    def side_file(self, name: str) -> bytes | None:
        """Content of another entry."""
        return self._read(self._others[name]) if name in self._others else None

    def _add(self, stated_name: str, entry: _Entry, reason: str | None, *, num_bytes: int, packed_bytes: int) -> None:
        """Adds an entry to the images, or counts it among the other files; `reason` is why it is ignored if its name is valid."""
        name = entry_name(stated_name)
        if name is None:
            reason = "unusable name (outside of the archive, or too long)"
        elif name in self._entries or name in self._others:
            reason = "repeated name in the archive"
        else:
            reason = reason or not_image_reason(name) or size_reason(num_bytes, packed_bytes)
        if reason is None and not has_image_ending(name):
            if name.rpartition("/")[2] == LABELS_NAME:
                self._others[name] = entry
            reason = None if looks_like_image(self._first_bytes(entry)) else NOT_AN_IMAGE
        if reason:
            self.other_files.add(name or stated_name, reason)
        else:
            self._entries[name] = entry

    def _first_bytes(self, entry: _Entry) -> bytes:
        raise NotImplementedError

    def _read(self, entry: _Entry) -> bytes:
        raise NotImplementedError


class ZipSource(_Archive[zipfile.ZipInfo]):
    """All image entries of a zip, sorted by name. Checksums are verified when they are read."""

    def __init__(self, path: Path):
        super().__init__(path)
        _check_directory(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except _ZIP_ERRORS as error:
            raise UserError(f"{path} is a damaged zip: {error}") from None
        for info in self._zip.infolist():
            if not info.filename.endswith("/"):  # `is_dir` fails for an empty name
                reason = "link in the archive" if stat.S_ISLNK(info.external_attr >> 16) else None
                reason = "encrypted (unpack the archive first)" if info.flag_bits & _ENCRYPTED and not reason else reason
                self._add(_decoded_name(info), info, reason, num_bytes=info.file_size, packed_bytes=info.compress_size)
        self.names = sorted(self._entries)

    def close(self) -> None:
        """Closes the archive."""
        self._zip.close()

    def _first_bytes(self, info: zipfile.ZipInfo) -> bytes:
        try:
            with self._zip.open(info) as entry:
                return entry.read(SNIFF_BYTES)
        except _ZIP_ERRORS:
            return b""

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        try:
            with self._zip.open(info) as entry:
                content = entry.read(min(info.file_size, MAX_FILE_BYTES))
                entry.read(1)  # the checksum is verified at the end of the entry
        except _ZIP_ERRORS as error:
            raise UnusableImage("damaged in the archive", str(error)[:120] or type(error).__name__) from error
        if len(content) != info.file_size:
            raise UnusableImage("damaged in the archive", f"{len(content)} bytes, {info.file_size} expected")
        return content


class TarSource(_Archive[tuple[int, int]]):
    """All image entries of a tar, sorted by name.

    Entries are read in any order, which a compressed tar does not allow: it is decompressed once into an unnamed file in the
    folder for temporary files (TMPDIR), if the disk has enough space.
    """

    def __init__(self, path: Path):
        super().__init__(path)
        self._file = _opened(path)
        size = os.fstat(self._file.fileno()).st_size
        try:
            with tarfile.TarFile(fileobj=_TarHeaders(self._file)) as archive:
                while (member := archive.next()) is not None:
                    if not member.isdir():
                        place = (member.offset_data, member.size)
                        self._add(member.name, place, _tar_reason(member, size), num_bytes=member.size, packed_bytes=member.size)
                    archive.members.clear()  # a million entries would take a gigabyte of memory
                    _check_entries(len(self._entries), path)
        except _TAR_ERRORS as error:
            self._file.close()
            raise UserError(f"{path} is a damaged tar after {len(self._entries)} images: {error}. Copy it again.") from None
        self.names = sorted(self._entries)

    def close(self) -> None:
        """Closes the archive."""
        self._file.close()

    def _first_bytes(self, place: tuple[int, int]) -> bytes:
        return os.pread(self._file.fileno(), SNIFF_BYTES, place[0])

    def _read(self, place: tuple[int, int]) -> bytes:
        offset, size = place
        try:
            content = os.pread(self._file.fileno(), size, offset)
        except OSError as error:
            raise UnusableImage("damaged in the archive", str(error)) from error
        if len(content) != size:
            raise UnusableImage("damaged in the archive", f"{len(content)} bytes, {size} expected")
        return content


def _tar_reason(member: tarfile.TarInfo, archive_bytes: int) -> str | None:
    """Why an entry is ignored, whatever its name; None if it may be an image."""
    if member.issym() or member.islnk():
        return "link in the archive"
    if not member.isreg() or member.issparse():
        return "not a regular file"
    return "entry larger than the archive" if member.offset_data + member.size > archive_bytes else None


class _TarHeaders:
    """A tar file for tarfile, which reads headers only: a name or other header of gigabytes is refused."""

    def __init__(self, file: BinaryIO):
        self._file, self._room = file, _MAX_HEADERS_BYTES
        self.seek, self.tell, self.close = file.seek, file.tell, lambda: None

    def read(self, size: int) -> bytes:
        self._room -= size if size > _MAX_USUAL_BYTES else 0
        if size > _MAX_HEADER_BYTES or self._room < 0:
            raise tarfile.HeaderError(f"headers of more than {_MAX_HEADER_BYTES:,} bytes")
        return self._file.read(size)


def _decoded_name(info: zipfile.ZipInfo) -> str:
    """The name of an entry; many programs write UTF-8 without the flag that says so, which zipfile decodes as code page 437."""
    if info.flag_bits & _UTF8:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _check_entries(count: int, path: Path) -> None:
    """Refuses an archive of more images than could have been packed in its bytes."""
    check_items(count, path)
    if count > _MIN_ENTRIES and count * _ENTRY_BYTES > path.stat().st_size:
        raise UserError(f"{path} has more than {count:,} entries in {path.stat().st_size:,} bytes: it cannot consist of images.")


def _check_directory(path: Path) -> None:
    """Refuses a zip before zipfile makes an object of every entry."""
    with open(path, "rb") as file:
        num_bytes = directory_bytes(file)
    if num_bytes is None or num_bytes > path.stat().st_size:
        raise UserError(f"{path} is a damaged zip: its directory is not complete. Copy it again.")
    if num_bytes > _MAX_DIRECTORY_BYTES:
        raise UserError(
            f"{path} has a directory of {num_bytes:,} bytes; at most {_MAX_DIRECTORY_BYTES:,} are read. Divide it into several."
        )


def is_tar(path: Path) -> bool:
    """Whether a file is a tar, compressed or not, by its first header alone.

    Raises:
        UserError: a damaged compressed file.
    """
    with contextlib.closing(_unpacked(path)) as blocks:
        first = next(blocks, b"")[: tarfile.BLOCKSIZE]
    try:
        tarfile.TarInfo.frombuf(first, "utf-8", "surrogateescape")
    except tarfile.EOFHeaderError:
        return True
    except tarfile.HeaderError:
        return False
    return True


def _opened(path: Path) -> BinaryIO:
    """The tar as a file with random access, decompressed if necessary."""
    file = open(path, "rb")  # noqa: SIM115 - closed by the source
    if not file.read(6).startswith((_GZIP, _BZIP2, _XZ)):
        file.seek(0)
        return file
    file.close()
    inflated = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the source
    packed, total = path.stat().st_size, 0
    room = shutil.disk_usage(tempfile.gettempdir()).free - _SPARE_BYTES
    try:
        for block in _unpacked(path):
            total += len(block)
            if is_bomb(total, packed):
                raise UserError(f"{path} unpacks to more than 200 times its {packed:,} bytes: it cannot consist of images.")
            if total > room:
                raise UserError(
                    f"{path} does not fit on the disk of {tempfile.gettempdir()} when decompressed. Set TMPDIR to a folder on a larger one."
                )
            inflated.write(block)
    except UserError:
        inflated.close()
        raise
    inflated.seek(0)
    return inflated


def _unpacked(path: Path) -> Iterator[bytes]:
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
    except _PACKING_ERRORS as error:
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
