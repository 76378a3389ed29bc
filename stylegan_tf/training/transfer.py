"""Initialising networks with the weights of others: which are copied, resized or left as initialised, and a table of them."""

import functools
import math
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from stylegan_tf import settings_text
from stylegan_tf.errors import UserError
from stylegan_tf.models.base import Model, Network
from stylegan_tf.models.weights import assign_weights, weight_arrays
from stylegan_tf.snapshot import Networks

Arrays = Mapping[str, np.ndarray]
Resize = Callable[[str, np.ndarray, np.ndarray], tuple[np.ndarray, int]]


class Row(NamedTuple):
    """The origin of a weight: `num_taken` of its `size` values are from the source."""

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


def transfer(model: Model, source: Networks, targets: Mapping[str, Network], *, min_share: float) -> list[Row]:
    """Copies the weights of other networks, as far as they fit.

    Args:
        source: networks that may differ in resolution, width, depth, label size or number of channels.
        targets: "G", "D" and "G_ema", with fresh weights.
        min_share: smallest share of the values that must be from the source.

    Returns:
        One row for each weight.

    Raises:
        UserError: another model, or too few weights fit; nothing is changed then.
    """
    if source.model != model.name:
        raise UserError(
            f"{source.source or 'The source'} contains networks of the model {source.model}; this run trains {model.name}. "
            f"Try a preset of {source.model} (--preset)."
        )
    rows, weights = [], {}
    for which, network in targets.items():
        old = getattr(source, which)
        resize = functools.partial(model.resized, old_settings=old.settings, new_settings=network.settings)
        weights[which], found = merge(which, weight_arrays(old), weight_arrays(network), resize)
        rows += found
    share = sum(row.num_taken for row in rows) / sum(row.size for row in rows)
    if share < min_share:
        raise UserError(
            f"Only {share:.0%} of the weights of {source.source or 'the source'} fit this configuration; transfer.min_share requires "
            f"{min_share:.0%}.",
            *_blocks(rows),
            f"Try {_settings_of(source, targets)}a lower transfer.min_share.",
        )
    for which, network in targets.items():
        assign_weights(network, weights[which])
    return rows


def merge(which: str, old: Arrays, fresh: Arrays, resize: Resize) -> tuple[dict[str, np.ndarray], list[Row]]:
    """Weights of one network: those of `old` by name if they exist, otherwise those of `fresh`.

    Args:
        which: "G", "D" or "G_ema".
        old, fresh: arrays by public name.
        resize: (name, old array, fresh array) to the merged array and the number of its old values.
    """
    merged, rows = {}, []
    for name, array in fresh.items():
        source = old.get(name)
        if source is None:
            merged[name], action, num_taken = array, "fresh", 0
        elif source.shape == array.shape:
            merged[name], action, num_taken = source, "copied", array.size
        else:
            merged[name], num_taken = resize(name, source, array)
            action = "resized" if num_taken else "fresh"
        rows.append(Row(which, name, action, None if source is None else source.shape, array.shape, num_taken))
    return merged, rows


def table(rows: Iterable[Row]) -> list[str]:
    """A line for each block of each network, then one for each weight whose shape differs."""
    rows = list(rows)
    changed = [row for row in rows if row.source_shape not in (None, row.shape)]
    details = [f"  {row.network} {row.name}: {_shape(row.source_shape)} -> {_shape(row.shape)}, {row.action}" for row in changed]
    return [*_blocks(rows), *(["other shapes:", *details] if details else [])]


def _blocks(rows: Iterable[Row]) -> list[str]:
    blocks: dict[str, dict[str, int]] = {}
    for row in rows:
        counts = blocks.setdefault(f"{row.network} {_block(row.name)}", {"copied": 0, "resized": 0, "fresh": 0})
        taken_as = "copied" if row.action == "copied" else "resized"
        counts[taken_as] += row.num_taken
        counts["fresh"] += row.size - row.num_taken
    lines = [f"{'block':<24}{'copied':>14}{'resized':>14}{'fresh':>14}"]
    lines += [f"{block:<24}{c['copied']:>14,}{c['resized']:>14,}{c['fresh']:>14,}" for block, c in blocks.items()]
    sums = {kind: sum(counts[kind] for counts in blocks.values()) for kind in ("copied", "resized", "fresh")}
    lines.append(f"{'all':<24}{sums['copied']:>14,}{sums['resized']:>14,}{sums['fresh']:>14,}")
    return lines


def _settings_of(source: Networks, targets: Mapping[str, Network]) -> str:
    """The options that give the networks of a run the shapes of the source's, for a message; "" where they have them."""
    assignments = [
        f"--set {shlex.quote(f'{which}.{name}={settings_text.to_plain(value)}')}"
        for which in ("G", "D")
        for name, _, value in settings_text.differences(targets[which].settings, getattr(source, which).settings)
        if name not in targets[which].settings.changeable
    ]
    return f"the source's networks: {' '.join(assignments)}, or " if assignments else ""


def _block(name: str) -> str:
    """Block of a weight: "mapping", "synthesis/8x8", "8x8", "noise maps", "w_avg"."""
    parts = name.split("/")
    if parts[0] != "synthesis":
        return parts[0]
    return "noise maps" if len(parts) == 2 else "/".join(parts[:2])


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
