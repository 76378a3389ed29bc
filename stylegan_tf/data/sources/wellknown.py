"""Well-known sets of small images in their published files: MNIST and its kin, CIFAR-10, CIFAR-100 and SVHN."""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stylegan_tf.data.sources.base import ArraySource, Source, check_items, check_unpacked, numbered_names
from stylegan_tf.data.sources.databases import check_hdf5
from stylegan_tf.display import class_name, visible
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.safe_pickle import read_pickle

_COPY_BYTES = 1 << 20
_COMPRESSED, _IS_COMPLEX = 15, 0x800  # of MATLAB files: type of an element, flag of an array
_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}  # of stored values
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}  # of dense arrays


def open_mnist(folder: str | Path, *, split: str = "train") -> ArraySource:
    """Grey digits padded to 32x32, labels 0 to 9; also Fashion-MNIST and KMNIST.

    Args:
        folder: of train-images-idx3-ubyte.gz and train-labels-idx1-ubyte.gz (or without .gz).
        split: "train", or "test" for the t10k files.

    Raises:
        MissingFileError, UserError: files are missing, damaged or of another shape.
    """
    prefix = {"train": "train", "test": "t10k"}[split]
    images = _read_idx(_find_idx(Path(folder), f"{prefix}-images-idx3-ubyte"), (28, 28))
    labels = _read_idx(_find_idx(Path(folder), f"{prefix}-labels-idx1-ubyte"), ())
    if len(labels) != len(images) or not len(images):
        raise UserError(f"{folder} must have at least one image, and as many labels. Received: {len(images)} images, {len(labels)} labels")
    images = np.pad(images, [(0, 0), (2, 2), (2, 2)])[..., None]  # 28x28 becomes 32x32
    return ArraySource(f"MNIST in {folder}", images, labels=labels.astype(np.int64), class_names=_digit_names(10))


class StackedDigits(Source):
    """Stacked MNIST: three random digits as red, green and blue, chosen as in the original release; no labels."""

    is_checked = True

    def __init__(self, folder: str | Path, *, num_images: int = 1_000_000, random_seed: int = 123):
        super().__init__()
        self._digits = open_mnist(folder)
        self.title = f"stacked {self._digits.title}"
        check_items(num_images, self.title)
        # The same stream of random numbers as in the original, which draws three per image.
        self._chosen = np.random.RandomState(random_seed).randint(len(self._digits), size=(num_images, 3))
        self.names = numbered_names(num_images)

    def read(self, index: int) -> np.ndarray:
        """uint8 [32, 32, 3]."""
        return np.concatenate([self._digits.read(int(digit)) for digit in self._chosen[index]], axis=2)


def open_cifar10(folder: str | Path) -> ArraySource:
    """CIFAR-10's training images, 32x32 RGB, ten classes: data_batch_1 to data_batch_5, pickles that are read without running them."""
    batches = [_read_cifar_batch(Path(folder) / f"data_batch_{number}", "labels") for number in range(1, 6)]
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    names = _cifar_class_names(Path(folder) / "batches.meta", "label_names", 10)
    return ArraySource(f"CIFAR-10 in {folder}", images, labels=labels, class_names=names)


def open_cifar100(folder: str | Path) -> ArraySource:
    """CIFAR-100's training images, 32x32 RGB, a hundred (fine) classes: the pickle `train`, read without running it."""
    images, labels = _read_cifar_batch(Path(folder) / "train", "fine_labels")
    names = _cifar_class_names(Path(folder) / "meta", "fine_label_names", 100)
    return ArraySource(f"CIFAR-100 in {folder}", images, labels=labels, class_names=names)


def open_svhn(path: str | Path) -> ArraySource:
    """SVHN's house numbers, 32x32 RGB, labels 0 to 9.

    Args:
        path: train_32x32.mat, its folder, or the folder of the original release's train_1.pkl to train_3.pkl.

    Raises:
        UserError, MissingFileError: files are missing or damaged.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / "train_32x32.mat").is_file():
            if (path / "train_1.pkl").is_file():
                return _open_svhn_pickles(path)
            raise UserError(f"{path} contains neither train_32x32.mat nor train_1.pkl.")
        path = path / "train_32x32.mat"
    images, labels = _read_mat(path)
    is_right = isinstance(images, np.ndarray) and images.ndim == 4 and images.shape[:3] == (32, 32, 3) and images.dtype == np.uint8
    if not is_right or not images.size:
        raise UserError(f"{path} must contain bytes X [32, 32, 3, n]. Received: {_kind_of(images)}")
    numbers = _as_labels(labels, images.shape[3], 11, path) % 10  # SVHN labels the digit 0 as 10
    return ArraySource(f"SVHN in {path}", images.transpose(3, 0, 1, 2), labels=numbers, class_names=_digit_names(10))


def _digit_names(count: int) -> tuple[str, ...]:
    """Class names "0", "1", ..."""
    return tuple(map(str, range(count)))


def _find_idx(folder: Path, stem: str) -> Path:
    """The IDX file by any of its usual names."""
    names = [f"{stem}.gz", stem, f"{stem.replace('-idx', '.idx')}.gz", stem.replace("-idx", ".idx")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise MissingFileError(f"{folder} contains no {names[0]} (nor {', '.join(names[1:])}).")


def _read_idx(path: Path, item_shape: tuple[int, ...]) -> np.ndarray:
    """An IDX file of bytes as uint8 [n, *item_shape]; the size in the header is checked before memory is allocated.

    Raises:
        UserError: not an IDX file, of another shape, truncated, larger than its header says, or packed as images never are.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            zeros, kind, rank = struct.unpack(">HBB", file.read(4))
            if zeros or kind != 8 or not 1 <= rank <= 4:
                raise UserError(f"{path} is not an IDX file of bytes.")
            shape = struct.unpack(f">{rank}I", file.read(4 * rank))
            if shape[1:] != item_shape:
                raise UserError(f"{path} must have the shape {['n', *item_shape]}. Received: {list(shape)}")
            count = math.prod(shape)
            check_unpacked(path, count)
            content = file.read(count + 1)
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise UserError(f"{path} is damaged: {error}. Download it again.") from None
    if len(content) != count:
        raise UserError(
            f"{path} has {'more' if len(content) > count else 'fewer'} bytes than the {count} in its header. Download it again."
        )
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_cifar_batch(path: Path, label_key: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 32, 32, 3] and class numbers int64 [n] of one batch."""
    batch = read_pickle(path, encoding="latin1")
    if not isinstance(batch, dict) or "data" not in batch or label_key not in batch:
        raise UserError(f"{path} is not a CIFAR batch: it must contain `data` and `{label_key}`.")
    images = _as_images(batch["data"], path)
    return images, _as_labels(batch[label_key], len(images), 100 if label_key == "fine_labels" else 10, path)


def _cifar_class_names(path: Path, key: str, count: int) -> tuple[str, ...]:
    """Names from the file beside the batches; numbers if it is missing."""
    if not path.is_file():
        return _digit_names(count)
    content = read_pickle(path, encoding="latin1")
    names = content.get(key) if isinstance(content, dict) else None
    if not isinstance(names, list) or len(names) != count:
        raise UserError(f"{path} must contain {count} `{key}`.")
    names = tuple(class_name(str(name)) for name in names)
    if len(set(names)) < count:
        raise UserError(f"{path}: two of the {count} `{key}` are equal.")
    return names


def _open_svhn_pickles(folder: Path) -> ArraySource:
    """SVHN as the original release reads it: train_1.pkl to train_3.pkl, each a pair of images [n, 3, 32, 32] and labels."""
    images, labels = [], []
    for number in range(1, 4):
        path = folder / f"train_{number}.pkl"
        content = read_pickle(path, encoding="latin1")
        if not isinstance(content, list | tuple) or len(content) < 2:
            raise UserError(f"{path} must contain a pair of images and labels.")
        images.append(_as_images(content[0], path))
        labels.append(_as_labels(content[1], len(images[-1]), 11, path) % 10)  # SVHN labels the digit 0 as 10
    return ArraySource(f"SVHN in {folder}", np.concatenate(images), labels=np.concatenate(labels), class_names=_digit_names(10))


def _as_images(values: object, path: Path) -> np.ndarray:
    """[n, 3, 32, 32] or [n, 3072] bytes as [n, 32, 32, 3]."""
    is_right = isinstance(values, np.ndarray) and values.dtype == np.uint8 and values.ndim >= 2 and len(values)
    if not is_right or math.prod(values.shape[1:]) != 3072:
        raise UserError(f"{path} must contain bytes [n, 3, 32, 32] of at least one image. Received: {_kind_of(values)}")
    return values.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def _as_labels(values: object, count: int, num_classes: int, path: Path) -> np.ndarray:
    """Class numbers as int64 [count]."""
    try:
        labels = np.asarray(values)
        is_whole = labels.dtype.kind in "iu" or (labels.dtype.kind == "f" and bool((labels % 1 == 0).all() and (abs(labels) < 2**31).all()))
        labels = labels.astype(np.int64).reshape(-1) if is_whole else None
    except (ValueError, TypeError, OverflowError):
        labels = None
    if labels is None or len(labels) != count or labels.min() < 0 or labels.max() >= num_classes:
        raise UserError(
            f"{path} must contain {count} labels, integers from 0 to {num_classes - 1}, one for each image. Received: {_kind_of(values)}"
        )
    return labels


def _kind_of(values: object) -> str:
    """Type and shape of anything, for messages."""
    if not isinstance(values, np.ndarray):
        return visible(f"{type(values).__name__} {str(values)[:60]}")
    text = f"{values.dtype} {list(values.shape)}"
    return f"{text} from {values.min()} to {values.max()}" if values.size and values.dtype.kind in "iuf" else text


def _read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """X and y of a MATLAB file, version 5 or 7.3 (HDF5).

    It is read here and not by scipy, which a damaged file can crash, and which takes memory for as many cells as are claimed.

    Raises:
        UserError: damaged, without X or y, not dense arrays of numbers, or it unpacks to more than is supported.
    """
    import h5py

    if not path.is_file():
        raise MissingFileError(f"There is no file {path}.")
    try:
        if h5py.is_hdf5(path):
            return _read_hdf5(path)
        arrays = dict(_parsed_array(element, order) for element, order in _elements(path))
        return arrays[b"X"], arrays[b"y"]
    except UserError:
        raise
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, struct.error, zlib.error) as error:
        raise UserError(f"{path} cannot be read as a MATLAB file with X and y of dense numbers: {visible(error)}") from None


def _elements(path: Path) -> Iterator[tuple[bytes, str]]:
    """The elements of a MATLAB file of version 5, inflated, and their byte order; refused if they expand too far."""
    total = 0
    with open(path, "rb") as file:
        order = {b"IM": "<", b"MI": ">"}.get(file.read(128)[126:])
        if order is None:
            raise ValueError("it does not begin as MATLAB files do")
        while len(tag := file.read(8)) == 8:
            kind, num_bytes = struct.unpack(f"{order}II", tag)
            check_unpacked(path, total + num_bytes)
            content = file.read(num_bytes)
            if kind != _COMPRESSED:
                total += num_bytes
                yield tag + content, order
                continue
            inflate, element = zlib.decompressobj(), bytearray()
            while content:
                element += inflate.decompress(content, _COPY_BYTES)
                check_unpacked(path, total + len(element))
                content = inflate.unconsumed_tail
            total += len(element)
            yield element, order


def _parsed_array(element: bytes, order: str) -> tuple[bytes, np.ndarray]:
    """Name and values of an array of numbers. Raises ValueError for anything else, and for damage."""
    place, parts = 8, []
    for _ in range(4):  # flags, shape, name, values
        kind, size = struct.unpack_from(f"{order}II", element, place)
        start, stop = place + 8, place + 8 + -(-size // 8) * 8
        if kind >> 16:  # up to four bytes are in the tag
            kind, size, start, stop = kind & 0xFFFF, kind >> 16, place + 4, place + 8
        parts.append((kind, element[start : start + size]))
        if len(parts[-1][1]) < size:
            raise ValueError("it ends too early")
        place = stop
    (_, flags), (_, shape), (_, name), (kind, values) = parts
    (word,) = struct.unpack_from(f"{order}I", flags)
    if word & 0xFF not in _CLASSES or word & _IS_COMPLEX or kind not in _TYPES:
        raise ValueError("it contains cells, text, sparse or complex numbers")
    sides = np.frombuffer(shape, f"{order}i4")
    if (sides < 0).any():
        raise ValueError("a negative size")
    stored = np.frombuffer(values, order + _TYPES[kind]).astype(_CLASSES[word & 0xFF])
    return bytes(name), stored.reshape(sides.tolist(), order="F")


def _read_hdf5(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import h5py

    arrays = []
    with h5py.File(path, "r") as file:
        for name in ("X", "y"):
            values = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
            if not isinstance(values, h5py.Dataset):
                raise UserError(f"{path} contains no array {name}.")
            check_unpacked(path, values.nbytes)
            check_hdf5(values, path)
            arrays.append(np.asarray(values).transpose())
    return arrays[0], arrays[1]
