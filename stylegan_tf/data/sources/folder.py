"""Images in a folder, at any depth; among them aligned CelebA, which is cropped."""

import os
import stat
from pathlib import Path

from stylegan_tf.data.sources.base import LABELS_NAME, MAX_FILE_BYTES, NOT_AN_IMAGE, CropBox, Source, UnusableImage
from stylegan_tf.data.sources.file_names import SNIFF_BYTES, has_image_ending, looks_like_image, not_image_reason
from stylegan_tf.errors import MissingFileError

_CELEBA_SIDE = 128
_CELEBA_FOLDERS = ("img_align_celeba_png", "img_align_celeba", ".")


class FolderSource(Source):
    """All image files below a folder, sorted by their path in it.

    Links are followed, each folder once. Only regular files are opened, never sockets, pipes or devices.
    """

    def __init__(self, path: str | os.PathLike):
        super().__init__()
        self.path = Path(path)
        self.title = str(path)
        self.names = sorted(self._walk())

    def read(self, index: int) -> bytes:
        """Content of an image file."""
        return self._read(self.names[index])

    def side_file(self, name: str) -> bytes | None:
        """Content of a file by its path in the folder."""
        return self._read(name) if (self.path / name).is_file() else None

    def _read(self, name: str) -> bytes:
        try:
            with open(os.path.join(self.path, name), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > MAX_FILE_BYTES:
                    raise UnusableImage("file too large", f"{size >> 20} MB")
                return file.read(size)
        except OSError as error:
            raise UnusableImage("file cannot be read", error.strerror or str(error)) from error

    def _walk(self) -> list[str]:
        """Paths of possible images below the folder; others are counted in `other_files`."""
        found, pending, seen = [], [""], set()
        while pending:
            folder = pending.pop()
            try:
                status = os.stat(os.path.join(self.path, folder))
                if (status.st_dev, status.st_ino) in seen:
                    continue  # a link to a folder that was visited already
                seen.add((status.st_dev, status.st_ino))
                with os.scandir(os.path.join(self.path, folder)) as entries:
                    for entry in entries:
                        name = f"{folder}/{entry.name}" if folder else entry.name
                        if self._is_folder(entry):
                            pending.append(name)
                        elif self._is_candidate(name):
                            found.append(name)
            except OSError:
                self.other_files.add(folder, "folder cannot be opened")
        return found

    def _is_folder(self, entry: os.DirEntry) -> bool:
        # Hidden folders (.git, .thumbnails) contain no images of the set.
        try:
            return entry.is_dir() and not entry.name.startswith(".") and entry.name not in ("__MACOSX", LABELS_NAME)
        except OSError:
            return False

    def _is_candidate(self, name: str) -> bool:
        path = os.path.join(self.path, name)
        reason = not_image_reason(name)
        try:
            if reason is None and not stat.S_ISREG(os.stat(path).st_mode):
                reason = "not a regular file"
            if reason is None and not has_image_ending(name):
                with open(path, "rb") as file:
                    if not looks_like_image(file.read(SNIFF_BYTES)):
                        reason = NOT_AN_IMAGE
        except OSError:
            reason = "broken link or unreadable file"
        if reason:
            self.other_files.add(name, reason)
        return reason is None


class CelebaSource(FolderSource):
    """Aligned CelebA: the 178x218 photographs below `celeba_dir`, each cropped to 128x128 around (cx, cy) as in the original."""

    def __init__(self, celeba_dir: str | Path, *, cx: int = 89, cy: int = 121):
        folder = next((Path(celeba_dir) / name for name in _CELEBA_FOLDERS if (Path(celeba_dir) / name).is_dir()), None)
        if folder is None:
            raise MissingFileError(f"There is no folder {celeba_dir}.")
        super().__init__(folder)
        self.crop_box = CropBox(cx, cy, _CELEBA_SIDE)
