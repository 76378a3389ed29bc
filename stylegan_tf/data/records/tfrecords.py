"""TFRecord files as bytes: framing, masked CRC-32C checksums, and the Example inside a record.

Needs no TensorFlow: the framing is a length, a payload and two checksums, the Example a protocol buffer.
Source: the records of the original release (`shape` int64 [C, H, W], `data` raw bytes in that order); docs/formats.md.
"""

import functools
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import google_crc32c
import numpy as np

if TYPE_CHECKING:
    from google.protobuf.message import Message

COPY_AGAIN = "Copy or make the dataset again."  # what to try if a file is damaged
HEADER_BYTES = 12  # uint64 length, uint32 masked CRC of it
FOOTER_BYTES = 4  # uint32 masked CRC of the payload
FRAME_BYTES = HEADER_BYTES + FOOTER_BYTES

_MASK_DELTA = 0xA282EAD8  # TensorFlow stores rotate_right(crc, 15) + delta
# Messages of TensorFlow's example.proto and feature.proto: name, number, type and whether it is repeated, of every field that is read.
_MESSAGES = {
    "BytesList": [("value", 1, "bytes", True)],
    "Int64List": [("value", 1, "int64", True)],
    "Feature": [("bytes_list", 1, "BytesList", False), ("int64_list", 3, "Int64List", False)],
    "Entry": [("key", 1, "bytes", False), ("value", 2, "Feature", False)],
    "Features": [("feature", 1, "Entry", True)],
    "Example": [("features", 1, "Features", False)],
}


class Example(NamedTuple):
    """One record: `shape` is [C, H, W]; `data` is raw bytes in that order, or a PNG or JPEG of the same image."""

    shape: tuple[int, ...]
    data: bytes
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
    message = _example_type()()
    add = message.features.feature.add
    if example.encoding != "raw":
        add(key=b"encoding").value.bytes_list.value.append(example.encoding.encode())
    add(key=b"shape").value.int64_list.value.extend(example.shape)
    add(key=b"data").value.bytes_list.value.append(example.data)
    return message.SerializeToString()


def parse_example(payload: bytes) -> Example:
    """Parses a record.

    Raises:
        ValueError: not an Example, or one without `shape` and `data`.
    """
    from google.protobuf.message import DecodeError

    try:
        features = {entry.key: entry.value for entry in _example_type().FromString(payload).features.feature}
    except DecodeError:
        raise ValueError("is not a TensorFlow Example") from None
    if b"shape" not in features or b"data" not in features:
        raise ValueError("does not contain the features `shape` and `data`")
    values = features[b"data"].bytes_list.value
    if len(values) != 1:
        raise ValueError(f"contains {len(values)} byte strings in `data`, expected one")
    encoding = b"".join(features[b"encoding"].bytes_list.value) if b"encoding" in features else b"raw"
    return Example(tuple(features[b"shape"].int64_list.value), values[0], encoding.decode("ascii", "replace"))


@functools.cache
def _example_type() -> "type[Message]":
    """The class of TensorFlow's Example. Features are a list of entries here and not a map: the same bytes, in a fixed order."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="stylegan_tf/example.proto", package="stylegan_tf", syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind, is_repeated in fields:
            label = kinds.LABEL_REPEATED if is_repeated else kinds.LABEL_OPTIONAL
            scalar = {"bytes": kinds.TYPE_BYTES, "int64": kinds.TYPE_INT64}.get(kind)
            more = {"type_name": f".stylegan_tf.{kind}"} if scalar is None else {}
            described.field.add(name=name, number=number, label=label, type=scalar or kinds.TYPE_MESSAGE, **more)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("stylegan_tf.Example"))
