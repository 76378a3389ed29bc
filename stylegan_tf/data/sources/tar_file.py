"""Images in a tar, compressed or not, read entry by entry and never unpacked to files."""

import bz2
import gzip
import lzma
import os
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import BinaryIO

from stylegan_tf.data.sources.archive_names import entry_name, size_reason
from stylegan_tf.data.sources.base import Source, UnusableImage
from stylegan_tf.data.sources.image_names import SNIFF_BYTES, has_image_ending, looks_like_image, stranger_reason
from stylegan_tf.errors import UserError

_READ_ERRORS = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, zlib.error, lzma.LZMAError, RecursionError)
_SPARE_BYTES = 1 << 30  # left free on the disk that a compressed tar is inflated on
_COPY_BYTES = 1 << 20


class TarSource(Source):
    """All image entries of a tar, sorted by name.

    Entries are read in any order, which a compressed tar cannot do: it is inflated once, into a file without a name in the
    folder for temporary files (TMPDIR), as far as the disk has room.
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
                        self._sort_in(member, size)
                    archive.members.clear()  # a million of them would take a gigabyte
        except _READ_ERRORS as error:
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

    def _sort_in(self, member: tarfile.TarInfo, archive_bytes: int) -> None:
        """Takes an entry as an image, or counts it among the strangers."""
        name = entry_name(member.name)
        reason = self._refusal(member, name, archive_bytes)
        place = (member.offset_data, member.size)
        if reason is None and not has_image_ending(name):
            self._others[name] = place
            reason = None if looks_like_image(os.pread(self._file.fileno(), SNIFF_BYTES, place[0])) else "no image file"
        if reason:
            self.strangers.add(member.name, reason)
        else:
            self._places[name] = place

    def _refusal(self, member: tarfile.TarInfo, name: str | None, archive_bytes: int) -> str | None:
        if name is None:
            return "name that leads out of the archive"
        if name in self._places:
            return "repeated name in the archive"
        if member.issym() or member.islnk():
            return "link in the archive"
        if not member.isreg() or member.issparse():
            return "no regular file"
        if member.offset_data + member.size > archive_bytes:
            return "entry larger than the archive"
        return stranger_reason(name) or size_reason(member.size, member.size)

    def _read(self, place: tuple[int, int]) -> bytes:
        offset, size = place
        try:
            content = os.pread(self._file.fileno(), size, offset)
        except OSError as error:
            raise UnusableImage("damaged in the archive", str(error)) from error
        if len(content) != size:
            raise UnusableImage("damaged in the archive", f"{len(content)} bytes where {size} are announced")
        return content


def _opened(path: Path) -> BinaryIO:
    """The tar as a file that can be read anywhere, inflated where it is compressed."""
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
                        f"{path} does not fit on the disk of {tempfile.gettempdir()} when inflated. Set TMPDIR to a larger one."
                    )
                inflated.write(block)
    except _READ_ERRORS as error:
        inflated.close()
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path} is a damaged archive: {error}. Copy it again.") from None
    inflated.seek(0)
    return inflated
