"""A request for one image of one network, from JSON, with every number checked."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.inference.commands.options import NOISE_MODES
from stylegan_tf.inference.directions.direction import MAX_STRENGTH, Direction, Edit
from stylegan_tf.seeds import MAX_SEED

MAX_LATENTS = 32
MAX_EDITS = 64

_T = TypeVar("_T", int, float)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a view of a network may ask for."""

    # of the network; 0 where it has no labels, no styles, one resolution.
    label_size: int
    num_ws: int
    max_lod: int
    directions: Sequence[Direction] = ()  # that can be applied to it


@dataclasses.dataclass(frozen=True)
class View:
    """One image."""

    latent: tuple[tuple[int, float], ...]  # (seed, weight) of each latent that is blended; the weights add up to 1.
    label: tuple[float, ...] | None = None  # [label_size]; None for the label that belongs to each seed.
    # truncation; a cutoff of None for all layers.
    psi: float = 1.0
    cutoff: int | None = None
    # mode "const", "random" (a function of the seed) or "none".
    noise: str = "const"
    noise_seed: int = 0
    # the layers that take their styles from another seed; no layers for no mixing.
    mix_seed: int = 0
    mix_layers: tuple[int, ...] = ()
    edits: tuple[Edit, ...] = ()  # directions with strengths
    lod: float | None = None  # level of detail; None for that of the snapshot.


def parse_view(value: object, limits: Limits) -> View:
    """The view of a JSON object.

    Raises:
        UserError: a key is missing or has a value that is not allowed.
    """
    if not isinstance(value, Mapping):
        raise UserError("A view must be an object.")
    edits = value.get("edits", [])
    if not isinstance(edits, list) or len(edits) > MAX_EDITS:
        raise UserError(f"edits must be a list of at most {MAX_EDITS}.")
    noise = value.get("noise", "const")
    if noise not in NOISE_MODES:
        raise UserError(f"noise must be one of {', '.join(NOISE_MODES)}.")
    cutoff, lod = value.get("cutoff"), value.get("lod")
    return View(
        latent=parse_latent(value.get("latent")),
        label=_label(value.get("label"), limits.label_size),
        psi=_number(value.get("psi", 1.0), "psi", -100, 100),
        cutoff=None if cutoff is None else _integer(cutoff, "cutoff", 0, 64),
        noise=noise,
        noise_seed=_integer(value.get("noise_seed", 0), "noise_seed", 0, MAX_SEED),
        mix_seed=_integer(value.get("mix_seed", 0), "mix_seed", 0, MAX_SEED),
        mix_layers=_layers(value.get("mix_layers", []), limits.num_ws),
        edits=tuple(_edit(edit, limits) for edit in edits),
        lod=None if lod is None else _number(lod, "lod", 0, limits.max_lod),
    )


def parse_latent(value: object) -> tuple[tuple[int, float], ...]:
    """(seed, weight) of JSON pairs; the weights are scaled to a sum of 1."""
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_LATENTS:
        raise UserError(f"latent must be a list of 1 to {MAX_LATENTS} pairs of a seed and a weight.")
    pairs = []
    for pair in value:
        if not isinstance(pair, list) or len(pair) != 2:
            raise UserError("latent must be pairs of a seed and a weight.")
        pairs.append((_integer(pair[0], "seed", 0, MAX_SEED), _number(pair[1], "weight", 0, 1)))
    total = sum(weight for _, weight in pairs)
    if total < 1e-3:
        raise UserError("The weights of a latent must not all be 0.")
    return tuple((seed, weight / total) for seed, weight in pairs if weight > 0)


def _edit(value: object, limits: Limits) -> Edit:
    if not isinstance(value, Mapping):
        raise UserError("An edit must be an object.")
    direction = next((found for found in limits.directions if found.name == value.get("name")), None)
    if direction is None:
        raise UserError("There is no direction of this name for this network.")
    strength = _number(value.get("strength"), "strength", -MAX_STRENGTH, MAX_STRENGTH)
    layers = value.get("layers")
    return Edit(direction, strength, direction.layers if layers is None else _layers(layers, limits.num_ws))


def _label(value: object, size: int) -> tuple[float, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != size or not size:
        raise UserError(f"label must be {size} numbers.")
    return tuple(_number(number, "label", -1e6, 1e6) for number in value)


def _layers(value: object, num_ws: int) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > num_ws:
        raise UserError(f"layers must be a list of at most {num_ws} layers.")
    return tuple(sorted({_integer(layer, "layer", 0, num_ws - 1) for layer in value}))


def _integer(value: object, name: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise UserError(f"{name} must be a whole number from {low} to {high}.")
    return value


def _number(value: object, name: str, low: float, high: float) -> float:
    if type(value) not in (int, float) or not low <= value <= high or not math.isfinite(value):
        raise UserError(f"{name} must be a number from {low:g} to {high:g}.")
    return float(np.float32(value))
