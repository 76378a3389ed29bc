"""From images to the files of a dataset while they are written: the pyramid, the bytes of every image, records, and labels."""

import contextlib
import io
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from stylegan_tf.array_files import read_npy
from stylegan_tf.data.records.codecs import encode_images, strip_jpeg
from stylegan_tf.data.records.level import save_index
from stylegan_tf.data.records.manifest import file_name
from stylegan_tf.data.records.tfrecords import Example, encode_example, frame
from stylegan_tf.errors import UserError
from stylegan_tf.resolution import MIN_RESOLUTION


class Item(NamedTuple):
    """An image to be written to a dataset; see `DatasetWriter.add`. A label is a vector, a class number or None."""

    image: np.ndarray
    label: np.ndarray | int | None = None
    encoded: bytes | None = None


class Records(NamedTuple):
    """Framed records of one level, and the masked CRCs of their payloads."""

    framed: list[bytes]
    checksums: list[int]


class Encoder:
    """Encodes images as records of every level, largest first. Stateless, so that threads can share it."""

    def __init__(self, *, resolution: int, channels: int, encoding: str, quality: int):
        self.resolution, self.channels, self.encoding, self.quality = resolution, channels, encoding, quality
        sides = (resolution >> level for level in range(resolution.bit_length()))
        self.resolutions = [side for side in sides if side >= MIN_RESOLUTION]

    @property
    def image_bytes(self) -> int:
        """Bytes of one image without compression."""
        return self.resolution**2 * self.channels

    def encode(self, items: Sequence[Item]) -> list[Records]:
        """Records of every level.

        Raises:
            UserError: an image of another shape or type.
        """
        if not items:
            return [Records([], []) for _ in self.resolutions]
        for item in items:
            self.check(item.image)
        images = np.stack([item.image for item in items])
        levels = []
        for level, pixels in enumerate(pyramid(images)):
            shape = (self.channels, *pixels.shape[1:3])
            data = self._encode_top(items, pixels) if level == 0 else encode_images(pixels, self.encoding, self.quality)
            levels.append(Records(*frame([encode_example(Example(shape, image_bytes, self.encoding)) for image_bytes in data])))
        return levels

    def check(self, image: np.ndarray) -> None:
        """Raises UserError for an image of another shape or type."""
        expected = (self.resolution, self.resolution, self.channels)
        if not isinstance(image, np.ndarray) or image.shape != expected or image.dtype != np.uint8:
            found = f"{image.dtype} {list(image.shape)}" if isinstance(image, np.ndarray) else type(image).__name__
            raise UserError(f"Images must be arrays of uint8 {list(expected)}. Received: {found}")

    def _encode_top(self, items: Sequence[Item], pixels: np.ndarray) -> list[bytes]:
        """The largest level: of JPEGs, the source's bytes if they can be stored as they are; a new encoding otherwise."""
        kept = [strip_jpeg(item.encoded, self.resolution, self.channels) if self.encoding == "jpeg" else None for item in items]
        rest = [place for place, known in enumerate(kept) if known is None]
        for place, encoded in zip(rest, encode_images(pixels[rest], self.encoding, self.quality), strict=True):
            kept[place] = encoded
        return kept


def pyramid(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the levels of a batch, largest first, down to 4x4: every level is the mean of 2x2 pixels of the level above.

    Args:
        images: uint8 [N, R, R, C], R a power of two from 4 to 1024.

    Yields:
        uint8 [N, r, r, C] for r = R, R / 2, ..., 4. Means are exact from level to level (float32 represents sums of
        4^8 bytes exactly), and only the yielded levels are rounded, half to even.

    Source: the TFRecord exporter of the original release, where level k + 1 is the float 2x2 mean of level k.
    """
    yield images
    means = images
    while means.shape[1] > MIN_RESOLUTION:
        means = halve(means)
        yield np.rint(means).astype(np.uint8)


def halve(images: np.ndarray) -> np.ndarray:
    """Mean of 2x2 pixels: [N, 2r, 2r, C] of uint8 or float32 to float32 [N, r, r, C]."""
    # uint16 holds the sum of two bytes. NumPy adds along contiguous rows quickly, along strided ones slowly: hence one channel at a time.
    rows = np.add(images[:, 0::2], images[:, 1::2], dtype=np.uint16 if images.dtype == np.uint8 else np.float32)
    means = np.empty((*rows.shape[:2], rows.shape[2] // 2, rows.shape[3]), np.float32)
    for channel in range(rows.shape[3]):
        np.add(rows[:, :, 0::2, channel], rows[:, :, 1::2, channel], out=means[..., channel], dtype=np.float32)
    means *= np.float32(0.25)
    return means


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
