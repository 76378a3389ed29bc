"""Arithmetic of growth: powers of two, level of detail, and how many layers and feature maps a resolution has."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from stylegan_tf.errors import UserError

MIN_RESOLUTION = 4
MAX_RESOLUTION = 1024


@dataclass(frozen=True)
class Lod:
    """A level of detail in the two parts a network needs: a Python-level choice and a weight.

    `floor` picks the layers that run. `fade` is None while a resolution is steady, or the weight in (0, 1) of the
    level below (a float or a scalar tensor), so that one trace serves a whole fade.
    """

    # Not a tuple: Keras refuses a tuple of numbers and tensors as an argument of a layer.
    floor: int
    fade: Any = None

    def __iter__(self) -> Iterator:
        return iter((self.floor, self.fade))


def split_lod(lod: "float | Lod") -> Lod:
    """Splits a float lod into its parts: 6.25 becomes Lod(6, 0.25), 6.0 becomes Lod(6, None)."""
    if isinstance(lod, Lod):
        return lod
    if lod < 0:
        raise ValueError(f"lod must be 0 (full resolution) or above. Received: lod={lod}")
    floor = int(lod)
    return Lod(floor, lod - floor if lod > floor else None)


def check_lod_is_zero(lod: "float | Lod") -> None:
    """Raises ValueError for a level of detail other than 0, in networks that do not grow."""
    if tuple(split_lod(lod)) != (0, None):
        raise ValueError(f"This network does not grow: lod must be 0. Received: {lod}")


def is_power_of_two(number: int) -> bool:
    """True for 1, 2, 4, 8, ..."""
    return number > 0 and number & (number - 1) == 0


def log2(resolution: int) -> int:
    """Exponent of a power of two."""
    if not is_power_of_two(resolution):
        raise ValueError(f"Expected a power of two. Received: {resolution}")
    return resolution.bit_length() - 1


def check_resolution(resolution: int) -> int:
    """Returns `resolution` where it is a power of two from 4 to 1024, and raises UserError otherwise."""
    if not is_power_of_two(resolution) or not MIN_RESOLUTION <= resolution <= MAX_RESOLUTION:
        raise UserError(f"Resolution must be a power of two from {MIN_RESOLUTION} to {MAX_RESOLUTION}. Received: {resolution}")
    return resolution


def check_lod(lod: object, resolution: int) -> float:
    """The level of detail as a float where a network of this resolution has it; UserError otherwise."""
    value = float(lod) if type(lod) in (int, float) else math.nan
    if not 0 <= value <= max_lod(resolution):
        raise UserError(f"lod of a {resolution}x{resolution} network is from {max_lod(resolution)} to 0. Received: {str(lod)[:80]}")
    return value


def resolution_at(resolution: int, lod: "float | Lod") -> int:
    """Side of the images at a level of detail: full / 2^floor(lod)."""
    return resolution >> split_lod(lod).floor


def max_lod(resolution: int) -> int:
    """Level of detail at which `resolution` is reduced to 4x4."""
    return log2(resolution) - 2


def num_layers(resolution: int) -> int:
    """Number of style layers: two for each resolution from 4x4 on (18 at 1024)."""
    return 2 * log2(resolution) - 2


def num_features(stage: int, *, fmap_base: int, fmap_decay: float, fmap_max: int) -> int:
    """Feature maps at stage s = log2(resolution) - 1: min(fmap_base / 2^(s * decay), fmap_max); UserError where that is below 1."""
    number = min(int(fmap_base / 2.0 ** (stage * fmap_decay)), fmap_max)
    if number < 1:
        side = 2 ** (stage + 1)
        raise UserError(f"fmap_base = {fmap_base} and fmap_decay = {fmap_decay:g} leave no feature maps at {side}x{side}.")
    return number
