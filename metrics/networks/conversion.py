"""Canonical arrays of the metric networks: names, order and shapes, and how the arrays of any accepted file become them."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stylegan_tf.errors import UserError

INCEPTION = "inception-2015-12-05"
LPIPS_VGG16 = "lpips-0.1-vgg16"
# Name of the network -> name of the array -> its shape and its fingerprint, in the order of every weights file.
KNOWN_ARRAYS: dict[str, dict[str, tuple[list[int], float]]] = json.loads((Path(__file__).parent / "known_arrays.json").read_text())
# The 94 convolutions of Inception: name -> kernel shape (height, width, in, out).
INCEPTION_LAYERS: dict[str, tuple[int, ...]] = {
    name.removesuffix("/kernel"): tuple(shape) for name, (shape, _) in KNOWN_ARRAYS[INCEPTION].items() if name.endswith("/kernel")
}
_BATCH_NORM_EPSILON = 1e-3  # of that graph


def inception_arrays(arrays: Mapping[str, np.ndarray], *, kernels: str) -> dict[str, np.ndarray]:
    """Folds batch norm into kernels and biases.

    Every known file lists the layers in the same order, kernel first; their names differ.

    Args:
        arrays: of the file, in its order.
        kernels: "OIHW" (PyTorch) or "HWIO" (TensorFlow).

    Returns:
        "NAME/kernel" [kh, kw, in, out] and "NAME/bias" [out] for every layer, and "logits/kernel" [2048, classes] if the file has one.
    """
    groups = _groups([(name, array) for name, array in arrays.items() if not name.startswith("AuxLogits")])
    if len(groups) != len(INCEPTION_LAYERS):
        raise UserError(f"Inception of 2015-12-05 has {len(INCEPTION_LAYERS)} convolutions. Received: {len(groups)}")
    folded = {}
    for (name, shape), (kernel, vectors) in zip(INCEPTION_LAYERS.items(), groups, strict=True):
        kernel = kernel.transpose(2, 3, 1, 0) if kernels == "OIHW" else kernel
        if kernel.shape != shape:
            raise UserError(f"Inception of 2015-12-05: {name} should be {shape}. Received: {kernel.shape}")
        scale = vectors.get("gamma", 1.0) / np.sqrt(vectors["variance"].astype(np.float64) + _BATCH_NORM_EPSILON)
        folded[f"{name}/kernel"] = (kernel * scale).astype(np.float32)
        folded[f"{name}/bias"] = (vectors["beta"] - vectors["mean"] * scale).astype(np.float32)
    for array in arrays.values():
        if array.ndim == 2 and 2048 in array.shape and min(array.shape) >= 1000:
            folded["logits/kernel"] = np.ascontiguousarray(array if array.shape[0] == 2048 else array.T, np.float32)
    return folded


def _groups(items: list[tuple[str, np.ndarray]]) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """(kernel, its vectors by meaning) for each convolution."""
    groups: list[tuple[np.ndarray, dict]] = []
    for name, array in items:
        if array.ndim == 4:
            groups.append((array, {}))
        elif array.ndim == 1 and groups and len(array) in groups[-1][0].shape:
            meaning = _meaning(name)
            if meaning:
                groups[-1][1].setdefault(meaning, array.astype(np.float64))
    return groups


def _meaning(name: str) -> str | None:
    """The vector of a batch norm that a name means."""
    last = name.rsplit("/", 1)[-1].rsplit(".", 1)[-1]
    meanings = {"beta": "beta", "bias": "beta", "gamma": "gamma", "weight": "gamma", "mean": "mean", "var": "variance"}
    return meanings.get(last.removeprefix("running_").removeprefix("moving_").replace("variance", "var"))


def lpips_arrays(arrays: Mapping[str, np.ndarray], linear: Mapping[str, np.ndarray], *, kernels: str) -> dict[str, np.ndarray]:
    """VGG16's 13 convolutions and the 5 weight vectors of LPIPS.

    Args:
        arrays: of the file that holds VGG16, in its order.
        linear: of the file that holds the linear layers (may be the same).
        kernels: "OIHW" (PyTorch) or "HWIO" (TensorFlow, flax), of the convolutions.

    Returns:
        "conv0/kernel" [3, 3, in, out], "conv0/bias" [out], ... "conv12/bias", "linear0" [64] ... "linear4" [512].
    """
    convolutions = [array for array in arrays.values() if array.ndim == 4 and 1 not in array.shape]
    convolutions = [array.transpose(2, 3, 1, 0) if kernels == "OIHW" else array for array in convolutions]
    known = KNOWN_ARRAYS[LPIPS_VGG16].items()
    shapes, widths, lengths = ([tuple(shape) for name, (shape, _) in known if part in name] for part in ("kernel", "bias", "linear"))
    if [array.shape for array in convolutions] != shapes:
        raise UserError(f"VGG16 has {len(shapes)} convolutions. Received: {[array.shape for array in convolutions]}")
    biases = [array for array in arrays.values() if array.ndim == 1][: len(widths)]
    vectors = [array.ravel() for array in linear.values() if array.ndim == 4 and 1 in array.shape]
    if [bias.shape for bias in biases] != widths or [vector.shape for vector in vectors] != lengths:
        raise UserError("VGG16's biases or the linear layers of LPIPS are missing or have other sizes.")
    result = {}
    for index, (kernel, bias) in enumerate(zip(convolutions, biases, strict=True)):
        result[f"conv{index}/kernel"] = np.ascontiguousarray(kernel, np.float32)
        result[f"conv{index}/bias"] = np.asarray(bias, np.float32)
    return result | {f"linear{index}": np.asarray(vector, np.float32) for index, vector in enumerate(vectors)}
