"""Files of trained LeNets (.npz): weights, whether training converged, and the accuracy on test images."""

import os
import shlex
from typing import NamedTuple

import numpy as np

from stylegan_tf.array_files import read_npz
from stylegan_tf.errors import UserError
from stylegan_tf.files import atomic_path

SIDE, NUM_CLASSES = 32, 10
MAX_BYTES = 1 << 20

# Name of a weight to its shape, for grey images. 61,706 numbers in all.
SHAPES: dict[str, tuple[int, ...]] = {
    "conv1/kernel": (5, 5, 1, 6), "conv1/bias": (6,),
    "conv2/kernel": (5, 5, 6, 16), "conv2/bias": (16,),
    "dense1/kernel": (400, 120), "dense1/bias": (120,),
    "dense2/kernel": (120, 84), "dense2/bias": (84,),
    "dense3/kernel": (84, NUM_CLASSES), "dense3/bias": (NUM_CLASSES,),
}  # fmt: skip


class LeNetFile(NamedTuple):
    """Contents of a file."""

    weights: dict[str, np.ndarray]  # float32, by the names of `SHAPES`
    is_converged: bool  # False where training was stopped early, at the accuracy of the study of digits
    accuracy: float  # share of test images that are recognised


def read(path: str | os.PathLike) -> LeNetFile:
    """Reads a file.

    Raises:
        UserError: missing, damaged, or not a LeNet's; says how to make one.
    """
    options = "--data datasets/mnist --test datasets/mnist-test --stop-at 0.947"
    hint = f"Make one: python -m stylegan_tf.lenet_training {options} --out {shlex.quote(str(path))}"
    try:
        arrays = read_npz(path, ["is_converged", "accuracy", *SHAPES], max_bytes=MAX_BYTES)
    except UserError as error:
        raise type(error)(f"{error} {hint}") from error
    weights = {name: arrays[name] for name in SHAPES}
    wrong = [name for name, shape in SHAPES.items() if weights[name].shape != shape or weights[name].dtype != np.float32]
    if wrong or arrays["accuracy"].shape or arrays["is_converged"].shape:
        raise UserError(f"{path} is not the file of a LeNet: {(wrong or ['accuracy'])[0]} has another shape or type. {hint}")
    if not all(np.all(np.isfinite(array)) for array in arrays.values()):
        raise UserError(f"{path} contains weights that are not finite. {hint}")
    return LeNetFile(weights, bool(arrays["is_converged"]), float(arrays["accuracy"]))


def write(path: str | os.PathLike, contents: LeNetFile) -> None:
    """Writes a file, or none if it fails."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **contents.weights, is_converged=contents.is_converged, accuracy=np.float64(contents.accuracy))
