"""All records of one resolution, in one file or several shards: images by number, decoded or as stored."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylegan_tf.data.records.codecs import ENCODINGS, check_header, decode_image
from stylegan_tf.data.records.record_file import RecordFile
from stylegan_tf.data.records.tfrecords import COPY_AGAIN, Example, example_pattern, parse_example, read_varint
from stylegan_tf.errors import UserError


class Level:
    """Records of one resolution. Image i is record i // num_shards of shard i % num_shards.

    Attributes:
        resolution: side of the images.
        num_images, channels, encoding: read from the files.
        files: one RecordFile a shard.

    Raises:
        UserError: a file is truncated or damaged, the shards' lengths are inconsistent, or the first record is not an image
            of this resolution.
    """

    def __init__(self, paths: Sequence[Path], resolution: int):
        self.resolution = resolution
        self.files = [RecordFile(path) for path in paths]
        self.num_images = sum(map(len, self.files))
        if not self.num_images:
            raise UserError(f"{paths[0]} contains no records. Make the dataset again.")
        for shard, file in enumerate(self.files):
            expected = (self.num_images - shard + len(self.files) - 1) // len(self.files)
            if len(file) != expected:
                raise UserError(f"{file.path} contains {len(file)} records, {expected} expected from the other shards. {COPY_AGAIN}")
        self.files[0].check_payloads([0], [self._payload(0)])
        first = self._parse(self._payload(0), 0)
        if len(first.shape) != 3 or first.shape[1:] != (resolution, resolution) or not 1 <= first.shape[0] <= 4:
            raise UserError(f"{self.where(0)} has shape {list(first.shape)}, expected [C, {resolution}, {resolution}]. {COPY_AGAIN}")
        if first.encoding not in ENCODINGS:
            raise UserError(f"{self.where(0)} is encoded as {first.encoding!r}. Known encodings: {', '.join(ENCODINGS)}")
        self.channels, self.encoding = first.shape[0], first.encoding
        self._is_checked = np.zeros(self.num_images, bool)
        self._usual_start: re.Pattern[bytes] = example_pattern(self.shape, self.encoding)

    @property
    def shape(self) -> tuple[int, int, int]:
        """[C, H, W] of every image."""
        return self.channels, self.resolution, self.resolution

    def where(self, index: int) -> str:
        """File and record of an image, for messages."""
        return f"{self.files[index % len(self.files)].path}: record {index // len(self.files)}"

    def read_image(self, index: int) -> np.ndarray:
        """One image, uint8 [R, R, C]; its checksum is verified when it is read for the first time.

        Raises:
            UserError: damaged; names the file and the record.
        """
        data = self.read_checked(np.array([index]))[0]
        try:
            return decode_image(data, self.encoding, self.shape)
        except ValueError as error:
            raise UserError(f"{self.where(index)} {error}. {COPY_AGAIN}") from error

    def read_data(self, index: int) -> memoryview:
        """Encoded bytes of one image; its checksum is not verified.

        Raises:
            UserError: damaged, or of another shape or encoding; names the file and the record.
        """
        return self._data_in(self._payload(index), index)

    def read_checked(self, indices: np.ndarray) -> list[bytes]:
        """Encoded bytes of several images; checksums are verified when a record is read for the first time.

        Raises:
            UserError: see `read_data`; or a wrong checksum.
        """
        payloads = [self._payload(index) for index in indices.tolist()]
        for shard, file in enumerate(self.files):
            fresh = np.flatnonzero(~self._is_checked[indices] & (indices % len(self.files) == shard))
            file.check_payloads((indices[fresh] // len(self.files)).tolist(), [payloads[place] for place in fresh.tolist()])
        self._is_checked[indices] = True
        return [self._checked_data(payload, index) for payload, index in zip(payloads, indices.tolist(), strict=True)]

    def checksums(self) -> np.ndarray:
        """Masked CRCs stored in the records, in image order: uint32 [num_images]."""
        checksums = np.empty(self.num_images, np.uint32)
        for shard, file in enumerate(self.files):
            checksums[shard :: len(self.files)] = file.checksums()
        return checksums

    def _payload(self, index: int) -> memoryview:
        return self.files[index % len(self.files)].read_payload(index // len(self.files))

    def _data_in(self, payload: memoryview, index: int) -> memoryview:
        usual = self._usual_start.match(payload)  # the layout of our own records, recognised without parsing
        if usual and read_varint(usual[1])[0] == len(payload) - usual.end():
            return payload[usual.end() :]
        example = self._parse(payload, index)
        if example.shape != self.shape or example.encoding != self.encoding:
            raise UserError(
                f"{self.where(index)} has shape {list(example.shape)} ({example.encoding}), "
                f"expected {list(self.shape)} ({self.encoding}). {COPY_AGAIN}"
            )
        if self.encoding == "raw" and len(example.data) != np.prod(self.shape):
            raise UserError(f"{self.where(index)} contains {len(example.data)} bytes of pixels for {list(self.shape)}. {COPY_AGAIN}")
        return example.data

    def _checked_data(self, payload: memoryview, index: int) -> bytes:
        data = bytes(self._data_in(payload, index))
        try:
            check_header(data, self.encoding, self.shape)
        except ValueError as error:
            raise UserError(f"{self.where(index)} {error}. {COPY_AGAIN}") from error
        return data

    def _parse(self, payload: memoryview, index: int) -> Example:
        try:
            return parse_example(payload)
        except ValueError as error:
            raise UserError(f"{self.where(index)} {error}. {COPY_AGAIN}") from error
