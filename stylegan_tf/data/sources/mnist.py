"""MNIST and its kin (Fashion-MNIST, KMNIST): IDX files, gzipped or not."""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from stylegan_tf.data.sources.base import ArraySource, Source
from stylegan_tf.errors import MissingFileError, UserError

_MAX_BYTES = 4 << 30
_PAD = 2  # 28x28 becomes 32x32


def open_mnist(folder: str | Path, *, split: str = "train") -> ArraySource:
    """Grey digits padded to 32x32, labels 0 to 9.

    Args:
        folder: holds train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz (or without .gz).
        split: "train", or "test" for the t10k files.

    Raises:
        MissingFileError, UserError: files are missing, damaged or of another shape.
    """
    prefix = {"train": "train", "test": "t10k"}[split]
    images = read_idx(_find(Path(folder), f"{prefix}-images-idx3-ubyte"))
    labels = read_idx(_find(Path(folder), f"{prefix}-labels-idx1-ubyte"))
    if images.ndim != 3 or images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
        raise UserError(f"{folder}: images should be [n, 28, 28] with n labels. Received: {list(images.shape)} and {list(labels.shape)}")
    return ArraySource(f"MNIST in {folder}", images[:, :, :, None], labels=labels.astype(np.int64), class_names=range_names(10), pad=_PAD)


class StackedDigits(Source):
    """Stacked MNIST: three random digits as red, green and blue, drawn as the original draws them; no labels."""

    is_checked = True

    def __init__(self, folder: str | Path, *, num_images: int = 1_000_000, random_seed: int = 123):
        super().__init__()
        self._digits = open_mnist(folder)
        self.title = f"stacked {self._digits.title}"
        # One draw of three for each image gives the same stream as drawing them all at once.
        self._chosen = np.random.RandomState(random_seed).randint(len(self._digits), size=(num_images, 3))
        self.names = [f"img{index:08d}" for index in range(num_images)]

    def read(self, index: int) -> np.ndarray:
        """uint8 [32, 32, 3]."""
        return np.concatenate([self._digits.read(int(digit)) for digit in self._chosen[index]], axis=2)


def read_idx(path: Path) -> np.ndarray:
    """An IDX file of bytes as uint8; the size is checked against the header before memory is taken.

    Raises:
        UserError: no IDX file, cut, or larger than its header says.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            zeros, kind, rank = struct.unpack(">HBB", file.read(4))
            if zeros or kind != 8 or not 1 <= rank <= 4:
                raise UserError(f"{path} is no IDX file of bytes.")
            shape = struct.unpack(f">{rank}I", file.read(4 * rank))
            count = math.prod(shape)
            if count > _MAX_BYTES:
                raise UserError(f"{path} announces {count} bytes; at most {_MAX_BYTES} are read.")
            content = file.read(count + 1)
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise UserError(f"{path} is damaged: {error}. Download it again.") from None
    if len(content) != count:
        raise UserError(
            f"{path} holds {'more' if len(content) > count else 'fewer'} bytes than the {count} its header announces. Download it again."
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def range_names(count: int) -> tuple[str, ...]:
    """Class names "0", "1", ..."""
    return tuple(map(str, range(count)))


def _find(folder: Path, stem: str) -> Path:
    """The file by the names that it is found under."""
    names = [f"{stem}.gz", stem, f"{stem.replace('-idx', '.idx')}.gz", stem.replace("-idx", ".idx")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise MissingFileError(f"{folder} holds no {names[0]} (nor {', '.join(names[1:])}).")
