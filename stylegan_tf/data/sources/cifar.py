"""CIFAR-10, CIFAR-100 and the pickled SVHN of the original: Python 2 pickles, read without running them."""

from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf.data.sources.base import ArraySource
from stylegan_tf.data.sources.mnist import range_names
from stylegan_tf.errors import UserError
from stylegan_tf.safe_pickle import read_pickle


def open_cifar10(folder: str | Path) -> ArraySource:
    """CIFAR-10's training images, 32x32 RGB, ten classes: data_batch_1 to data_batch_5."""
    batches = [_read_batch(Path(folder) / f"data_batch_{number}", "labels") for number in range(1, 6)]
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    names = _class_names(Path(folder) / "batches.meta", "label_names", 10)
    return ArraySource(f"CIFAR-10 in {folder}", images, labels=labels, class_names=names)


def open_cifar100(folder: str | Path) -> ArraySource:
    """CIFAR-100's training images, 32x32 RGB, a hundred (fine) classes: the file `train`."""
    images, labels = _read_batch(Path(folder) / "train", "fine_labels")
    names = _class_names(Path(folder) / "meta", "fine_label_names", 100)
    return ArraySource(f"CIFAR-100 in {folder}", images, labels=labels, class_names=names)


def open_svhn_pickles(folder: str | Path) -> ArraySource:
    """SVHN as the original reads it: train_1.pkl to train_3.pkl, each a pair of images [n, 3, 32, 32] and labels."""
    images, labels = [], []
    for number in range(1, 4):
        path = Path(folder) / f"train_{number}.pkl"
        content = read_pickle(path, encoding="latin1")
        if not isinstance(content, list | tuple) or len(content) < 2:
            raise UserError(f"{path} should hold a pair of images and labels.")
        images.append(_as_images(content[0], path))
        # SVHN's own files call the digit 0 "10".
        labels.append(_as_labels(content[1], len(images[-1]), path) % 10)
    return ArraySource(f"SVHN in {folder}", np.concatenate(images), labels=np.concatenate(labels), class_names=range_names(10))


def _read_batch(path: Path, label_key: str) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 [n, 32, 32, 3] and class numbers int64 [n] of one batch."""
    batch = read_pickle(path, encoding="latin1")
    if not isinstance(batch, dict) or "data" not in batch or label_key not in batch:
        raise UserError(f"{path} is no CIFAR batch: it should hold `data` and `{label_key}`.")
    images = _as_images(batch["data"], path)
    return images, _as_labels(batch[label_key], len(images), path)


def _as_images(values: Any, path: Path) -> np.ndarray:
    """[n, 3, 32, 32] or [n, 3072] bytes as [n, 32, 32, 3]."""
    if not isinstance(values, np.ndarray) or values.dtype != np.uint8 or values.ndim < 2 or values[0].size != 3072:
        raise UserError(f"{path} should hold bytes [n, 3, 32, 32].")
    return values.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def _as_labels(values: Any, count: int, path: Path) -> np.ndarray:
    try:
        labels = np.asarray(values).astype(np.int64).reshape(-1)
    except (ValueError, TypeError):
        labels = np.zeros(0)
    if len(labels) != count:
        raise UserError(f"{path} should hold {count} labels, one for each image.")
    return labels


def _class_names(path: Path, key: str, count: int) -> tuple[str, ...]:
    """Names from the file beside the batches; numbers where it is missing."""
    if not path.is_file():
        return range_names(count)
    content = read_pickle(path, encoding="latin1")
    names = content.get(key) if isinstance(content, dict) else None
    if not isinstance(names, list) or len(names) != count:
        raise UserError(f"{path} should hold {count} `{key}`.")
    return tuple(map(str, names))
