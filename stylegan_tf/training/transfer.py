"""Starting from another network: what of its weights fits, what is cut or filled up, what stays fresh, and a table of it."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from stylegan_tf import networks, snapshot
from stylegan_tf.errors import UserError

Arrays = Mapping[str, np.ndarray]


class Row(NamedTuple):
    """What becomes of one weight: `num_taken` of its `size` values come from the source."""

    network: str  # G, D or G_ema
    name: str
    action: str  # copied, resized or fresh
    source_shape: tuple[int, ...] | None
    shape: tuple[int, ...]
    num_taken: int

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


def transfer(source: snapshot.Networks, targets: Mapping[str, Any], *, min_share: float) -> list[Row]:
    """Gives networks the weights of others, as far as they fit.

    Args:
        source: any networks, of another resolution, width, depth, label size or number of channels.
        targets: "G", "D" and "G_ema" to networks with fresh weights.
        min_share: refuse where less than this share of the values can be taken.

    Returns:
        One row for each weight.

    Raises:
        UserError: too little fits; nothing is changed then.
    """
    rows, weights = [], {}
    for which, network in targets.items():
        old = snapshot.weight_arrays(getattr(source, which))
        fresh = snapshot.weight_arrays(network)
        weights[which], found = merge(which, old, fresh, keeps_scale=_uses_wscale(getattr(source, which), network))
        rows += found
    share = sum(row.num_taken for row in rows) / sum(row.size for row in rows)
    if share < min_share:
        raise UserError(
            f"Only {share:.0%} of the weights of {source.source or 'the source'} fit this configuration; transfer.min_share asks for "
            f"{min_share:.0%}.\n{table(rows)}\n"
            "Try fmap_base, fmap_max, mapping_layers and widths as in the source, or a lower transfer.min_share."
        )
    for which, network in targets.items():
        networks.assign_weights(network, weights[which])
    return rows


def merge(which: str, old: Arrays, fresh: Arrays, *, keeps_scale: bool = True) -> tuple[dict[str, np.ndarray], list[Row]]:
    """Weights of one network: those of `old` where the name is known, those of `fresh` in all other places.

    Args:
        which: "G", "D" or "G_ema".
        old, fresh: arrays by public name.
        keeps_scale: weights are multiplied by 1 / sqrt(fan_in) when the network runs: a kernel whose fan_in changes is
            scaled so that what it multiplies by stays the same.
    """
    merged, rows = {}, []
    for name, array in fresh.items():
        source = old.get(name)
        if source is None:
            merged[name], action, num_taken = array, "fresh", 0
        elif source.shape == array.shape:
            merged[name], action, num_taken = source, "copied", array.size
        else:
            merged[name], num_taken = _resized(name, source, array, keeps_scale)
            action = "resized" if num_taken else "fresh"
        rows.append(Row(which, name, action, None if source is None else source.shape, array.shape, num_taken))
    return merged, rows


def table(rows: Iterable[Row]) -> str:
    """A line for each block of each network, then each weight that is not simply copied because its shape differs."""
    blocks: dict[str, dict[str, int]] = {}
    details = []
    for row in rows:
        counts = blocks.setdefault(f"{row.network} {_block(row.name)}", {"copied": 0, "resized": 0, "fresh": 0})
        taken_as = "copied" if row.action == "copied" else "resized"
        counts[taken_as] += row.num_taken
        counts["fresh"] += row.size - row.num_taken
        if row.source_shape not in (None, row.shape):
            details.append(f"  {row.network} {row.name}: {_shape(row.source_shape)} -> {_shape(row.shape)}, {row.action}")
    lines = [f"{'block':<24}{'copied':>14}{'resized':>14}{'fresh':>14}"]
    lines += [f"{block:<24}{c['copied']:>14,}{c['resized']:>14,}{c['fresh']:>14,}" for block, c in blocks.items()]
    sums = {kind: sum(counts[kind] for counts in blocks.values()) for kind in ("copied", "resized", "fresh")}
    lines.append(f"{'all':<24}{sums['copied']:>14,}{sums['resized']:>14,}{sums['fresh']:>14,}")
    return "\n".join([*lines, *(["other shapes:", *details] if details else [])])


def frozen_names(weight_names: Iterable[str], num_layers: int) -> list[str]:
    """Names of D's weights that stay as they are where its first `num_layers` convolutions are frozen, all FromRGB with them.

    Source: Mo et al. 2020 (Freeze-D).
    """
    names = list(weight_names)
    if num_layers <= 0:
        return []
    layers = dict.fromkeys(name.rsplit("/", 1)[0] for name in names)
    convolutions = [layer for layer in layers if not layer.endswith(("from_rgb", "dense0", "dense1"))]
    if num_layers > len(convolutions):
        raise UserError(f"transfer.frozen_layers is {num_layers}, but D has {len(convolutions)} convolutions.")
    convolutions.sort(key=lambda layer: -int(layer.split("x")[0]))  # from the image inwards; within a block as they run
    frozen = {*convolutions[:num_layers], *(layer for layer in layers if layer.endswith("from_rgb"))}
    return [name for name in names if name.rsplit("/", 1)[0] in frozen]


def _resized(name: str, source: np.ndarray, fresh: np.ndarray, keeps_scale: bool) -> tuple[np.ndarray, int]:
    """`fresh` with as much of `source` as fits, and how many values that is."""
    if source.ndim != fresh.ndim:
        return fresh, 0
    scale = math.sqrt(math.prod(fresh.shape[:-1]) / math.prod(source.shape[:-1])) if keeps_scale and name.endswith("kernel") else 1.0
    source, fresh_parts = _split(name, source, fresh)
    adapt = _adapter(name)
    if adapt is not None:
        source = adapt(source, fresh_parts.shape)
    overlap = tuple(slice(min(a, b)) for a, b in zip(source.shape, fresh_parts.shape, strict=True))
    merged = fresh_parts.copy()
    merged[overlap] = source[overlap] * scale
    if name.endswith("4x4/conv/kernel") and source.shape[2] != fresh_parts.shape[2] and "synthesis" not in name:
        # D's last input feature is the minibatch statistic: it goes last there too.
        merged[:, :, -1, overlap[3]] = source[:, :, -1, overlap[3]] * scale
    return merged.reshape(fresh.shape), math.prod(part.stop for part in overlap)


def _split(name: str, source: np.ndarray, fresh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Takes axes apart that hold two things at once, so that cutting them means cutting features."""
    if "/style/" in name:  # [..., 2C]: scale of every feature, then shift
        return tuple(a.reshape(*a.shape[:-1], 2, a.shape[-1] // 2) for a in (source, fresh))
    if name.endswith("synthesis/4x4/dense/kernel"):  # [w_dim, 16C] in the order [H, W, C]
        return tuple(a.reshape(a.shape[0], 16, a.shape[1] // 16) for a in (source, fresh))
    if name == "4x4/dense0/kernel":  # [16C, out]
        return tuple(a.reshape(16, a.shape[0] // 16, a.shape[1]) for a in (source, fresh))
    return source, fresh


def _adapter(name: str) -> Callable[[np.ndarray, tuple[int, ...]], np.ndarray] | None:
    """How colours and classes become others: the mean of all, or each the same."""
    if "/to_rgb/" in name or name.startswith("4x4/dense1/"):
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


def _uses_wscale(source: Any, target: Any) -> bool:
    return bool(source.use_wscale and target.use_wscale)


def _block(name: str) -> str:
    """Block of a weight: "mapping", "synthesis/8x8", "8x8"; the fixed noise maps and w_avg by their own names."""
    parts = name.split("/")
    if parts[0] != "synthesis":
        return parts[0]
    return "noise maps" if len(parts) == 2 else "/".join(parts[:2])


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
