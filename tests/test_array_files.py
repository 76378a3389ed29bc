"""Arrays come back as they were saved; what is wrong with a file is said in one message."""

import numpy as np
import pytest

from stylegan_tf.array_files import npz_names, read_npy, read_npz
from stylegan_tf.errors import MissingFileError, UserError
from tests import hostile_arrays

ARRAYS = {
    "matrix": np.arange(12, dtype=np.float32).reshape(3, 4),
    "columns first": np.asfortranarray(np.arange(12, dtype=np.int64).reshape(3, 4)),
    "scalar": np.array(7),
    "empty": np.zeros((0, 5), np.float32),
    "other order of bytes": np.arange(5, dtype=">f8"),
    "flags": np.array([True, False]),
}


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("is_mapped", [False, True])
def test_arrays_come_back(tmp_path, name, is_mapped):
    np.save(tmp_path / "a.npy", ARRAYS[name])
    found = read_npy(tmp_path / "a.npy", is_mapped=is_mapped)
    np.testing.assert_array_equal(found, ARRAYS[name])
    assert (found.dtype, found.shape) == (ARRAYS[name].dtype, ARRAYS[name].shape)


def test_headers_of_python_2(tmp_path):
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1L, 2L), }"
    (tmp_path / "old.npy").write_bytes(hostile_arrays.with_header(header))
    np.testing.assert_array_equal(read_npy(tmp_path / "old.npy"), [[0, 0]])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_come_back(tmp_path, save):
    save(tmp_path / "a.npz", **ARRAYS)
    assert npz_names(tmp_path / "a.npz") == list(ARRAYS)
    assert list(read_npz(tmp_path / "a.npz")) == list(ARRAYS)
    chosen = read_npz(tmp_path / "a.npz", ["flags", "matrix"])
    assert sorted(chosen) == ["flags", "matrix"]
    np.testing.assert_array_equal(chosen["matrix"], ARRAYS["matrix"])


def test_limits_hold_before_anything_is_unpacked(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros(1000), b=np.zeros(1000))
    np.save(tmp_path / "a.npy", np.zeros(1000))
    with pytest.raises(UserError, match="at most 9,000"):
        read_npz(tmp_path / "a.npz", max_bytes=9000)
    assert len(read_npz(tmp_path / "a.npz", ["a"], max_bytes=9000)["a"]) == 1000
    with pytest.raises(UserError, match="at most 7,999"):
        read_npy(tmp_path / "a.npy", max_bytes=7999)


def test_what_is_missing_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.zeros(1))
    with pytest.raises(UserError, match=r"named 'b'. Found: a"):
        read_npz(tmp_path / "a.npz", ["a", "b"])
    for read in (read_npy, read_npz, npz_names):
        with pytest.raises(MissingFileError, match="does not exist"):
            read(tmp_path / "none")
        with pytest.raises(UserError, match="is not a file"):
            read(tmp_path)


@pytest.mark.parametrize("kind", hostile_arrays.NPY)
def test_bytes_that_are_no_array_are_refused(tmp_path, kind):
    (tmp_path / "labels.npy").write_bytes(hostile_arrays.NPY[kind])
    with pytest.raises(UserError, match="damaged or not a NumPy file"):
        read_npy(tmp_path / "labels.npy")
