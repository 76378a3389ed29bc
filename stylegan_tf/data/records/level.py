"""All records of one resolution: images by number, decoded or as stored."""

from pathlib import Path

import numpy as np

from stylegan_tf.data.records.codecs import ENCODINGS, check_header, decode_image
from stylegan_tf.data.records.record_file import RecordFile
from stylegan_tf.data.records.tfrecords import COPY_AGAIN, Example, parse_example
from stylegan_tf.errors import UserError


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
