"""HDF5 files of the progressive GAN and of the original: datasets `data...` of [n, C, H, W]."""

from pathlib import Path

import numpy as np

from stylegan_tf.array_files import read_npy
from stylegan_tf.data.sources.base import Source, UnusableImage
from stylegan_tf.errors import MissingFileError, UserError


class Hdf5Source(Source):
    """Images of the dataset with the largest width whose name starts with `data`; labels from NAME-labels.npy beside the file."""

    is_checked = True

    def __init__(self, path: str | Path):
        super().__init__()
        import h5py

        path = Path(path)
        if not path.is_file():
            raise MissingFileError(f"There is no file {path}.")
        try:
            self._file = h5py.File(path, "r")
            found = [value for key, value in self._file.items() if key.startswith("data") and getattr(value, "ndim", 0) == 4]
        except (OSError, RuntimeError, KeyError) as error:
            raise UserError(f"{path} cannot be read as HDF5: {error}") from None
        if not found:
            raise UserError(
                f"{path} holds no images: a dataset named `data...` of [n, C, H, W] is wanted. It holds: {', '.join(self._file)}"
            )
        self._images = max(found, key=lambda images: images.shape[3])
        if self._images.dtype != np.uint8 or self._images.shape[1] not in (1, 3, 4):
            raise UserError(f"{path}: images must be bytes [n, 1, 3 or 4, H, W]. Received: {self._images.dtype} {list(self._images.shape)}")
        self.title = f"{self._images.name.lstrip('/')} in {path}"
        self.names = [f"img{index:08d}" for index in range(len(self._images))]
        self.labels = _labels_beside(path, len(self.names))

    def read(self, index: int) -> np.ndarray:
        """uint8 [H, W, C]."""
        try:
            return np.ascontiguousarray(self._images[index].transpose(1, 2, 0))
        except (OSError, RuntimeError) as error:
            raise UnusableImage("damaged in the archive", str(error)) from error

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _labels_beside(path: Path, count: int) -> np.ndarray | None:
    """Labels of the original's HDF5 sets, [n, label_size] or class numbers."""
    file = path.with_name(f"{path.stem}-labels.npy")
    if not file.is_file():
        return None
    try:
        labels = read_npy(file)
    except UserError as error:
        raise UserError(f"{file} is no .npy array of numbers: {error}") from None
    if labels.ndim not in (1, 2) or labels.dtype.kind not in "biuf" or len(labels) != count:
        raise UserError(f"{file} should hold {count} labels. Received: {labels.dtype} {list(labels.shape)}")
    return labels
