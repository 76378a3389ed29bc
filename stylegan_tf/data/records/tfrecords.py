"""The contract on disk: names of record files, TFRecord framing, and the Example inside a record.

Needs no TensorFlow: the framing is a length, a payload and two checksums, the Example a small protocol buffer.
Source: the records of the original release (`shape` int64 [C, H, W], `data` raw bytes in that order); docs/formats.md.
"""

import functools
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stylegan_tf.data.records.crc32c import masked_crc32c
from stylegan_tf.resolution import log2

ENCODINGS = ("png", "raw", "jpeg")
COPY_AGAIN = "Copy the dataset again, or make it anew."  # what to try when a file is damaged
MANIFEST_NAME = "dataset.json"
HEADER_BYTES = 12  # uint64 length, uint32 masked CRC of it
FOOTER_BYTES = 4  # uint32 masked CRC of the payload
FRAME_BYTES = HEADER_BYTES + FOOTER_BYTES

_FILE_NAME = re.compile(r"(?P<name>.+)-r(?P<log2>\d\d)(?:-(?P<shard>\d{5})-of-(?P<num_shards>\d{5}))?\.tfrecords")
_DATA_KEY = b"\x0a\x04data"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers


class Example(NamedTuple):
    """One record: `shape` is [C, H, W]; `data` is raw bytes in that order, or a PNG or JPEG of the same image."""

    shape: tuple[int, ...]
    data: bytes | memoryview
    encoding: str = "raw"


class FileName(NamedTuple):
    """What the name of a record file says."""

    name: str
    resolution: int
    shard: int
    num_shards: int


def file_name(name: str, resolution: int, shard: int = 0, num_shards: int = 1) -> str:
    """NAME-r05.tfrecords for 32x32, or NAME-r05-00000-of-00004.tfrecords where there are several shards."""
    suffix = "" if num_shards == 1 else f"-{shard:05d}-of-{num_shards:05d}"
    return f"{name}-r{log2(resolution):02d}{suffix}.tfrecords"


def parse_file_name(path: Path) -> FileName | None:
    """Takes the name of a record file apart; None for any other file."""
    match = _FILE_NAME.fullmatch(path.name)
    if not match:
        return None
    return FileName(match["name"], 1 << int(match["log2"]), int(match["shard"] or 0), int(match["num_shards"] or 1))


def labels_name(name: str) -> str:
    """Name of the label file: a float32 .npy array [images, label_size] in the order of the records."""
    return f"{name}-rxx.labels"


def index_path(record_path: Path) -> Path:
    """Where the record offsets of a file are kept: an int64 .npy array [records + 1], the last one being the file's size."""
    return record_path.with_suffix(".index")


def encode_example(example: Example) -> bytes:
    """Serialises a record. The order of features is fixed, `data` last; the original's is random.

    A raw record holds `shape` and `data` alone, as the original's do; the others say their encoding too.
    """
    # From the inside out, all but the data themselves: these are copied once.
    size = len(example.data)
    value = _varint_field(1, size)
    bytes_list = _varint_field(1, len(value) + size) + value
    entry = _DATA_KEY + _varint_field(2, len(bytes_list) + size) + bytes_list
    features = _head(tuple(example.shape), example.encoding) + _varint_field(1, len(entry) + size) + entry
    return b"".join((_varint_field(1, len(features) + size), features, example.data))


def parse_example(payload: bytes | memoryview) -> Example:
    """Takes a record apart; `data` is a view of the payload.

    Raises:
        ValueError: not an Example, or one without `shape` and `data`.
    """
    features = {}
    payload = memoryview(payload)
    for features_message in _fields(payload, 1):
        for entry in _fields(features_message, 1):
            key = b"".join(_fields(entry, 1))
            features[bytes(key)] = next(iter(_fields(entry, 2)), memoryview(b""))
    if b"shape" not in features or b"data" not in features:
        raise ValueError("holds no features `shape` and `data`")
    values = _bytes_values(features[b"data"])
    if len(values) != 1:
        raise ValueError(f"`data` holds {len(values)} byte strings, not one")
    encoding = bytes(b"".join(_bytes_values(features.get(b"encoding", memoryview(b"")))) or b"raw")
    return Example(tuple(_int64_values(features[b"shape"])), values[0], encoding.decode("ascii", "replace"))


def example_pattern(shape: tuple[int, int, int], encoding: str) -> re.Pattern[bytes]:
    """Matches our records up to the bytes of the image; group 1 is the number of these bytes."""
    number = rb"[\x80-\xff]*[\x00-\x7f]"
    start = rb"\x0a" + number + re.escape(_head(shape, encoding)) + rb"\x0a" + number + re.escape(_DATA_KEY)
    return re.compile(start + rb"\x12" + number + rb"\x0a" + number + rb"\x0a(" + number + rb")", re.DOTALL)


@functools.lru_cache(maxsize=16)
def raw_layouts(shape: tuple[int, int, int]) -> list[tuple[np.ndarray, np.ndarray]]:
    """What stands before and after the pixels in a raw record: uint8 arrays.

    Ours have `shape` before `data`; the original's have either order.
    """
    num_bytes = int(np.prod(shape))
    record = encode_example(Example(shape, bytes(num_bytes)))
    before, head = record[: len(record) - num_bytes], _head(shape, "raw")
    layouts = [(before, b""), (before.replace(head, b"", 1), head)]
    return [(np.frombuffer(start, np.uint8), np.frombuffer(end, np.uint8)) for start, end in layouts]


def read_varint(message: bytes | memoryview, position: int = 0) -> tuple[int, int]:
    """A number of a protocol buffer and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("holds a damaged number")


def frame(payloads: Sequence[bytes]) -> tuple[list[bytes], list[int]]:
    """Puts TFRecord framing around payloads: the framed records and the masked CRCs of their payloads."""
    lengths = [struct.pack("<Q", len(payload)) for payload in payloads]
    checksums = masked_crc32c(payloads).tolist()
    framed = [
        b"".join((length, struct.pack("<I", length_crc), payload, struct.pack("<I", crc)))
        for length, length_crc, payload, crc in zip(lengths, masked_crc32c(lengths).tolist(), payloads, checksums, strict=True)
    ]
    return framed, checksums


@functools.lru_cache(maxsize=64)
def _head(shape: tuple[int, ...], encoding: str) -> bytes:
    """The features before `data`, which are the same in every record of a file."""
    values = _field(3, _field(1, b"".join(map(_varint, shape))))  # Feature.int64_list.value, packed
    features = [] if encoding == "raw" else [(b"encoding", _field(1, _field(1, encoding.encode())))]
    return b"".join(_field(1, _field(1, key) + _field(2, value)) for key, value in [*features, (b"shape", values)])


def _field(number: int, content: bytes | memoryview) -> bytes:
    return b"".join((_varint_field(number, len(content)), content))


def _varint_field(number: int, size: int) -> bytes:
    """What stands before the `size` bytes of a field."""
    return bytes([number << 3 | _BYTES]) + _varint(size)


def _varint(value: int) -> bytes:
    size = max(1, -(-value.bit_length() // 7))
    return bytes([value >> shift & 0x7F | 0x80 for shift in range(0, 7 * size - 7, 7)] + [value >> 7 * size - 7])


def _fields(message: memoryview, number: int):
    """Contents of all length-delimited fields with this number; others are skipped."""
    for found, wire_type, content in _all_fields(message):
        if found == number and wire_type == _BYTES:
            yield content


def _all_fields(message: memoryview):
    position = 0
    while position < len(message):
        key, position = read_varint(message, position)
        wire_type = key & 7
        if wire_type == _VARINT:
            content, position = read_varint(message, position)
            yield key >> 3, wire_type, content
            continue
        if wire_type == _BYTES:
            size, position = read_varint(message, position)
        elif wire_type in (_FIXED64, _FIXED32):
            size = 8 if wire_type == _FIXED64 else 4
        else:
            raise ValueError("is not a TensorFlow Example")
        if size > len(message) - position:
            raise ValueError("is not a TensorFlow Example (a part is longer than the whole)")
        yield key >> 3, wire_type, message[position : position + size]
        position += size


def _bytes_values(feature: memoryview) -> list[memoryview]:
    return [value for bytes_list in _fields(feature, 1) for value in _fields(bytes_list, 1)]


def _int64_values(feature: memoryview) -> list[int]:
    """Values of an int64 list, packed or not."""
    values = []
    for int64_list in _fields(feature, 3):
        for number, wire_type, content in _all_fields(int64_list):
            if number == 1 and wire_type == _VARINT:
                values.append(content)
            elif number == 1 and wire_type == _BYTES:
                position = 0
                while position < len(content):
                    value, position = read_varint(content, position)
                    values.append(value)
    return values
