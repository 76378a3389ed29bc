"""Sources of images: folders, archives, and the files of well-known datasets."""

import os
from pathlib import Path

from stylegan_tf.data.sources.base import ArraySource, OtherFiles, Source, UnusableImage
from stylegan_tf.errors import MissingFileError, UserError

__all__ = ["ArraySource", "OtherFiles", "Source", "UnusableImage", "open_images"]


def open_images(path: str | os.PathLike) -> Source:
    """Opens a folder, a zip or a tar of images.

    Raises:
        MissingFileError: no such path.
        UserError: a file that is not an archive, or a damaged one.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"There is no folder or archive {path}.")
    if path.is_dir():
        from stylegan_tf.data.sources.folder import FolderSource

        return FolderSource(path)
    if not path.is_file():  # opening a pipe would wait for ever
        raise UserError(f"{path} is neither a folder nor a file.")
    import zipfile

    from stylegan_tf.data.sources.archives import TarSource, ZipSource, is_tar

    if zipfile.is_zipfile(path):
        return ZipSource(path)
    if is_tar(path):
        return TarSource(path)
    raise UserError(f"{path} is not a folder, zip or tar. Give the folder of the images, or an archive of it.")
