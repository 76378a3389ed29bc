"""Aligned CelebA: 178x218 photographs, of which the original takes 128x128 around the face."""

from pathlib import Path

from stylegan_tf.data.sources.base import CropBox
from stylegan_tf.data.sources.folder import FolderSource
from stylegan_tf.errors import MissingFileError

_CROP_SIDE = 128
_FOLDERS = ("img_align_celeba_png", "img_align_celeba", ".")


class CelebaSource(FolderSource):
    """The photographs below `celeba_dir`, each cropped around (cx, cy)."""

    def __init__(self, celeba_dir: str | Path, *, cx: int = 89, cy: int = 121):
        folder = next((Path(celeba_dir) / name for name in _FOLDERS if (Path(celeba_dir) / name).is_dir()), None)
        if folder is None:
            raise MissingFileError(f"There is no folder {celeba_dir}.")
        super().__init__(folder)
        self.crop_box = CropBox(cx, cy, _CROP_SIDE)
