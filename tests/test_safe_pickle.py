"""Data-only pickles: what goes in comes out in every protocol, anything else is refused with its place."""

import collections
import pickle
import struct

import numpy as np
import pytest

from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.safe_pickle import Record, read_pickle, write_pickle

VALUE = {
    "plain": [None, True, False, 0, 255, 65535, -7, 2**31, 10**30, 1.5, float("inf"), "é", "", b"bytes", b""],
    "nested": ({"a": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]}, set(), {1, 2}, frozenset({"x"})),
    "keys": {1: "int", b"b": "bytes", (1, "a"): "tuple", None: "none", 2.5: "float"},
    "C order": np.arange(12, dtype=np.float32).reshape(3, 4),
    "F order": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "strided": np.arange(24).reshape(2, 3, 4)[:, :, ::2],
    "transposed": np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(1, 2, 0),
    "empty": np.zeros((0, 3), np.int16),
    "0-d": np.array(2.5, np.float16),
    "flags": np.array([True, False]),
    "complex": np.array([1 + 2j], np.complex64),
    "scalars": [np.float32(3), np.float64(4), np.int64(-5), np.bool_(True)],
}


def assert_same(ours, expected):
    assert type(ours) is type(expected)
    if isinstance(expected, dict):
        assert list(ours) == list(expected)
        for key in expected:
            assert_same(ours[key], expected[key])
    elif isinstance(expected, list | tuple):
        assert len(ours) == len(expected)
        for our_item, item in zip(ours, expected, strict=True):
            assert_same(our_item, item)
    elif isinstance(expected, np.ndarray):
        assert ours.dtype == expected.dtype
        np.testing.assert_array_equal(ours, expected)
    else:
        assert ours == expected


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_everything_of_every_protocol_comes_back(tmp_path, protocol):
    (tmp_path / "value.pkl").write_bytes(pickle.dumps(VALUE, protocol=protocol))
    assert_same(read_pickle(tmp_path / "value.pkl"), VALUE)


def test_what_is_written_is_read_by_us_and_by_pickle(tmp_path):
    write_pickle(tmp_path / "value.pkl", VALUE)
    assert_same(read_pickle(tmp_path / "value.pkl"), VALUE)
    with open(tmp_path / "value.pkl", "rb") as file:
        assert_same(pickle.load(file), VALUE)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_old_numpy_module_paths(tmp_path, protocol):  # NumPy 1 wrote numpy.core, NumPy 2 writes numpy._core
    value = {"array": np.arange(6, dtype="f4"), "scalar": np.float32(3)}
    content = pickle.dumps(value, protocol=protocol)
    assert b"numpy._core" in content
    if protocol == 2:
        content = content.replace(b"numpy._core", b"numpy.core")
    else:  # names are counted strings there, and frames count their bytes
        content = pickle.dumps(value, protocol=protocol)
        for name in (b"numpy._core.multiarray", b"numpy._core.numeric"):
            old = name.replace(b"_core", b"core")
            content = content.replace(bytes([len(name)]) + name, bytes([len(old)]) + old)
        content = content[:2] + content[11:]
    (tmp_path / "old.pkl").write_bytes(content)
    assert_same(read_pickle(tmp_path / "old.pkl"), value)


def test_arrays_of_the_other_byte_order_become_native(tmp_path):
    (tmp_path / "big.pkl").write_bytes(pickle.dumps([np.arange(3, dtype=">f4"), np.arange(3, dtype="<f4")], protocol=4))
    for array in read_pickle(tmp_path / "big.pkl"):
        assert array.dtype.isnative
        np.testing.assert_array_equal(array, [0, 1, 2])


def test_strings_of_python_2(tmp_path):
    content = b"\x80\x02]q\x00(U\x03abcU\x02\xe9\xffe."
    (tmp_path / "python2.pkl").write_bytes(content)
    assert read_pickle(tmp_path / "python2.pkl") == ["abc", b"\xe9\xff"]
    assert read_pickle(tmp_path / "python2.pkl", encoding="latin1") == ["abc", "éÿ"]
    assert read_pickle(tmp_path / "python2.pkl", encoding="bytes") == [b"abc", b"\xe9\xff"]


def test_arrays_of_python_2(tmp_path):
    array = np.arange(4, dtype="<f4")  # 0.0, 1.0, ... have bytes above 127
    rebuild = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    dtype = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    content = b"\x80\x02" + rebuild + b"(K\x01K\x04\x85" + dtype + b"\x89U\x10" + array.tobytes() + b"tb."
    (tmp_path / "python2.pkl").write_bytes(content)
    for encoding in ("ASCII", "latin1", "bytes"):
        np.testing.assert_array_equal(read_pickle(tmp_path / "python2.pkl", encoding=encoding), array)


def test_shared_arrays_stay_shared(tmp_path):
    array = np.arange(5)
    write_pickle(tmp_path / "shared.pkl", [array, array])
    first, second = read_pickle(tmp_path / "shared.pkl")
    assert first is second


def test_our_arrays_can_be_written_to(tmp_path):
    write_pickle(tmp_path / "value.pkl", np.arange(5))
    array = read_pickle(tmp_path / "value.pkl")
    array += 1
    np.testing.assert_array_equal(array, np.arange(1, 6))


def test_names_in_the_table_are_called_and_nothing_else(tmp_path):
    (tmp_path / "ordered.pkl").write_bytes(pickle.dumps(collections.OrderedDict(a=1), protocol=4))
    with pytest.raises(UserError, match=r"ordered\.pkl is not a data-only file: it refers to 'collections\.OrderedDict'"):
        read_pickle(tmp_path / "ordered.pkl")
    assert read_pickle(tmp_path / "ordered.pkl", allowed={("collections", "OrderedDict"): dict}) == {"a": 1}


def test_records_keep_arguments_and_state(tmp_path):
    content = b"\x80\x04\x8c\x01m\x8c\x01C\x93K\x07\x85R}\x8c\x01xK\x01sb."
    (tmp_path / "record.pkl").write_bytes(content)
    record = read_pickle(tmp_path / "record.pkl", allowed={("m", "C"): lambda *args: Record("m.C", args)})
    assert (record.name, record.args, record.state) == ("m.C", (7,), {"x": 1})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, object()]}, r"value\['a'\]\[1\] is of type builtins\.object"),
        ({"a": np.array([None])}, r"value\['a'\] is an array of type object"),
        ({"a": np.array(["x"])}, r"value\['a'\] is an array of type <U1"),
        ({"a": np.zeros(2, [("x", "f4")])}, r"value\['a'\] is an array of type"),
        (collections.OrderedDict(), "collections.OrderedDict"),
        ({"f": len}, r"value\['f'\] is of type builtins\.builtin_function_or_method"),
        ({(1, (2, 3)): 1}, "a key of type tuple"),
        ({2**80: 1}, "a key of type int"),
        ([1 << 9000], r"value\[0\] is an integer of 9001 bits"),
        (np.ma.masked_array([1.0]), "MaskedArray"),
        (1j, "complex"),
    ],
)
def test_what_is_not_data_is_not_written(tmp_path, value, message):
    (tmp_path / "value.pkl").write_bytes(b"older")
    with pytest.raises(ValueError, match=message):
        write_pickle(tmp_path / "value.pkl", value)
    assert (tmp_path / "value.pkl").read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir()] == ["value.pkl"]


def test_loops_and_deep_nesting_are_not_written(tmp_path):
    loop = []
    loop.append({"again": loop})
    with pytest.raises(ValueError, match=r"value\[0\]\['again'\] contains itself"):
        write_pickle(tmp_path / "loop.pkl", loop)
    deep = []
    for _ in range(10_000):
        deep = [deep]
    with pytest.raises(ValueError, match="nested more than 100"):
        write_pickle(tmp_path / "deep.pkl", deep)


def test_as_many_values_as_can_be_written_can_be_read(tmp_path):
    value = {f"key{number}": f"text{number}" for number in range(200_000)}
    write_pickle(tmp_path / "many.pkl", value)
    assert read_pickle(tmp_path / "many.pkl") == value
    with pytest.raises(ValueError, match="more than 500,000 values"):
        write_pickle(tmp_path / "many.pkl", [list(range(300_000))] * 2)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a pickle"),
        (b"PK\x03\x04", "zip archive"),
        (b"<!DOCTYPE html>", "web page"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"\x80\x04", "too early"),
        (b"\x80\x06N.", "protocol 6"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x", "more than the file holds"),
    ],
)
def test_other_files_are_named(tmp_path, content, message):
    (tmp_path / "odd.pkl").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_pickle(tmp_path / "odd.pkl")


def test_missing_folder_and_too_large(tmp_path):
    with pytest.raises(MissingFileError, match="does not exist"):
        read_pickle(tmp_path / "none.pkl")
    with pytest.raises(UserError, match="is not a file"):
        read_pickle(tmp_path)
    write_pickle(tmp_path / "value.pkl", np.zeros(100))
    with pytest.raises(UserError, match="at most 100 are read"):
        read_pickle(tmp_path / "value.pkl", max_bytes=100)


def test_a_place_in_the_memo_costs_nothing_for_being_far_out(tmp_path):  # Python's own reader makes an array of that length
    (tmp_path / "far.pkl").write_bytes(b"\x80\x04]r\xff\xff\xff\xff.")
    assert read_pickle(tmp_path / "far.pkl") == []
