"""The files of a dataset while they are written: record files of one resolution, and the label file."""

import contextlib
import io
import os
from array import array
from pathlib import Path
from typing import BinaryIO

import numpy as np

from stylegan_tf.array_files import read_npy
from stylegan_tf.data.records.encoding import Records
from stylegan_tf.data.records.manifest import file_name
from stylegan_tf.data.records.record_file import save_index
from stylegan_tf.errors import UserError

_BUFFER_BYTES = 1 << 20  # of one resolution: fewer system calls, each of which has to wait for the threads that encode
_HEADER_BYTES = 128  # what NumPy writes for any float32 matrix


class LevelWriter:
    """Appends records to the file of one resolution, and keeps offsets and checksums (12 bytes a record)."""

    def __init__(self, folder: Path, name: str, resolution: int):
        self.resolution = resolution
        self._path = folder / file_name(name, resolution)
        self._file = open(self._path, "wb", buffering=_BUFFER_BYTES)  # noqa: SIM115 - closed by `close`
        self._offsets = array("q", [0])
        self._checksums = array("L")

    def append(self, records: Records) -> None:
        """Writes framed records."""
        self._file.writelines(records.framed)
        for framed in records.framed:
            self._offsets.append(self._offsets[-1] + len(framed))
        self._checksums.extend(records.checksums)

    def checksums(self) -> np.ndarray:
        """Masked CRC of every record so far: uint32."""
        return np.array(self._checksums, np.uint32)

    def finish(self) -> None:
        """Flushes everything to the disk and writes the index."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        save_index(self._path, np.array(self._offsets, np.int64))

    def close(self) -> None:
        """Closes the file, finished or not."""
        with contextlib.suppress(OSError):  # a full disk fails again when the buffer is flushed
            self._file.close()


class LabelWriter:
    """Writes a float32 .npy array [images, label_size] row by row, its header last; creates no file if there are no labels."""

    def __init__(self, path: Path, num_classes: int):
        self._path = path
        self._num_classes = num_classes
        self._file: BinaryIO | None = None
        self._num_images = 0
        self._label_size: int | None = None  # None as long as images have no labels

    def add(self, label: np.ndarray | int | None) -> None:
        """Appends the label of the next image: a vector, a class number, or None.

        Raises:
            UserError: a class number without a class name, or a label of another size than those before.
        """
        row = None if label is None else self._as_row(label)
        label_size = None if row is None else len(row)
        if self._num_images == 0:
            self._label_size = label_size
        if label_size != self._label_size:
            raise UserError(
                "Labels must have the same size for all images, or all images must be without a label. "
                f"Image {self._num_images} has {label_size or 'no'} numbers, those before {self._label_size or 'no'}."
            )
        if row is not None:
            self._open().write(row.tobytes())
        self._num_images += 1

    def finish(self, num_images: int) -> np.ndarray | None:
        """Completes the file and maps it: float32 [num_images, label_size], or None without labels.

        Raises:
            UserError: the size of the labels is not the number of classes.
        """
        if self._label_size is None:
            return None
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
        """Closes the file, finished or not."""
        if self._file:
            with contextlib.suppress(OSError):  # a full disk fails again when the buffer is flushed
                self._file.close()

    def _open(self) -> BinaryIO:
        if not self._file:
            self._file = open(self._path, "w+b")  # noqa: SIM115 - closed by `close`
            self._file.write(bytes(_HEADER_BYTES))
        return self._file

    def _as_row(self, label: np.ndarray | int) -> np.ndarray:
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
