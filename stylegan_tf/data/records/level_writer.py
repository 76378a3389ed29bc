"""The record files of one resolution while they are being written."""

import contextlib
import os
from array import array
from pathlib import Path

import numpy as np

from stylegan_tf.data.records.encoding import Records
from stylegan_tf.data.records.record_file import save_index
from stylegan_tf.data.records.tfrecords import file_name
from stylegan_tf.errors import UserError

_MAX_SHARDS = 99_999  # five digits in the names of files
_BUFFER_BYTES = 1 << 20  # of one resolution: a call of the system has to wait for its turn among the threads that encode


def check_shards(num_shards: int) -> None:
    """Raises UserError for a number of shards that cannot be."""
    if not 1 <= num_shards <= _MAX_SHARDS:
        raise UserError(f"The number of shards must be from 1 to {_MAX_SHARDS}. Received: {num_shards}")


class LevelWriter:
    """Appends records to the shards of one resolution in turn, and keeps what index and digest need (12 bytes a record)."""

    def __init__(self, folder: Path, name: str, resolution: int, num_shards: int):
        self.resolution = resolution
        self._paths = [folder / file_name(name, resolution, shard, num_shards) for shard in range(num_shards)]
        buffer = max(8192, _BUFFER_BYTES // num_shards)
        self._files = [open(path, "wb", buffering=buffer) for path in self._paths]  # noqa: SIM115 - closed by `close`
        self._offsets = [array("q", [0]) for _ in self._paths]
        self._checksums = array("L")

    def append(self, records: Records) -> None:
        """Writes framed records; image i goes to shard i % num_shards."""
        for framed, checksum in zip(records.framed, records.checksums, strict=True):
            shard = len(self._checksums) % len(self._files)
            self._files[shard].write(framed)
            self._offsets[shard].append(self._offsets[shard][-1] + len(framed))
            self._checksums.append(checksum)

    def checksums(self) -> np.ndarray:
        """Masked CRC of every record so far: uint32."""
        return np.array(self._checksums, np.uint32)

    def finish(self) -> None:
        """Brings everything to the disk and writes the indices."""
        for file, path, offsets in zip(self._files, self._paths, self._offsets, strict=True):
            file.flush()
            os.fsync(file.fileno())
            file.close()
            save_index(path, np.array(offsets, np.int64))

    def close(self) -> None:
        """Closes the files whatever state they are in."""
        for file in self._files:
            with contextlib.suppress(OSError):  # a full disk fails again when the buffer is flushed
                file.close()
