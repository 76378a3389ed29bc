"""PyTorch files in both forms, written by hand, and content that must be refused."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

from metrics.networks.torch_files import read_torch_file
from stylegan_tf.errors import MissingFileError, UserError
from tests import hostile_arrays


def _global(module: str, name: str) -> bytes:
    return b"c" + module.encode() + b"\n" + name.encode() + b"\n"


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _numbers(values) -> bytes:
    return b"(" + b"".join(map(_number, values)) + b"t"


def _tensor(key: str, size: int, offset: int, shape, stride, storage="FloatStorage") -> bytes:
    identity = b"(" + _text("storage") + _global("torch", storage) + _text(key) + _text("cpu") + _number(size)
    return (
        _global("torch._utils", "_rebuild_tensor_v2")
        + b"("
        + identity
        + b"tQ"
        + _number(offset)
        + _numbers(shape)
        + _numbers(stride)
        + b"\x89"
        + _global("collections", "OrderedDict")
        + b")RtR"
    )


def _dictionary(**items: bytes) -> bytes:
    return b"\x80\x02}(" + b"".join(_text(name) + item for name, item in items.items()) + b"u."


def _zip(path, program: bytes, **storages):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        for key, array in storages.items():
            archive.writestr(f"archive/data/{key[1:]}", array.tobytes())
    return path


NUMBERS = np.arange(12, dtype=np.float32)


def test_zip_file_with_views_of_one_storage(tmp_path):
    program = _dictionary(whole=_tensor("0", 12, 0, (3, 4), (4, 1)), turned=_tensor("0", 12, 4, (4, 2), (1, 4)))
    arrays = read_torch_file(_zip(tmp_path / "a.pth", program, _0=NUMBERS))
    assert list(arrays) == ["whole", "turned"]
    np.testing.assert_array_equal(arrays["whole"], NUMBERS.reshape(3, 4))
    np.testing.assert_array_equal(arrays["turned"], NUMBERS[4:].reshape(2, 4).T)


def test_torchscript_modules_are_containers(tmp_path):
    module = _global("__torch__.inception", "Layer") + b")\x81}" + b"(" + _text("weight") + _tensor("0", 12, 0, (12,), (1,)) + b"ub"
    arrays = read_torch_file(_zip(tmp_path / "a.pt", _dictionary(layer=module), _0=NUMBERS))
    np.testing.assert_array_equal(arrays["layer.weight"], NUMBERS)


def test_attributes_added_to_a_tensor_change_nothing(tmp_path):
    late = _tensor("0", 12, 0, (2,), (1,)) + b"}(" + _text("stride") + _numbers([1 << 30]) + b"ub"
    arrays = read_torch_file(_zip(tmp_path / "a.pth", _dictionary(a=late), _0=NUMBERS))
    np.testing.assert_array_equal(arrays["a"], NUMBERS[:2])


def test_legacy_file(tmp_path):
    path = tmp_path / "old.pth"
    head = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    program = _dictionary(weight=_tensor("77", 12, 0, (3, 4), (4, 1)))
    path.write_bytes(b"".join(head) + program + pickle.dumps(["77"], 2) + struct.pack("<q", 12) + NUMBERS.tobytes())
    np.testing.assert_array_equal(read_torch_file(path)["weight"], NUMBERS.reshape(3, 4))


@pytest.mark.parametrize(
    "program",
    [
        _dictionary(a=_global("os", "system") + _text("echo hacked") + b"\x85R"),
        _dictionary(a=_global("builtins", "eval") + _text("1") + b"\x85R"),
        _dictionary(a=_global("torch", "load")),
        _dictionary(a=_tensor("0", 12, 8, (5,), (1,))),  # beyond the end
        _dictionary(a=_tensor("0", 12, -1, (5,), (1,))),
        _dictionary(a=_tensor("0", 12, 0, (1 << 20, 1 << 10), (0, 0))),  # a gigabyte from a small file
        _dictionary(a=_tensor("0", 1 << 30, 0, (2,), (1,))),  # the archive holds 48 bytes
        b"\x80\x02garbage",
        b"",
    ],
)
def test_hostile_and_broken_programs_are_refused(tmp_path, program):
    with pytest.raises(UserError):
        read_torch_file(_zip(tmp_path / "a.pth", program, _0=NUMBERS))


def test_other_files_are_refused(tmp_path):
    (tmp_path / "page.pth").write_text("<html>not found</html>")
    with pytest.raises(UserError, match="not a PyTorch file"):
        read_torch_file(tmp_path / "page.pth")
    with zipfile.ZipFile(tmp_path / "other.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(UserError, match="without a PyTorch"):
        read_torch_file(tmp_path / "other.pt")
    with pytest.raises(MissingFileError):
        read_torch_file(tmp_path / "absent.pth")
    for many_members in (hostile_arrays.many_members, hostile_arrays.many_members_64):
        (tmp_path / "many.pth").write_bytes(b"PK\x03\x04" + many_members(100_000))
        with pytest.raises(UserError, match="lists more files"):
            read_torch_file(tmp_path / "many.pth")
    ordinary = io.BytesIO()
    pickle.dump(OrderedDict(a=1), ordinary)
    (tmp_path / "ordinary.pth").write_bytes(ordinary.getvalue())
    with pytest.raises(UserError):
        read_torch_file(tmp_path / "ordinary.pth")
