"""MATLAB files with the arrays X and y: every claim of size is checked before memory is taken."""

import struct
import zlib
from pathlib import Path

import numpy as np

from stylegan_tf.data.sources.base import check_unpacked
from stylegan_tf.data.sources.databases import check_hdf5
from stylegan_tf.display import visible
from stylegan_tf.errors import MissingFileError, UserError

_COPY_BYTES = 1 << 20
_COMPRESSED = 15  # type of an element


def read_mat(path: Path) -> tuple[object, object]:
    """X and y of a MATLAB file, version 5 or 7.3 (HDF5).

    Raises:
        UserError: damaged, without X or y, or it unpacks to more than is supported.
    """
    import scipy.io

    if not path.is_file():
        raise MissingFileError(f"There is no file {path}.")
    try:
        _check_elements(path)
        try:
            content = scipy.io.loadmat(path, variable_names=["X", "y"])
            return content["X"], content["y"]
        except NotImplementedError:  # version 7.3
            return _read_hdf5(path)
    except UserError:
        raise
    except Exception as error:  # loadmat raises errors of every type on damaged files
        raise UserError(f"{path} cannot be read as a MATLAB file with X and y: {visible(error)}") from None


def _check_elements(path: Path) -> None:
    """Inflates the compressed elements of a MATLAB file of version 5 piece by piece, and refuses it if they expand too far."""
    total = 0
    with open(path, "rb") as file:
        order = {b"IM": "<", b"MI": ">"}.get(file.read(128)[126:])
        while order and len(tag := file.read(8)) == 8:
            kind, num_bytes = struct.unpack(f"{order}II", tag)
            if kind == _COMPRESSED:
                inflate = zlib.decompressobj()
                for first in range(0, num_bytes, _COPY_BYTES):
                    content = file.read(min(_COPY_BYTES, num_bytes - first))
                    while content:
                        total += len(inflate.decompress(content, _COPY_BYTES))
                        check_unpacked(path, total)
                        content = inflate.unconsumed_tail
            else:
                total += num_bytes
                check_unpacked(path, total)
                file.seek(num_bytes, 1)


def _read_hdf5(path: Path) -> tuple[np.ndarray, np.ndarray]:
    import h5py

    arrays = []
    with h5py.File(path, "r") as file:
        for name in ("X", "y"):
            values = file[name] if isinstance(file.get(name, getlink=True), h5py.HardLink) else None
            if not isinstance(values, h5py.Dataset):
                raise UserError(f"{path} contains no array {name}.")
            check_unpacked(path, values.nbytes)
            check_hdf5(values, path)
            arrays.append(np.asarray(values).transpose())
    return arrays[0], arrays[1]
