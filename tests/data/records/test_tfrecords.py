"""Our records can be read by us and by TensorFlow, and the original's by us."""

import struct
from pathlib import Path

import numpy as np
import pytest

from stylegan_tf.data.records.level import RecordFile, save_index, scan_offsets
from stylegan_tf.data.records.manifest import file_name, index_path, parse_file_name
from stylegan_tf.data.records.tfrecords import Example, encode_example, frame, parse_example
from stylegan_tf.errors import MissingFileError, UserError


def write_records(path, payloads):
    path.write_bytes(b"".join(frame(payloads)[0]))
    return path


@pytest.mark.parametrize("encoding", ["raw", "png", "jpeg"])
@pytest.mark.parametrize("size", [0, 48, 127, 128, 20_000, 3 * 1024 * 1024])
def test_example_round_trip(encoding, size):
    data = np.random.default_rng(size).bytes(size)
    shape = (3, 1024, 1024)
    payload = encode_example(Example(shape, data, encoding))
    assert parse_example(payload) == Example(shape, data, encoding)


def test_features_have_a_fixed_order():
    """Digests of datasets depend on every byte of a record; shape and data of 4x4 pixels as TensorFlow serialises them."""
    head = b"\x0a\x10\x0a\x05shape\x12\x07\x1a\x05\x0a\x03\x03\x04\x04"
    assert encode_example(Example((3, 4, 4), b"xy")) == b"\x0a\x22" + head + b"\x0a\x0e\x0a\x04data\x12\x06\x0a\x04\x0a\x02xy"


def test_tensorflow_reads_our_records(tmp_path):
    tf = pytest.importorskip("tensorflow")
    path = write_records(tmp_path / "a-r02.tfrecords", [encode_example(Example((3, 4, 4), bytes(range(48)), "png")) for _ in range(3)])
    records = list(tf.data.TFRecordDataset(str(path)))
    assert len(records) == 3
    features = tf.train.Example.FromString(records[1].numpy()).features.feature
    assert list(features["shape"].int64_list.value) == [3, 4, 4]
    assert features["data"].bytes_list.value[0] == bytes(range(48))
    assert features["encoding"].bytes_list.value[0] == b"png"


def test_we_read_what_tensorflow_serialises():
    tf = pytest.importorskip("tensorflow")
    shape = tf.train.Feature(int64_list=tf.train.Int64List(value=[1, 512, 512]))
    data = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"pixels"]))
    other = tf.train.Feature(float_list=tf.train.FloatList(value=[1.5]))
    example = tf.train.Example(features=tf.train.Features(feature={"other": other, "data": data, "shape": shape}))
    assert parse_example(example.SerializeToString()) == Example((1, 512, 512), b"pixels", "raw")


def test_unpacked_integers_are_read():
    values = b"\x08\x03\x08\x04\x08\x04"
    entry = b"\x0a\x05shape\x12" + bytes([len(values) + 2]) + b"\x1a" + bytes([len(values)]) + values
    payload = encode_example(Example((3, 4, 4), b"x"))
    head = payload[2:20]  # the feature `shape`, before `data`
    features = payload[2:].replace(head, b"\x0a" + bytes([len(entry)]) + entry)
    assert parse_example(b"\x0a" + bytes([len(features)]) + features) == Example((3, 4, 4), b"x")


def test_invalid_examples_raise_value_error():
    rng = np.random.default_rng(0)
    payload = encode_example(Example((3, 4, 4), bytes(48), "png"))
    for _ in range(500):
        damaged = bytearray(payload[: rng.integers(1, len(payload) + 1)])
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        try:
            parse_example(bytes(damaged))
        except ValueError as error:
            assert str(error)  # noqa: PT017 - some damage leaves a valid Example, so nothing need be raised
    for garbage in (b"", b"\xff" * 20, b"\x0a", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", bytes(100)):
        with pytest.raises(ValueError, match=r"."):
            parse_example(garbage)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cats-r05.tfrecords", ("cats", 32)),
        ("a-r02-r10.tfrecords", ("a-r02", 1024)),
        ("cats-rxx.labels", None),
        ("cats.tfrecords", None),
        ("-r05.tfrecords", None),
    ],
)
def test_file_names(name, expected):
    assert parse_file_name(Path(name)) == expected
    if expected:
        assert file_name(*expected) == name


@pytest.mark.parametrize("lengths", [[], [0], [5], [100] * 7, [3, 0, 1000, 17]])
def test_offsets_are_found_without_an_index(tmp_path, lengths):
    path = write_records(tmp_path / "a-r02.tfrecords", [bytes(length) for length in lengths])
    expected = np.cumsum([0, *(length + 16 for length in lengths)])
    np.testing.assert_array_equal(scan_offsets(path), expected)
    file = RecordFile(path)
    assert len(file) == len(lengths)
    assert [bytes(file.read_payload(row)) for row in range(len(file))] == [bytes(length) for length in lengths]


def test_an_index_that_does_not_match_is_ignored(tmp_path):
    path = write_records(tmp_path / "a-r02.tfrecords", [b"one", b"three", b"four"])
    right = scan_offsets(path)
    save_index(path, right)
    np.testing.assert_array_equal(RecordFile(path).offsets, right)
    for wrong in (right[:-1], right[::-1], right + 1, right.astype(np.float64), np.zeros(3, np.int64), right.reshape(2, 2)):
        with open(index_path(path), "wb") as file:
            np.save(file, wrong)
        np.testing.assert_array_equal(RecordFile(path).offsets, right)
    for garbage in (b"", b"\x93NUMPY", b"garbage" * 10):
        index_path(path).write_bytes(garbage)
        np.testing.assert_array_equal(RecordFile(path).offsets, right)


def test_a_wrong_index_is_detected_when_a_record_is_read(tmp_path):
    path = write_records(tmp_path / "a-r02.tfrecords", [b"one", b"three", b"four"])
    offsets = scan_offsets(path)
    offsets[1] += 1
    save_index(path, offsets)
    with pytest.raises(UserError, match="record 0 is damaged"):
        RecordFile(path).read_payload(0)


def test_an_index_with_a_pickle_is_not_loaded(tmp_path):
    path = write_records(tmp_path / "a-r02.tfrecords", [b"one"])
    with open(index_path(path), "wb") as file:
        np.save(file, np.array([{}], object), allow_pickle=True)
    assert len(RecordFile(path)) == 1


def test_a_truncated_file_names_the_record(tmp_path):
    path = write_records(tmp_path / "a-r02.tfrecords", [bytes(10)] * 5)
    content = path.read_bytes()
    for size in range(1, len(content)):
        path.write_bytes(content[:size])
        if size % 26 == 0:
            assert len(RecordFile(path)) == size // 26
            continue
        with pytest.raises(UserError, match=rf"a-r02.tfrecords is truncated in record {size // 26}\."):
            RecordFile(path)


def test_damaged_length_names_the_record(tmp_path):
    path = write_records(tmp_path / "a-r02.tfrecords", [bytes(10)] * 5)
    content = path.read_bytes()
    for position in [*range(52, 64), 56 + 3]:
        damaged = bytearray(content)
        damaged[position] ^= 0x40
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"a-r02.tfrecords: record 2 is damaged"):
            RecordFile(path)


def test_huge_length_does_not_allocate(tmp_path):
    path = tmp_path / "a-r02.tfrecords"
    length = struct.pack("<Q", 2**63 + 5)
    from stylegan_tf.data.records.tfrecords import masked_crc32c

    path.write_bytes(length + struct.pack("<I", masked_crc32c([length])[0]) + bytes(100))
    with pytest.raises(UserError, match="truncated in record 0"):
        RecordFile(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"nothing-r02.tfrecords is missing"):
        RecordFile(tmp_path / "nothing-r02.tfrecords")


def test_a_huge_file_that_is_not_one_of_records_is_refused_at_once(tmp_path):  # 40 GB of zeros: minutes, and gigabytes of memory
    path = tmp_path / "zeros-r02.tfrecords"
    with open(path, "wb") as file:
        file.truncate(40 << 30)
    with pytest.raises(UserError, match="record 0 is damaged"):
        scan_offsets(path)
