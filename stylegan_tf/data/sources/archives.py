"""Images in a zip or tar, read entry by entry and never unpacked to files."""

import contextlib
import lzma
import os
import shutil
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from stylegan_tf.data.sources.base import LABELS_NAME, MAX_FILE_BYTES, NOT_AN_IMAGE, Source, UnusableImage, check_items, is_bomb
from stylegan_tf.data.sources.file_names import SNIFF_BYTES, entry_name, has_image_ending, looks_like_image, not_image_reason, size_reason
from stylegan_tf.data.sources.unpacking import is_compressed, unpacked
from stylegan_tf.errors import UserError
from stylegan_tf.zip_directory import directory_bytes

_TAR_ERRORS = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, RecursionError)
_SPARE_BYTES = 1 << 30  # disk space left free when a compressed tar is decompressed
_MAX_HEADER_BYTES, _MAX_HEADERS_BYTES, _MAX_USUAL_BYTES = 1 << 20, 64 << 20, 16 << 10  # of one, and of all unusually large ones
_MAX_DIRECTORY_BYTES = 256 << 20  # of a zip: about three million entries
_MIN_ENTRIES, _ENTRY_BYTES = 100_000, 16  # entries that are always accepted; packed bytes that each further one must have
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error)
_ZIP_ERRORS += (OSError, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError, OverflowError, MemoryError)
_ENCRYPTED, _UTF8 = 0x1, 0x800  # flags of entries


class ZipSource(Source):
    """All image entries of a zip, sorted by name."""

    def __init__(self, path: Path):
        super().__init__()
        self.title = str(path)
        _check_directory(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except _ZIP_ERRORS as error:
            raise UserError(f"{path} is a damaged zip: {error}") from None
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._others: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            if not info.is_dir():
                self._add(info)
        self.names = sorted(self._entries)

    def read(self, index: int) -> bytes:
        """Content of an image entry; its checksum is verified. Its size was checked when the archive was opened."""
        return self._read(self._entries[self.names[index]])

    def side_file(self, name: str) -> bytes | None:
        """Content of another entry."""
        info = self._others.get(name)
        return None if info is None else self._read(info)

    def close(self) -> None:
        """Closes the archive."""
        self._zip.close()

    def _add(self, info: zipfile.ZipInfo) -> None:
        """Adds an entry to the images, or counts it among the other files."""
        name = entry_name(_decoded_name(info))
        reason = self._ignored_reason(info, name)
        if reason is None and not has_image_ending(name):
            if name.rpartition("/")[2] == LABELS_NAME:
                self._others[name] = info
            reason = None if self._is_image_inside(info) else NOT_AN_IMAGE
        if reason:
            self.other_files.add(name or info.filename, reason)
        else:
            self._entries[name] = info

    def _ignored_reason(self, info: zipfile.ZipInfo, name: str | None) -> str | None:
        if name is None:
            return "unusable name (outside of the archive, or too long)"
        if name in self._entries or name in self._others:
            return "repeated name in the archive"
        if stat.S_ISLNK(info.external_attr >> 16):
            return "link in the archive"
        if info.flag_bits & _ENCRYPTED:
            return "encrypted (unpack the archive first)"
        return not_image_reason(name) or size_reason(info.file_size, info.compress_size)

    def _is_image_inside(self, info: zipfile.ZipInfo) -> bool:
        try:
            with self._zip.open(info) as entry:
                return looks_like_image(entry.read(SNIFF_BYTES))
        except _ZIP_ERRORS:
            return False

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


class TarSource(Source):
    """All image entries of a tar, sorted by name.

    Entries are read in any order, which a compressed tar does not allow: it is decompressed once into an unnamed file in the
    folder for temporary files (TMPDIR), if the disk has enough space.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.title = str(path)
        self._file = _opened(path)
        self._places: dict[str, tuple[int, int]] = {}  # offset and size by name
        self._others: dict[str, tuple[int, int]] = {}
        size = os.fstat(self._file.fileno()).st_size
        try:
            with tarfile.TarFile(fileobj=_TarHeaders(self._file)) as archive:
                while (member := archive.next()) is not None:
                    if not member.isdir():
                        self._add(member, size)
                    archive.members.clear()  # a million entries would take a gigabyte of memory
                    _check_entries(len(self._places), path)
        except _TAR_ERRORS as error:
            self._file.close()
            raise UserError(f"{path} is a damaged tar after {len(self._places)} images: {error}. Copy it again.") from None
        self.names = sorted(self._places)

    def read(self, index: int) -> bytes:
        """Content of an image entry."""
        return self._read(self._places[self.names[index]])

    def side_file(self, name: str) -> bytes | None:
        """Content of another entry."""
        place = self._others.get(name)
        return None if place is None else self._read(place)

    def close(self) -> None:
        """Closes the archive."""
        self._file.close()

    def _add(self, member: tarfile.TarInfo, archive_bytes: int) -> None:
        """Adds an entry to the images, or counts it among the other files."""
        name = entry_name(member.name)
        reason = self._ignored_reason(member, name, archive_bytes)
        place = (member.offset_data, member.size)
        if reason is None and not has_image_ending(name):
            if name.rpartition("/")[2] == LABELS_NAME:
                self._others[name] = place
            reason = None if looks_like_image(os.pread(self._file.fileno(), SNIFF_BYTES, place[0])) else NOT_AN_IMAGE
        if reason:
            self.other_files.add(name or member.name, reason)
        else:
            self._places[name] = place

    def _ignored_reason(self, member: tarfile.TarInfo, name: str | None, archive_bytes: int) -> str | None:
        if name is None:
            return "unusable name (outside of the archive, or too long)"
        if name in self._places or name in self._others:
            return "repeated name in the archive"
        if member.issym() or member.islnk():
            return "link in the archive"
        if not member.isreg() or member.issparse():
            return "not a regular file"
        if member.offset_data + member.size > archive_bytes:
            return "entry larger than the archive"
        return not_image_reason(name) or size_reason(member.size, member.size)

    def _read(self, place: tuple[int, int]) -> bytes:
        offset, size = place
        try:
            content = os.pread(self._file.fileno(), size, offset)
        except OSError as error:
            raise UnusableImage("damaged in the archive", str(error)) from error
        if len(content) != size:
            raise UnusableImage("damaged in the archive", f"{len(content)} bytes, {size} expected")
        return content


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
    with contextlib.closing(unpacked(path)) as blocks:
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
    if not is_compressed(file.read(6)):
        file.seek(0)
        return file
    file.close()
    inflated = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the source
    packed, total = path.stat().st_size, 0
    room = shutil.disk_usage(tempfile.gettempdir()).free - _SPARE_BYTES
    try:
        for block in unpacked(path):
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
