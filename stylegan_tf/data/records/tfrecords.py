"""TFRecord files as bytes: framing, masked CRC-32C checksums, and the Example inside a record.

Needs no TensorFlow: the framing is a length, a payload and two checksums, the Example a small protocol buffer.
Source: the records of the original release (`shape` int64 [C, H, W], `data` raw bytes in that order); docs/formats.md.
"""

import functools
import re
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import google_crc32c
import numpy as np

COPY_AGAIN = "Copy or make the dataset again."  # what to try if a file is damaged
HEADER_BYTES = 12  # uint64 length, uint32 masked CRC of it
FOOTER_BYTES = 4  # uint32 masked CRC of the payload
FRAME_BYTES = HEADER_BYTES + FOOTER_BYTES

_MASK_DELTA = 0xA282EAD8  # TensorFlow stores rotate_right(crc, 15) + delta
_DATA_KEY = b"\x0a\x04data"
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types of protocol buffers


class Example(NamedTuple):
    """One record: `shape` is [C, H, W]; `data` is raw bytes in that order, or a PNG or JPEG of the same image."""

    shape: tuple[int, ...]
    data: bytes | memoryview
    encoding: str = "raw"


def masked_crc32c(strings: Sequence[bytes | memoryview] | np.ndarray) -> np.ndarray:
    """Masked CRC-32C of every byte string, as the TFRecord format stores it.

    Args:
        strings: see `crc32c`.

    Returns:
        uint32 [len(strings)].

    Source: RFC 3720, appendix B.4, for the polynomial; the TFRecord description in TensorFlow's guide for the mask.
    """
    crc = crc32c(strings)
    return ((crc >> np.uint32(15)) | (crc << np.uint32(17))) + np.uint32(_MASK_DELTA)


def crc32c(strings: Sequence[bytes | memoryview] | np.ndarray) -> np.ndarray:
    """CRC-32C of every byte string, or of every row of uint8 [n, length]: uint32 [len(strings)]."""
    # The package accepts writable memory only as an array.
    checksums = (google_crc32c.value(string if isinstance(string, bytes) else np.frombuffer(string, np.uint8)) for string in strings)
    return np.fromiter(checksums, np.uint32, len(strings))


def frame(payloads: Sequence[bytes]) -> tuple[list[bytes], list[int]]:
    """Adds TFRecord framing to payloads: the framed records and the masked CRCs of their payloads."""
    lengths = [struct.pack("<Q", len(payload)) for payload in payloads]
    checksums = masked_crc32c(payloads).tolist()
    framed = [
        b"".join((length, struct.pack("<I", length_crc), payload, struct.pack("<I", crc)))
        for length, length_crc, payload, crc in zip(lengths, masked_crc32c(lengths).tolist(), payloads, checksums, strict=True)
    ]
    return framed, checksums


def encode_example(example: Example) -> bytes:
    """Serialises a record. The order of features is fixed, `data` last; in the original's records it is random.

    A raw record holds `shape` and `data` only, as in the original's files; other encodings add a feature `encoding`.
    """
    # Built from the inside out and without the image data, which is copied only once, at the end.
    size = len(example.data)
    value = _varint_field(1, size)
    bytes_list = _varint_field(1, len(value) + size) + value
    entry = _DATA_KEY + _varint_field(2, len(bytes_list) + size) + bytes_list
    features = _head(tuple(example.shape), example.encoding) + _varint_field(1, len(entry) + size) + entry
    return b"".join((_varint_field(1, len(features) + size), features, example.data))


def parse_example(payload: bytes | memoryview) -> Example:
    """Parses a record; `data` is a view of the payload.

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
        raise ValueError("does not contain the features `shape` and `data`")
    values = _bytes_values(features[b"data"])
    if len(values) != 1:
        raise ValueError(f"contains {len(values)} byte strings in `data`, expected one")
    encoding = bytes(b"".join(_bytes_values(features.get(b"encoding", memoryview(b"")))) or b"raw")
    return Example(tuple(_int64_values(features[b"shape"])), values[0], encoding.decode("ascii", "replace"))


def example_pattern(shape: tuple[int, int, int], encoding: str) -> re.Pattern[bytes]:
    """Pattern of our own records up to the bytes of the image; group 1 is the number of these bytes."""
    number = rb"[\x80-\xff]*[\x00-\x7f]"
    start = rb"\x0a" + number + re.escape(_head(shape, encoding)) + rb"\x0a" + number + re.escape(_DATA_KEY)
    return re.compile(start + rb"\x12" + number + rb"\x0a" + number + rb"\x0a(" + number + rb")", re.DOTALL)


def read_varint(message: bytes | memoryview, position: int = 0) -> tuple[int, int]:
    """A variable-length integer of a protocol buffer, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            break
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("contains a damaged number")


@functools.lru_cache(maxsize=64)
def _head(shape: tuple[int, ...], encoding: str) -> bytes:
    """The features before `data`, identical in every record of a file."""
    values = _field(3, _field(1, b"".join(map(_varint, shape))))  # Feature.int64_list.value, packed
    features = [] if encoding == "raw" else [(b"encoding", _field(1, _field(1, encoding.encode())))]
    return b"".join(_field(1, _field(1, key) + _field(2, value)) for key, value in [*features, (b"shape", values)])


def _field(number: int, content: bytes | memoryview) -> bytes:
    return b"".join((_varint_field(number, len(content)), content))


def _varint_field(number: int, size: int) -> bytes:
    """Tag and length that precede the `size` bytes of a field."""
    return bytes([number << 3 | _BYTES]) + _varint(size)


def _varint(value: int) -> bytes:
    size = max(1, -(-value.bit_length() // 7))
    return bytes([value >> shift & 0x7F | 0x80 for shift in range(0, 7 * size - 7, 7)] + [value >> 7 * size - 7])


def _fields(message: memoryview, number: int) -> Iterator[memoryview]:
    """Contents of all length-delimited fields with this number; others are skipped."""
    for found, wire_type, content in _all_fields(message):
        if found == number and wire_type == _BYTES:
            yield content


def _all_fields(message: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """(number, wire type, content) of every field; fixed-width contents are returned as bytes."""
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
            raise ValueError("is not a TensorFlow Example (a field is longer than its message)")
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
