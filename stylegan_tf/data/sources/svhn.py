"""SVHN in the form it is published: train_32x32.mat (MATLAB 5, or 7.3 which is HDF5)."""

from pathlib import Path

import numpy as np

from stylegan_tf.data.sources.base import ArraySource
from stylegan_tf.data.sources.mnist import range_names
from stylegan_tf.errors import UserError


def open_svhn(path: str | Path) -> ArraySource:
    """House numbers, 32x32 RGB, labels 0 to 9.

    Args:
        path: train_32x32.mat, the folder that holds it, or the folder of the original's train_1.pkl to train_3.pkl.

    Raises:
        UserError, MissingFileError: files are missing or damaged.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / "train_32x32.mat").is_file():
            from stylegan_tf.data.sources.cifar import open_svhn_pickles

            if (path / "train_1.pkl").is_file():
                return open_svhn_pickles(path)
            raise UserError(f"{path} holds neither train_32x32.mat nor train_1.pkl.")
        path = path / "train_32x32.mat"
    images, labels = _read_mat(path)
    if images.ndim != 4 or images.shape[:3] != (32, 32, 3) or images.dtype != np.uint8 or labels.size != images.shape[3]:
        raise UserError(
            f"{path} should hold bytes X [32, 32, 3, n] and y [n]. Received: {images.dtype} {list(images.shape)}, {labels.size} labels"
        )
    numbers = labels.astype(np.int64).reshape(-1) % 10  # the digit 0 is called 10 there
    return ArraySource(f"SVHN in {path}", images.transpose(3, 0, 1, 2), labels=numbers, class_names=range_names(10))


def _read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """X and y of a MATLAB file."""
    import scipy.io

    try:
        try:
            content = scipy.io.loadmat(path, variable_names=["X", "y"])
            return content["X"], content["y"]
        except NotImplementedError:  # version 7.3
            import h5py

            with h5py.File(path, "r") as file:
                return np.asarray(file["X"]).transpose(), np.asarray(file["y"]).transpose()
    except FileNotFoundError:
        raise UserError(f"There is no file {path}.") from None
    except Exception as error:  # loadmat fails on damaged files in every way there is
        raise UserError(f"{path} cannot be read as a MATLAB file with X and y: {error}") from None
