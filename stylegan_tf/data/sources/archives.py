"""Images in a zip or tar, read entry by entry and never unpacked to files."""

import bz2
import gzip
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

from stylegan_tf.data.sources.base import MAX_FILE_BYTES, NOT_AN_IMAGE, Source, UnusableImage
from stylegan_tf.data.sources.file_names import SNIFF_BYTES, entry_name, has_image_ending, looks_like_image, not_image_reason, size_reason
from stylegan_tf.errors import UserError

_TAR_ERRORS = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, zlib.error, lzma.LZMAError, RecursionError)
_SPARE_BYTES = 1 << 30  # disk space left free when a compressed tar is decompressed
_COPY_BYTES = 1 << 20
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError, MemoryError)
_ENCRYPTED = 0x1


class ZipSource(Source):
    """All image entries of a zip, sorted by name."""

    def __init__(self, path: Path):
        super().__init__()
        self.title = str(path)
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
        name = entry_name(info.filename)
        reason = self._ignored_reason(info, name)
        if reason is None and not has_image_ending(name):
            self._others[name] = info
            reason = None if self._is_image_inside(info) else NOT_AN_IMAGE
        if reason:
            self.other_files.add(name or info.filename, reason)
        else:
            self._entries[name] = info

    def _ignored_reason(self, info: zipfile.ZipInfo, name: str | None) -> str | None:
        if name is None:
            return "name that points outside the archive"
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
            raise UnusableImage("damaged in the archive", str(error)[:120]) from error
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
            with tarfile.TarFile(fileobj=self._file) as archive:
                while (member := archive.next()) is not None:
                    if not member.isdir():
                        self._add(member, size)
                    archive.members.clear()  # a million entries would take a gigabyte of memory
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
            self._others[name] = place
            reason = None if looks_like_image(os.pread(self._file.fileno(), SNIFF_BYTES, place[0])) else NOT_AN_IMAGE
        if reason:
            self.other_files.add(name or member.name, reason)
        else:
            self._places[name] = place

    def _ignored_reason(self, member: tarfile.TarInfo, name: str | None, archive_bytes: int) -> str | None:
        if name is None:
            return "name that points outside the archive"
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


def _opened(path: Path) -> BinaryIO:
    """The tar as a file with random access, decompressed if necessary."""
    openers = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
    file = open(path, "rb")  # noqa: SIM115 - closed by the source
    start = file.read(6)
    file.seek(0)
    opener = next((opener for magic, opener in openers.items() if start.startswith(magic)), None)
    if opener is None:
        return file
    file.close()
    inflated = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the source
    room = shutil.disk_usage(tempfile.gettempdir()).free - _SPARE_BYTES
    try:
        with opener(path, "rb") as packed:
            while block := packed.read(_COPY_BYTES):
                room -= len(block)
                if room < 0:
                    raise UserError(
                        f"{path} does not fit on the disk of {tempfile.gettempdir()} when decompressed. "
                        "Set TMPDIR to a folder on a larger one."
                    )
                inflated.write(block)
    except _TAR_ERRORS as error:
        inflated.close()
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is a damaged archive: {error}. Copy it again.") from None
    inflated.seek(0)
    return inflated
