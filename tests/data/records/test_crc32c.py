"""The checksum of TFRecords agrees with published values and a bit-by-bit oracle."""

import tracemalloc

import numpy as np
import pytest

from stylegan_tf.data.records.tfrecords import crc32c, masked_crc32c


def crc32c_bit_by_bit(string):
    crc = 0xFFFFFFFF
    for byte in string:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("string", "expected"),
    [(b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E), (b"", 0)],
)
def test_published_values(string, expected):  # RFC 3720, B.4, and the catalogue of CRCs for 123456789
    assert crc32c([string])[0] == expected


def test_strings_of_any_length_equal_the_oracle():
    rng = np.random.default_rng(0)
    strings = [rng.bytes(length) for length in [*range(70), 255, 256, 257, 1021, 4096, 5000]]
    expected = [crc32c_bit_by_bit(string) for string in strings]
    np.testing.assert_array_equal(crc32c(strings), expected)
    np.testing.assert_array_equal([crc32c([string])[0] for string in strings], expected)


def test_long_strings_equal_the_oracle():
    strings = [np.random.default_rng(length).bytes(length) for length in (65_537, 100_000)]
    np.testing.assert_array_equal(crc32c(strings), [crc32c_bit_by_bit(string) for string in strings])


def test_one_long_string_among_many_short_ones_takes_little_memory():
    strings = [bytes([number % 256]) * 40 for number in range(2000)]
    strings[77] = bytes(3_000_000)  # padding all to this would take 6 GB
    tracemalloc.start()
    checksums = crc32c(strings)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6
    assert checksums[77] == crc32c([strings[77]])[0]
    assert checksums[1999] == crc32c_bit_by_bit(strings[1999])


def test_views_and_rows_are_not_copied():
    string = np.random.default_rng(0).bytes(100_000)
    expected = crc32c_bit_by_bit(string[7:])
    assert crc32c([memoryview(string)[7:], memoryview(bytearray(string))[7:]]).tolist() == [expected, expected]
    rows = np.frombuffer(string, np.uint8).reshape(100, 1000)[:, 5:-2]
    np.testing.assert_array_equal(crc32c(rows), [crc32c_bit_by_bit(row.tobytes()) for row in rows])


def test_one_flipped_bit_changes_the_checksum():
    string = bytearray(1000)
    before = masked_crc32c([bytes(string)])[0]
    string[777] ^= 4
    assert masked_crc32c([bytes(string)])[0] != before


def test_no_strings_give_no_checksums():
    assert crc32c([]).shape == (0,)
