"""Transfer of StyleGAN's weights to networks of other widths, classes or colours, and the layers of D that can be frozen."""

import math
from collections.abc import Callable, Iterable

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.models import weights


def frozen(weight_names: Iterable[str], num_layers: int) -> list[str]:
    """Names of D's weights that are not trained where its first `num_layers` convolutions are frozen, all FromRGB with them.

    Source: Mo et al. 2020 (Freeze-D).
    """
    names = list(weight_names)
    if num_layers <= 0:
        return []
    layers = dict.fromkeys(name.rsplit("/", 1)[0] for name in names)
    convolutions = [layer for layer in layers if not layer.endswith(("from_rgb", "dense0", "dense1"))]
    if num_layers > len(convolutions):
        raise UserError(f"transfer.frozen_layers is {num_layers}, but D has {len(convolutions)} convolutions.")
    convolutions.sort(key=lambda layer: -int(layer.split("x")[0]))  # from the image inwards; within a block in their order
    chosen = {*convolutions[:num_layers], *(layer for layer in layers if layer.endswith("from_rgb"))}
    return [name for name in names if name.rsplit("/", 1)[0] in chosen]


def resized(name: str, source: np.ndarray, fresh: np.ndarray, *, keeps_scale: bool, style_rows: int = 2) -> tuple[np.ndarray, int]:
    """`fresh` with the part of `source` that fits, and how many values that is.

    Args:
        name: public name of the weight.
        source, fresh: the weight of the other network, and the one of this network as it was initialised.
        keeps_scale: weights are multiplied by 1 / sqrt(fan_in) when the network runs: a kernel whose fan_in changes is
            scaled so that what it multiplies by is the same.
        style_rows: values that a style has for each feature: here scale and shift.
    """
    if source.ndim != fresh.ndim:
        return fresh, 0
    scale = math.sqrt(math.prod(fresh.shape[:-1]) / math.prod(source.shape[:-1])) if keeps_scale and name.endswith("kernel") else 1.0
    source, fresh_parts = _split(name, source, fresh, style_rows)
    adapt = _adapter(name)
    if adapt is not None:
        source = adapt(source, fresh_parts.shape)
    merged, num_taken = weights.resized(source, fresh_parts, scale)
    if name.endswith("4x4/conv/kernel") and source.shape[2] != fresh_parts.shape[2] and "synthesis" not in name:
        # D's last input feature is the minibatch statistic: it goes last there too.
        shared = min(source.shape[3], fresh_parts.shape[3])
        merged[:, :, -1, :shared] = source[:, :, -1, :shared] * scale
    return merged.reshape(fresh.shape), num_taken


def _split(name: str, source: np.ndarray, fresh: np.ndarray, style_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Takes axes apart that hold two things at once, so that cutting them means cutting features."""
    if "/style/" in name:  # [..., 2C]: scale of every feature, then shift
        return tuple(a.reshape(*a.shape[:-1], style_rows, a.shape[-1] // style_rows) for a in (source, fresh))
    if name.endswith("synthesis/4x4/dense/kernel"):  # [w_dim, 16C] in the order [H, W, C]
        return tuple(a.reshape(a.shape[0], 16, a.shape[1] // 16) for a in (source, fresh))
    if name == "4x4/dense0/kernel":  # [16C, out]
        return tuple(a.reshape(16, a.shape[0] // 16, a.shape[1]) for a in (source, fresh))
    return source, fresh


def _adapter(name: str) -> Callable[[np.ndarray, tuple[int, ...]], np.ndarray] | None:
    """How colours and classes become others: the mean of all, or each the same."""
    if ("/to_rgb/" in name and "/style/" not in name) or name.startswith("4x4/dense1/"):
        return lambda array, shape: _change_count(array, array.ndim - 1, shape[-1], is_sum=False)
    if name.endswith("from_rgb/kernel"):
        return lambda array, shape: _change_count(array, 2, shape[2], is_sum=True)
    return None


def _change_count(array: np.ndarray, axis: int, count: int, *, is_sum: bool) -> np.ndarray:
    """One value becomes many equal ones, many become one; other counts are left to be cut or filled up."""
    if array.shape[axis] == 1 and count > 1:
        return np.repeat(array / (count if is_sum else 1), count, axis=axis)
    if array.shape[axis] > 1 and count == 1:
        return array.sum(axis=axis, keepdims=True) if is_sum else array.mean(axis=axis, keepdims=True)
    return array
