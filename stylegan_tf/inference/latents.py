"""Latents from seeds, as the original release computes them, and from files; labels of classes."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylegan_tf.array_files import npz_names, read_npy, read_npz
from stylegan_tf.errors import UserError
from stylegan_tf.files import atomic_path


def latents_from_seeds(seeds: Sequence[int], z_dim: int) -> np.ndarray:
    """z [N, z_dim] in float32: one NumPy RandomState(seed).randn for each seed, so that published seeds give the same latents."""
    return np.stack([np.random.RandomState(seed).randn(z_dim) for seed in seeds]).astype(np.float32)


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
    array = _only_array(path, name) if path.suffix == ".npz" else read_npy(path)
    ranks = (2,) if name == "z" else (2, 3)
    if array.ndim not in ranks or array.dtype.kind not in "fiu" or array.size == 0:
        expected = "[N, features]" if name == "z" else "[N, features] or [N, layers, features]"
        raise UserError(f"{path} must hold {name} of the shape {expected}. Received: {array.dtype} {list(array.shape)}")
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


def one_hot(classes: Sequence[int], label_size: int) -> np.ndarray:
    """Labels float32 [N, label_size] of class numbers."""
    return np.eye(label_size, dtype=np.float32)[np.asarray(classes)]


def classes_from_seeds(seeds: Sequence[int], label_size: int) -> list[int]:
    """A class for each seed, the first random number of that seed: the same seed always has the same class."""
    return [int(np.random.RandomState(seed).randint(label_size)) for seed in seeds]


def labels_from_seeds(seeds: Sequence[int], examples: np.ndarray) -> np.ndarray:
    """One row of `examples` [n, label_size] for each seed: the same seed always has the same label."""
    return examples[[np.random.RandomState(seed).randint(len(examples)) for seed in seeds]]


def find_class(text: str, label_size: int, class_names: Sequence[str] = ()) -> int:
    """The number of a class given by number or name.

    Raises:
        UserError: the network has no classes, or no class of this number or name.
    """
    if not label_size:
        raise UserError(f"The network was trained without classes; omit --class. Received: {text!r}")
    if text in class_names:
        return list(class_names).index(text)
    if text.isdecimal() and int(text) < label_size:
        return int(text)
    known = f" or {', '.join(class_names[:20])}" if class_names else ""
    raise UserError(f"Classes are 0 to {label_size - 1}{known}. Received: {text!r}")


def _only_array(path: Path, name: str) -> np.ndarray:
    """The array called `name` of an .npz file, or its only array."""
    found = npz_names(path)
    name = found[0] if len(found) == 1 else name
    return read_npz(path, [name])[name]
