"""Images in a zip, read entry by entry and never unpacked to the disk."""

import stat
import zipfile
import zlib
from pathlib import Path

from stylegan_tf.data.sources.archive_names import entry_name, size_reason
from stylegan_tf.data.sources.base import MAX_FILE_BYTES, Source, UnusableImage
from stylegan_tf.data.sources.image_names import SNIFF_BYTES, has_image_ending, looks_like_image, stranger_reason
from stylegan_tf.errors import UserError

_ENCRYPTED = 0x1
_READ_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError, ValueError, MemoryError)


class ZipSource(Source):
    """All image entries of a zip, sorted by name."""

    def __init__(self, path: Path):
        super().__init__()
        self.title = str(path)
        try:
            self._zip = zipfile.ZipFile(path)
        except _READ_ERRORS as error:
            raise UserError(f"{path} is a damaged zip: {error}") from None
        self._entries: dict[str, zipfile.ZipInfo] = {}
        self._others: dict[str, zipfile.ZipInfo] = {}
        for info in self._zip.infolist():
            if not info.is_dir():
                self._sort_in(info)
        self.names = sorted(self._entries)

    def read(self, index: int) -> bytes:
        """Content of an image entry; its size was checked before memory is taken, its checksum is checked here."""
        return self._read(self._entries[self.names[index]])

    def side_file(self, name: str) -> bytes | None:
        """Content of another entry."""
        info = self._others.get(name)
        return None if info is None else self._read(info)

    def close(self) -> None:
        """Closes the archive."""
        self._zip.close()

    def _sort_in(self, info: zipfile.ZipInfo) -> None:
        """Takes an entry as an image, or counts it among the strangers."""
        name = entry_name(info.filename)
        reason = self._refusal(info, name)
        if reason is None and not has_image_ending(name):
            self._others[name] = info
            reason = None if self._is_image_inside(info) else "no image file"
        if reason:
            self.strangers.add(info.filename, reason)
        else:
            self._entries[name] = info

    def _refusal(self, info: zipfile.ZipInfo, name: str | None) -> str | None:
        if name is None:
            return "name that leads out of the archive"
        if name in self._entries:
            return "repeated name in the archive"
        if stat.S_ISLNK(info.external_attr >> 16):
            return "link in the archive"
        if info.flag_bits & _ENCRYPTED:
            return "encrypted entry"
        return stranger_reason(name) or size_reason(info.file_size, info.compress_size)

    def _is_image_inside(self, info: zipfile.ZipInfo) -> bool:
        try:
            with self._zip.open(info) as entry:
                return looks_like_image(entry.read(SNIFF_BYTES))
        except _READ_ERRORS:
            return False

    def _read(self, info: zipfile.ZipInfo) -> bytes:
        try:
            with self._zip.open(info) as entry:
                content = entry.read(min(info.file_size, MAX_FILE_BYTES))
                entry.read(1)  # the checksum is compared at the end of the entry
        except _READ_ERRORS as error:
            raise UnusableImage("damaged in the archive", str(error)[:120]) from error
        if len(content) != info.file_size:
            raise UnusableImage("damaged in the archive", f"{len(content)} bytes where {info.file_size} are announced")
        return content
