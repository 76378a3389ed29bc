"""Canonical arrays of the metric networks: names, order and shapes, and how the arrays of any accepted file become them."""

from collections.abc import Mapping

import numpy as np

from stylegan_tf.errors import UserError

_BATCH_NORM_EPSILON = 1e-3  # of that graph


def _conv(name: str, kernel: tuple[int, int], features_in: int, features_out: int) -> tuple:
    return name, (*kernel, features_in, features_out)


def _block_a(name: str, features_in: int, pool_features: int) -> list[tuple]:
    return [
        _conv(f"{name}/conv", (1, 1), features_in, 64),
        _conv(f"{name}/tower/conv", (1, 1), features_in, 48),
        _conv(f"{name}/tower/conv_1", (5, 5), 48, 64),
        _conv(f"{name}/tower_1/conv", (1, 1), features_in, 64),
        _conv(f"{name}/tower_1/conv_1", (3, 3), 64, 96),
        _conv(f"{name}/tower_1/conv_2", (3, 3), 96, 96),
        _conv(f"{name}/tower_2/conv", (1, 1), features_in, pool_features),
    ]


def _block_b(name: str) -> list[tuple]:
    return [
        _conv(f"{name}/conv", (3, 3), 288, 384),
        _conv(f"{name}/tower/conv", (1, 1), 288, 64),
        _conv(f"{name}/tower/conv_1", (3, 3), 64, 96),
        _conv(f"{name}/tower/conv_2", (3, 3), 96, 96),
    ]


def _block_c(name: str, width: int) -> list[tuple]:
    return [
        _conv(f"{name}/conv", (1, 1), 768, 192),
        _conv(f"{name}/tower/conv", (1, 1), 768, width),
        _conv(f"{name}/tower/conv_1", (1, 7), width, width),
        _conv(f"{name}/tower/conv_2", (7, 1), width, 192),
        _conv(f"{name}/tower_1/conv", (1, 1), 768, width),
        _conv(f"{name}/tower_1/conv_1", (7, 1), width, width),
        _conv(f"{name}/tower_1/conv_2", (1, 7), width, width),
        _conv(f"{name}/tower_1/conv_3", (7, 1), width, width),
        _conv(f"{name}/tower_1/conv_4", (1, 7), width, 192),
        _conv(f"{name}/tower_2/conv", (1, 1), 768, 192),
    ]


def _block_d(name: str) -> list[tuple]:
    return [
        _conv(f"{name}/tower/conv", (1, 1), 768, 192),
        _conv(f"{name}/tower/conv_1", (3, 3), 192, 320),
        _conv(f"{name}/tower_1/conv", (1, 1), 768, 192),
        _conv(f"{name}/tower_1/conv_1", (1, 7), 192, 192),
        _conv(f"{name}/tower_1/conv_2", (7, 1), 192, 192),
        _conv(f"{name}/tower_1/conv_3", (3, 3), 192, 192),
    ]


def _block_e(name: str, features_in: int) -> list[tuple]:
    return [
        _conv(f"{name}/conv", (1, 1), features_in, 320),
        _conv(f"{name}/tower/conv", (1, 1), features_in, 384),
        _conv(f"{name}/tower/mixed/conv", (1, 3), 384, 384),
        _conv(f"{name}/tower/mixed/conv_1", (3, 1), 384, 384),
        _conv(f"{name}/tower_1/conv", (1, 1), features_in, 448),
        _conv(f"{name}/tower_1/conv_1", (3, 3), 448, 384),
        _conv(f"{name}/tower_1/mixed/conv", (1, 3), 384, 384),
        _conv(f"{name}/tower_1/mixed/conv_1", (3, 1), 384, 384),
        _conv(f"{name}/tower_2/conv", (1, 1), features_in, 192),
    ]


# The 94 convolutions of the Inception of 2015-12-05, in the order of every weights file: name -> kernel shape [height, width, in, out].
INCEPTION_LAYERS: dict[str, tuple[int, int, int, int]] = dict(
    [
        _conv("conv", (3, 3), 3, 32),
        _conv("conv_1", (3, 3), 32, 32),
        _conv("conv_2", (3, 3), 32, 64),
        _conv("conv_3", (1, 1), 64, 80),
        _conv("conv_4", (3, 3), 80, 192),
        *_block_a("mixed", 192, 32),
        *_block_a("mixed_1", 256, 64),
        *_block_a("mixed_2", 288, 64),
        *_block_b("mixed_3"),
        *_block_c("mixed_4", 128),
        *_block_c("mixed_5", 160),
        *_block_c("mixed_6", 160),
        *_block_c("mixed_7", 192),
        *_block_d("mixed_8"),
        *_block_e("mixed_9", 1280),
        *_block_e("mixed_10", 2048),
    ]
)


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
    widths = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    shapes = [(3, 3, before, width) for before, width in zip([3, *widths], widths, strict=False)]
    if [array.shape for array in convolutions] != shapes:
        raise UserError(f"VGG16 has 13 convolutions. Received: {[array.shape for array in convolutions]}")
    biases = [array for array in arrays.values() if array.ndim == 1][: len(widths)]
    vectors = [array.ravel() for array in linear.values() if array.ndim == 4 and 1 in array.shape]
    if [len(bias) for bias in biases] != widths or [len(vector) for vector in vectors] != [64, 128, 256, 512, 512]:
        raise UserError("VGG16's biases or the linear layers of LPIPS are missing or have other sizes.")
    result = {}
    for index, (kernel, bias) in enumerate(zip(convolutions, biases, strict=True)):
        result[f"conv{index}/kernel"] = np.ascontiguousarray(kernel, np.float32)
        result[f"conv{index}/bias"] = np.asarray(bias, np.float32)
    return result | {f"linear{index}": np.asarray(vector, np.float32) for index, vector in enumerate(vectors)}
