"""The label file while it is being written: labels go to the disk as they come, the .npy header last."""

import contextlib
import io
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stylegan_tf.array_files import read_npy
from stylegan_tf.errors import UserError

_HEADER_BYTES = 128  # what NumPy writes for any float32 matrix


class LabelWriter:
    """Writes a float32 .npy array [images, label_size] row by row; makes no file where there are no labels."""

    def __init__(self, path: Path, num_classes: int):
        self._path = path
        self._num_classes = num_classes
        self._file: BinaryIO | None = None
        self._num_images = 0
        self._label_size: int | None = None  # None as long as images come without labels

    def add(self, label: Any) -> None:
        """Takes the label of the next image: a vector, a class number, or None.

        Raises:
            UserError: a class number without its class name, or a label of another size than those before.
        """
        row = None if label is None else self._as_row(label)
        label_size = None if row is None else len(row)
        if self._num_images == 0:
            self._label_size = label_size
        if label_size != self._label_size:
            raise UserError(
                "Every image needs a label of the same size, or none has one. "
                f"Image {self._num_images} has {label_size or 'no'} numbers, those before {self._label_size or 'no'}."
            )
        if row is not None:
            self._open().write(row.tobytes())
        self._num_images += 1

    def set_all(self, labels: np.ndarray) -> None:
        """Sets the labels of all images at once, in place of those given so far: [num_images, label_size]."""
        labels = np.asarray(labels)
        if labels.ndim != 2 or labels.shape[1] < 1 or labels.dtype.kind not in "biuf":
            raise UserError(f"Labels must be numbers [images, label_size]. Received: {labels.dtype} {list(labels.shape)}")
        file = self._open()
        file.truncate(_HEADER_BYTES)
        file.seek(_HEADER_BYTES)
        file.write(np.ascontiguousarray(labels, np.float32).tobytes())
        self._num_images, self._label_size = labels.shape

    def finish(self, num_images: int) -> np.ndarray | None:
        """Completes the file and maps it: float32 [num_images, label_size], or None without labels.

        Raises:
            UserError: the number of labels is not that of the images, or their size not that of the classes.
        """
        if self._label_size is None:
            return None
        if self._num_images != num_images:
            raise UserError(f"{self._num_images} labels were given for {num_images} images.")
        if self._num_classes not in (0, self._label_size):
            raise UserError(f"Labels have {self._label_size} numbers, but {self._num_classes} classes are named.")
        header = io.BytesIO()
        shape = (num_images, self._label_size)
        np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
        if len(header.getvalue()) != _HEADER_BYTES:
            raise RuntimeError(f"NumPy's header of {shape} takes {len(header.getvalue())} bytes, not {_HEADER_BYTES}")
        file = self._open()
        file.seek(0)
        file.write(header.getvalue())
        file.flush()
        os.fsync(file.fileno())
        return read_npy(self._path, is_mapped=True)

    def close(self) -> None:
        """Closes the file whatever state it is in."""
        if self._file:
            with contextlib.suppress(OSError):  # a full disk fails again when the buffer is flushed
                self._file.close()

    def _open(self) -> BinaryIO:
        if not self._file:
            self._file = open(self._path, "w+b")  # noqa: SIM115 - closed by `close`
            self._file.write(bytes(_HEADER_BYTES))
        return self._file

    def _as_row(self, label: Any) -> np.ndarray:
        label = np.asarray(label)
        if label.ndim == 1 and len(label) and label.dtype.kind in "biuf":
            return label.astype("<f4")
        if label.ndim != 0 or label.dtype.kind not in "iu":
            raise UserError(f"The label of image {self._num_images} must be a vector or a class number. Received: {str(label)[:60]}")
        if not 0 <= label < self._num_classes:
            raise UserError(f"Image {self._num_images} has class number {label}, but {self._num_classes} classes are named.")
        row = np.zeros(self._num_classes, "<f4")
        row[int(label)] = 1
        return row
