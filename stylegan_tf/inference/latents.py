"""Latents from files and to files."""

import os
from pathlib import Path

import numpy as np

from stylegan_tf.array_files import npz_names, read_npy, read_npz
from stylegan_tf.errors import UserError
from stylegan_tf.files import atomic_path


def load_latents(path: str | os.PathLike, name: str) -> np.ndarray:
    """Reads latents from an .npy or .npz file.

    Args:
        path: .npy with one array, or .npz with an array called `name`, or with one array of any name.
        name: "z" for [N, z_dim], "w" for [N, w_dim] or [N, layers, w_dim].

    Returns:
        float32 [N, features], or [N, layers, features] for "w".

    Raises:
        MissingFileError: there is no such file.
        UserError: not such a file, or the array has another shape or numbers that are not finite.
    """
    path = Path(path)
    if path.suffix == ".npz":
        found = npz_names(path)
        key = found[0] if len(found) == 1 else name
        array = read_npz(path, [key])[key]
    else:
        array = read_npy(path)
    ranks = (2,) if name == "z" else (2, 3)
    if array.ndim not in ranks or array.dtype.kind not in "fiu" or array.size == 0:
        expected = "[N, features]" if name == "z" else "[N, features] or [N, layers, features]"
        raise UserError(f"{path} must contain {name} of the shape {expected}. Received: {array.dtype} {list(array.shape)}")
    array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise UserError(f"{path} contains {name} with numbers that are not finite.")
    return array


def save_latents(path: str | os.PathLike, **arrays: np.ndarray) -> None:
    """Writes arrays as .npz, or one array as .npy, atomically."""
    if Path(path).suffix == ".npy" and len(arrays) > 1:
        raise UserError(f"{path}: .npy files contain one array; use .npz for {' and '.join(arrays)}.")
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        if Path(path).suffix == ".npy":
            np.save(file, next(iter(arrays.values())), allow_pickle=False)
        else:
            np.savez(file, **arrays)
