"""One TFRecord file opened for random access: where its records lie, and their payloads by number."""

import contextlib
import os
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from stylegan_tf.array_files import read_npy
from stylegan_tf.data.records.crc32c import masked_crc32c
from stylegan_tf.data.records.tfrecords import COPY_AGAIN, FOOTER_BYTES, FRAME_BYTES, HEADER_BYTES, index_path
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.files import atomic_path

_CHECKED_BYTES = 4 << 20
_BUFFERS_KEPT = 2  # as many batches as are read at the same time


class RecordFile:
    """Records of one file, read by number and without a shared file position, so that threads may use it together.

    Args:
        path: a TFRecord file. Its offsets come from the index beside it where that fits the file's size, and from
            one walk over the file otherwise (400,000 records a second).

    Raises:
        MissingFileError: no such file.
        UserError: the file is cut, or a length in it is damaged; names the record.
    """

    def __init__(self, path: Path):
        self.path = Path(path)
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - lives as long as this object
        except FileNotFoundError:
            raise MissingFileError(f"{path} is missing. {COPY_AGAIN}") from None
        self.num_bytes = os.fstat(self._file.fileno()).st_size
        offsets = _load_index(index_path(self.path), self.num_bytes)
        self.offsets = scan_offsets(self.path) if offsets is None else offsets  # int64 [records + 1]
        self._buffers: deque[np.ndarray] = deque(maxlen=_BUFFERS_KEPT)
        sizes = np.diff(self.offsets)
        self.frame_bytes = int(sizes[0]) if len(sizes) and (sizes == sizes[0]).all() else None  # where all are of one size

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def read_frame(self, row: int) -> bytes:
        """A record with its framing, unchecked."""
        start, stop = int(self.offsets[row]), int(self.offsets[row + 1])
        return os.pread(self._file.fileno(), stop - start, start)

    def read_payload(self, row: int) -> memoryview:
        """A record without its framing, after a look at its length; its checksum is left to `check_payloads`."""
        frame = self.read_frame(row)
        size = int(self.offsets[row + 1] - self.offsets[row])
        if len(frame) != size:
            raise UserError(f"{self.path} is cut in record {row}. {COPY_AGAIN}")
        if struct.unpack_from("<Q", frame)[0] != size - FRAME_BYTES:
            raise UserError(f"{self.path}: record {row} is damaged (its length does not fit its place in the file). {COPY_AGAIN}")
        return memoryview(frame)[HEADER_BYTES:-FOOTER_BYTES]

    @contextlib.contextmanager
    def read_same_size(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Lends framed records that are all `frame_bytes` long, their lengths checked: uint8 [rows, frame_bytes]."""
        descriptor = self._file.fileno()
        try:  # used again by the next batch: fresh memory costs more than what is read into it
            frames = self._buffers.pop()
        except IndexError:
            frames = np.empty((0, 0), np.uint8)
        if frames.shape != (len(rows), self.frame_bytes):
            frames = np.empty((len(rows), self.frame_bytes), np.uint8)
        for frame, row in zip(frames, rows.tolist(), strict=True):
            if os.preadv(descriptor, [frame], row * self.frame_bytes) != self.frame_bytes:
                raise UserError(f"{self.path} is cut in record {row}. {COPY_AGAIN}")
        expected = np.frombuffer(struct.pack("<Q", self.frame_bytes - FRAME_BYTES), np.uint8)
        damaged = np.flatnonzero((frames[:, :8] != expected).any(axis=1))
        if len(damaged):
            raise UserError(f"{self.path}: record {rows[damaged[0]]} is damaged (its length is wrong). {COPY_AGAIN}")
        yield frames
        self._buffers.append(frames)

    def check_payloads(self, rows: Sequence[int], payloads: Sequence[memoryview]) -> None:
        """Compares payloads with the checksums that their records state; raises UserError naming the first that differs."""
        for row, found in zip(rows, masked_crc32c(payloads).tolist(), strict=True):
            if found != self.read_checksum(row):
                raise UserError(f"{self.path}: record {row} is damaged (its checksum is wrong). {COPY_AGAIN}")

    def check_frames(self, rows: np.ndarray, frames: np.ndarray) -> None:
        """The same for records of one size with their framing, uint8 [rows, frame_bytes], a few megabytes at a time."""
        step = max(1, _CHECKED_BYTES // frames.shape[1])
        for first in range(0, len(rows), step):
            some = frames[first : first + step]
            stated = np.ascontiguousarray(some[:, -FOOTER_BYTES:]).view("<u4")[:, 0]
            damaged = np.flatnonzero(masked_crc32c(some[:, HEADER_BYTES:-FOOTER_BYTES]) != stated)
            if len(damaged):
                raise UserError(f"{self.path}: record {rows[first + damaged[0]]} is damaged (its checksum is wrong). {COPY_AGAIN}")

    def read_checksum(self, row: int) -> int:
        """Masked CRC of the payload as the record states it."""
        return int.from_bytes(os.pread(self._file.fileno(), FOOTER_BYTES, int(self.offsets[row + 1]) - FOOTER_BYTES), "little")

    def checksums(self) -> np.ndarray:
        """Stated checksums of all records: uint32 [records]. They stand for the content in digests."""
        return np.fromiter(map(self.read_checksum, range(len(self))), np.uint32, len(self))

    def close(self) -> None:
        """Closes the file; reading fails from then on."""
        self._file.close()


def scan_offsets(path: Path) -> np.ndarray:
    """Walks over a TFRecord file from length to length, checking every length by its checksum.

    Returns:
        int64 [records + 1]: where every record starts, and the size of the file.

    Raises:
        UserError: the file is cut or a length is damaged; names the record.
    """
    offset, offsets, headers = 0, [0], []
    with open(path, "rb") as file:
        num_bytes = os.fstat(file.fileno()).st_size
        while offset < num_bytes:
            header = file.read(HEADER_BYTES)
            if len(header) < HEADER_BYTES:
                break
            headers.append(header)
            offset += FRAME_BYTES + int.from_bytes(header[:8], "little")
            offsets.append(offset)
            if offset < num_bytes:
                file.seek(offset)

    words = np.frombuffer(b"".join(headers), "<u4").reshape(-1, 3)
    damaged = np.flatnonzero(masked_crc32c(np.ascontiguousarray(words[:, :2]).view(np.uint8)) != words[:, 2])
    if len(damaged):
        raise UserError(
            f"{path}: record {damaged[0]} is damaged (the checksum of its length is wrong), or this is not a TFRecord file. {COPY_AGAIN}"
        )
    if offsets[-1] != num_bytes:
        cut = len(headers) - (offsets[-1] > num_bytes)
        raise UserError(f"{path} is cut in record {cut}. {COPY_AGAIN}")
    return np.array(offsets, np.int64)


def save_index(record_path: Path, offsets: np.ndarray) -> None:
    """Keeps the offsets of a record file beside it."""
    with atomic_path(index_path(record_path)) as temporary, open(temporary, "wb") as file:
        np.save(file, np.asarray(offsets, np.int64))


def _load_index(path: Path, num_bytes: int) -> np.ndarray | None:
    """Offsets from an index file, or None where there is none or it belongs to another state of the record file."""
    try:
        offsets = read_npy(path)
    except UserError:
        return None
    if offsets.dtype != np.int64 or offsets.ndim != 1 or len(offsets) < 1:
        return None
    fits = offsets[0] == 0 and offsets[-1] == num_bytes and (np.diff(offsets) >= FRAME_BYTES).all()
    return offsets if fits else None
