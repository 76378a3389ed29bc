"""All records of one resolution: a TFRecord file opened for random access, and its images by number, decoded or as stored."""

import os
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylegan_tf.array_files import read_npy
from stylegan_tf.data.records.codecs import ENCODINGS, check_header, decode_image
from stylegan_tf.data.records.manifest import index_path
from stylegan_tf.data.records.tfrecords import COPY_AGAIN, FOOTER_BYTES, FRAME_BYTES, HEADER_BYTES, Example, masked_crc32c, parse_example
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.files import atomic_path

_CHECKED_AT_ONCE = 1 << 16  # headers of records
_MAX_RECORDS = 10_000_000  # of a file, as of images of a source


class Level:
    """Records of one resolution. Image i is record i.

    Attributes:
        resolution: side of the images.
        num_images, channels, encoding: read from the file.
        file: the records.

    Raises:
        UserError: the file is truncated or damaged, or the first record is not an image of this resolution.
    """

    def __init__(self, path: Path, resolution: int):
        self.resolution = resolution
        self.file = RecordFile(path)
        self.num_images = len(self.file)
        if not self.num_images:
            raise UserError(f"{path} contains no records. Make the dataset again.")
        self._is_checked = np.zeros(self.num_images, bool)
        self.file.check_payloads([0], [self.file.read_payload(0)])
        first = self._parse(self.file.read_payload(0), 0)
        if len(first.shape) != 3 or first.shape[1:] != (resolution, resolution) or not 1 <= first.shape[0] <= 4:
            raise UserError(f"{self._where(0)} has shape {list(first.shape)}, expected [C, {resolution}, {resolution}]. {COPY_AGAIN}")
        if first.encoding not in ENCODINGS:
            raise UserError(f"{self._where(0)} is encoded as {first.encoding!r}. Known encodings: {', '.join(ENCODINGS)}")
        self.channels, self.encoding = first.shape[0], first.encoding

    @property
    def shape(self) -> tuple[int, int, int]:
        """[C, H, W] of every image."""
        return self.channels, self.resolution, self.resolution

    def read_data(self, index: int) -> bytes:
        """Encoded bytes of one image. Raises as `read_checked`."""
        return self.read_checked(np.array([index]))[0]

    def read_image(self, index: int) -> np.ndarray:
        """One image, uint8 [R, R, C]. Raises as `read_checked`."""
        try:
            return decode_image(self.read_data(index), self.encoding, self.shape)
        except ValueError as error:
            raise UserError(f"{self._where(index)} {error}. {COPY_AGAIN}") from error

    def read_checked(self, indices: np.ndarray) -> list[bytes]:
        """Encoded bytes of several images; checksums are verified when a record is read for the first time.

        Raises:
            UserError: damaged, or of another shape or encoding; names the file and the record.
        """
        payloads = [self.file.read_payload(index) for index in indices.tolist()]
        fresh = np.flatnonzero(~self._is_checked[indices]).tolist()
        self.file.check_payloads(indices[fresh].tolist(), [payloads[place] for place in fresh])
        self._is_checked[indices] = True
        return [self._data_in(payload, index) for payload, index in zip(payloads, indices.tolist(), strict=True)]

    def _data_in(self, payload: bytes, index: int) -> bytes:
        example = self._parse(payload, index)
        if example.shape != self.shape or example.encoding != self.encoding:
            raise UserError(
                f"{self._where(index)} has shape {list(example.shape)} ({example.encoding}), "
                f"expected {list(self.shape)} ({self.encoding}). {COPY_AGAIN}"
            )
        try:
            check_header(example.data, self.encoding, self.shape)
        except ValueError as error:
            raise UserError(f"{self._where(index)} {error}. {COPY_AGAIN}") from error
        return example.data

    def _parse(self, payload: bytes, index: int) -> Example:
        try:
            return parse_example(payload)
        except ValueError as error:
            raise UserError(f"{self._where(index)} {error}. {COPY_AGAIN}") from error

    def _where(self, index: int) -> str:
        """File and record of an image, for messages."""
        return f"{self.file.path}: record {index}"


class RecordFile:
    """Records of one file, read by number. Thread-safe: there is no shared file position.

    Args:
        path: a TFRecord file. Its offsets are read from the index beside it if that fits the file's size, otherwise from
            the lengths in the file (400,000 records a second).

    Raises:
        MissingFileError: no such file.
        UserError: the file is truncated, or a length in it is damaged; names the record.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - open as long as this object exists
        except FileNotFoundError:
            raise MissingFileError(f"{path} is missing. {COPY_AGAIN}") from None
        self.num_bytes = os.fstat(self._file.fileno()).st_size
        offsets = _load_index(index_path(self.path), self.num_bytes)
        self.offsets = scan_offsets(self.path) if offsets is None else offsets  # int64 [records + 1]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def read_payload(self, row: int) -> memoryview:
        """A record without its framing; its length is verified here, its checksum by `check_payloads`."""
        start, stop = int(self.offsets[row]), int(self.offsets[row + 1])
        size = stop - start
        frame = os.pread(self._file.fileno(), size, start)
        if len(frame) != size:
            raise UserError(f"{self.path} is truncated in record {row}. {COPY_AGAIN}")
        if struct.unpack_from("<Q", frame)[0] != size - FRAME_BYTES:
            raise UserError(f"{self.path}: record {row} is damaged (its length does not match its offsets). {COPY_AGAIN}")
        return memoryview(frame)[HEADER_BYTES:-FOOTER_BYTES]

    def check_payloads(self, rows: Sequence[int], payloads: Sequence[memoryview]) -> None:
        """Compares payloads with the checksums in their records; raises UserError naming the first that differs."""
        for row, found in zip(rows, masked_crc32c(payloads).tolist(), strict=True):
            if found != self.read_checksum(row):
                raise UserError(f"{self.path}: record {row} is damaged (its checksum is wrong). {COPY_AGAIN}")

    def read_checksum(self, row: int) -> int:
        """Masked CRC of the payload, as stored in the record."""
        return int.from_bytes(os.pread(self._file.fileno(), FOOTER_BYTES, int(self.offsets[row + 1]) - FOOTER_BYTES), "little")

    def checksums(self) -> np.ndarray:
        """Stored checksums of all records: uint32 [records]. Digests are computed from them."""
        return np.fromiter(map(self.read_checksum, range(len(self))), np.uint32, len(self))

    def close(self) -> None:
        """Closes the file; later reads fail."""
        self._file.close()


def scan_offsets(path: Path) -> np.ndarray:
    """Finds the records of a TFRecord file by their lengths, and verifies the checksum of every length.

    Returns:
        int64 [records + 1]: the offset of every record, and the size of the file.

    Raises:
        UserError: the file is truncated or a length is damaged; names the record.
    """
    offset, offsets, headers = 0, [0], []

    def check() -> None:
        first = len(offsets) - 1 - len(headers)
        words = np.frombuffer(b"".join(headers), "<u4").reshape(-1, 3)
        damaged = np.flatnonzero(masked_crc32c(np.ascontiguousarray(words[:, :2]).view(np.uint8)) != words[:, 2])
        if len(damaged):
            record = f"{path}: record {first + damaged[0]} is damaged (the checksum of its length is wrong)"
            raise UserError(f"{record}, or this is not a TFRecord file. {COPY_AGAIN}")
        headers.clear()

    with open(path, "rb") as file:
        num_bytes = os.fstat(file.fileno()).st_size
        while offset < num_bytes:
            header = file.read(HEADER_BYTES)
            if len(header) < HEADER_BYTES:
                break
            headers.append(header)
            offset += FRAME_BYTES + int.from_bytes(header[:8], "little")
            offsets.append(offset)
            if len(headers) == _CHECKED_AT_ONCE:
                check()
                if len(offsets) > _MAX_RECORDS:
                    raise UserError(f"{path} has more than {_MAX_RECORDS:,} records.")
            if offset < num_bytes:
                file.seek(offset)
    check()
    if offsets[-1] != num_bytes:
        cut = len(offsets) - 1 - (offsets[-1] > num_bytes)
        raise UserError(f"{path} is truncated in record {cut}. {COPY_AGAIN}")
    return np.array(offsets, np.int64)


def save_index(record_path: Path, offsets: np.ndarray) -> None:
    """Writes the offsets of a record file to the index file beside it."""
    with atomic_path(index_path(record_path)) as temporary, open(temporary, "wb") as file:
        np.save(file, np.asarray(offsets, np.int64))


def _load_index(path: Path, num_bytes: int) -> np.ndarray | None:
    """Offsets from an index file, or None if there is none or it does not match the size of the record file."""
    try:
        offsets = read_npy(path)
    except UserError:
        return None
    if offsets.dtype != np.int64 or offsets.ndim != 1 or len(offsets) < 1:
        return None
    fits = offsets[0] == 0 and offsets[-1] == num_bytes and (np.diff(offsets) >= FRAME_BYTES).all()
    return offsets if fits else None
