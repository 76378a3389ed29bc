"""All records of one resolution, over one file or several shards: examples by image number."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylegan_tf.data.record_file import RecordFile
from stylegan_tf.data.tfrecords import COPY_AGAIN, ENCODINGS, FOOTER_BYTES, HEADER_BYTES, Example, encode_example, parse_example
from stylegan_tf.errors import UserError


class Level:
    """Records of one resolution. Image i is record i // num_shards of shard i % num_shards.

    Attributes:
        resolution: side of the images.
        num_images, channels, encoding: read from the files.
        files: one RecordFile a shard.

    Raises:
        UserError: a file is cut or damaged, shards have lengths that do not fit together, or the first record is no image
            of this resolution.
    """

    def __init__(self, paths: Sequence[Path], resolution: int):
        self.resolution = resolution
        self.files = [RecordFile(path) for path in paths]
        self.num_images = sum(map(len, self.files))
        if not self.num_images:
            raise UserError(f"{paths[0]} holds no records. Make the dataset anew.")
        for shard, file in enumerate(self.files):
            expected = (self.num_images - shard + len(self.files) - 1) // len(self.files)
            if len(file) != expected:
                raise UserError(f"{file.path} holds {len(file)} records, {expected} would fit the other shards. Copy the dataset again.")
        first = self._parse(0)
        if len(first.shape) != 3 or tuple(first.shape[1:]) != (resolution, resolution) or not 1 <= first.shape[0] <= 4:
            raise UserError(f"{paths[0]}: record 0 has shape {list(first.shape)}, not [C, {resolution}, {resolution}].")
        if first.encoding not in ENCODINGS:
            raise UserError(f"{paths[0]}: record 0 is encoded as {first.encoding!r}. Known encodings: {', '.join(ENCODINGS)}")
        self.channels, self.encoding = first.shape[0], first.encoding

    @property
    def shape(self) -> tuple[int, int, int]:
        """[C, H, W] of every image."""
        return self.channels, self.resolution, self.resolution

    def where(self, index: int) -> str:
        """File and record of an image, for messages."""
        return f"{self.files[index % len(self.files)].path}: record {index // len(self.files)}"

    def read_example(self, index: int) -> Example:
        """One record, its shape and encoding checked.

        Raises:
            UserError: damaged; names file and record.
        """
        example = self._parse(index)
        if tuple(example.shape) != self.shape or example.encoding != self.encoding:
            raise UserError(
                f"{self.where(index)} has shape {list(example.shape)} ({example.encoding}) where {list(self.shape)} ({self.encoding}) "
                f"is expected. {COPY_AGAIN}"
            )
        return example

    def read_data(self, indices: Sequence[int]) -> list[memoryview]:
        """Encoded bytes of several images."""
        return [self.read_example(int(index)).data for index in indices]

    def read_raw(self, indices: np.ndarray) -> np.ndarray:
        """Raw images uint8 [N, C, R, R], without work per pixel.

        Raises:
            UserError: damaged; names file and record.
        """
        num_bytes = int(np.prod(self.shape))
        images = np.empty((len(indices), num_bytes), np.uint8)
        shards = indices % len(self.files)
        for shard, file in enumerate(self.files):
            places = np.flatnonzero(shards == shard)
            if file.frame_bytes is None:  # foreign records of several sizes
                for place in places:
                    images[place] = self._raw_bytes(int(indices[place]))
            elif len(places):
                self._read_fixed(file, shard, indices, places, images)
        return images.reshape(len(indices), *self.shape)

    def checksums(self) -> np.ndarray:
        """Masked CRCs that the records state, in image order: uint32 [num_images]."""
        checksums = np.empty(self.num_images, np.uint32)
        for shard, file in enumerate(self.files):
            checksums[shard :: len(self.files)] = file.checksums()
        return checksums

    def _parse(self, index: int) -> Example:
        file = self.files[index % len(self.files)]
        payload = file.read_payload(index // len(self.files))
        try:
            return parse_example(payload)
        except ValueError as error:
            raise UserError(f"{self.where(index)} {error}. {COPY_AGAIN}") from error

    def _raw_bytes(self, index: int) -> np.ndarray:
        data = np.frombuffer(self.read_example(index).data, np.uint8)
        if len(data) != int(np.prod(self.shape)):
            raise UserError(f"{self.where(index)} holds {len(data)} bytes of pixels where {list(self.shape)} is expected.")
        return data

    def _read_fixed(self, file: RecordFile, shard: int, indices: np.ndarray, places: np.ndarray, images: np.ndarray) -> None:
        """Slices the pixels out of records of one size, whose two features come in either order."""
        frames = np.empty((len(places), file.frame_bytes), np.uint8)
        file.read_into((indices[places] // len(self.files)).tolist(), frames)
        payloads = frames[:, HEADER_BYTES:-FOOTER_BYTES]
        rest = np.ones(len(places), bool)
        for head, tail in _layouts(self.shape):
            data_bytes = images.shape[1]
            if len(head) + data_bytes + len(tail) != payloads.shape[1]:
                continue
            fits = rest & (payloads[:, : len(head)] == head).all(axis=1) & (payloads[:, len(head) + data_bytes :] == tail).all(axis=1)
            if fits.all():
                images[places] = payloads[:, len(head) : len(head) + data_bytes]
                return
            images[places[fits]] = payloads[fits, len(head) : len(head) + data_bytes]
            rest &= ~fits
        for place in places[rest]:
            images[place] = self._raw_bytes(int(indices[place]))


def _layouts(shape: tuple[int, int, int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """What stands before and after the pixels of a raw record: `shape` first (ours), or `data` first (the original's, at times)."""
    num_bytes = int(np.prod(shape))
    ours = encode_example(Example(shape, bytes(num_bytes)))
    head = ours[: len(ours) - num_bytes]
    start = head.index(b"\x0a\x05shape") - 2  # the entry of `shape` begins with its tag and its length
    stop = start + 2 + head[start + 1]
    layouts = [(head, b""), (head[:start] + head[stop:], head[start:stop])]
    return [(np.frombuffer(before, np.uint8), np.frombuffer(after, np.uint8)) for before, after in layouts]
