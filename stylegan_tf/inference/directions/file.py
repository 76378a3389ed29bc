"""The file directions.npz: plain numbers only, the names and scores as JSON in an array of bytes."""

import json
import math
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.array_files import read_npz
from stylegan_tf.errors import UserError
from stylegan_tf.files import atomic_path
from stylegan_tf.inference.directions.direction import Direction, Scores

if TYPE_CHECKING:
    from stylegan_tf.models.base import StyleGenerator

FORMAT = "stylegan_tf directions 1"
MAX_DIRECTIONS = 1000
_MAX_ABOUT_BYTES = 8 << 20
_NAME = re.compile(r"[\w.+-]{1,80}")


def save_directions(path: str | os.PathLike, directions: Sequence[Direction], steps: Sequence[float]) -> None:
    """Writes directions, atomically.

    Args:
        path: ends in .npz.
        directions: with names of their own.
        steps: that scores which are lists belong to.
    """
    about = {
        "format": FORMAT,
        "steps": list(steps),
        "directions": [
            {"name": found.name, "method": found.method, "layers": list(found.layers), "scores": found.scores} for found in directions
        ],
    }
    arrays = {f"vector{number}": found.vector.astype(np.float32) for number, found in enumerate(directions)}
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)


def load_directions(path: str | os.PathLike, *, num_ws: int, w_dim: int) -> list[Direction]:
    """Reads directions, and checks them against a network as far as its settings go (see `check_styles`).

    Raises:
        MissingFileError: there is no such file.
        UserError: not such a file, damaged, or of a network with other latents.
    """
    arrays = read_npz(path)
    try:
        entries = _entries(arrays.get("about"))
        found = [
            Direction(
                name=_checked_name(entry["name"]),
                vector=np.asarray(arrays[f"vector{number}"], np.float32),
                layers=tuple(_integers(entry["layers"])),
                method=str(entry["method"])[:200],
                scores=_checked_scores(entry["scores"]),
            )
            for number, entry in enumerate(entries)
        ]
        if len({direction.name for direction in found}) < len(found):
            raise ValueError("two directions have one name")
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"{path} is not a file of directions ({type(error).__name__}: {str(error)[:100]}).") from error
    for direction in found:
        _check(direction, path, num_ws, w_dim)
    return found


def check_styles(directions: Sequence[Direction], path: str | os.PathLike, G: "StyleGenerator") -> None:
    """Raises UserError where a direction of styles does not fit the network, whose styles are known once it is built."""
    num_styles = sum(dense.bias.shape[0] for _, dense in G.style_layers())
    for direction in directions:
        if direction.is_of_styles and len(direction.vector) != num_styles:
            raise UserError(
                f"{path}: {direction.name} was found in a network with {len(direction.vector)} style channels; this one has {num_styles}."
            )


def _entries(about: np.ndarray | None) -> list[dict]:
    if about is None or about.dtype != np.uint8 or about.ndim != 1 or about.size > _MAX_ABOUT_BYTES:
        raise ValueError("it has no description")
    value = json.loads(about.tobytes())
    if not isinstance(value, dict) or value.get("format") != FORMAT or not isinstance(value["directions"], list):
        raise ValueError("it has no description")
    if not 0 < len(value["directions"]) <= MAX_DIRECTIONS:
        raise ValueError(f"1 to {MAX_DIRECTIONS} directions are expected")
    return value["directions"]


def _check(direction: Direction, path: str | os.PathLike, num_ws: int, w_dim: int) -> None:
    vector = direction.vector
    if vector.ndim == 2 and vector.shape != (num_ws, w_dim):
        raise UserError(
            f"{path}: {direction.name} has the shape {list(vector.shape)}; the network has ws of the shape [{num_ws}, {w_dim}]."
        )
    if vector.ndim not in (1, 2) or not vector.size or not np.isfinite(vector).all():
        raise UserError(f"{path}: {direction.name} must be finite numbers [{num_ws}, {w_dim}] or [styles].")
    if not direction.layers or not all(0 <= layer < num_ws for layer in direction.layers):
        raise UserError(f"{path}: {direction.name} is for layers that the network does not have; it has 0 to {num_ws - 1}.")


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"a direction cannot be called {str(name)[:40]!r}")
    return name


def _integers(values: list) -> list[int]:
    if not all(type(value) is int for value in values):
        raise ValueError("layers must be whole numbers")
    return sorted(set(values))


def _checked_scores(scores: dict) -> Scores:
    kept: Scores = {}
    for name, value in scores.items():
        numbers = value if isinstance(value, list) else [value]
        is_text = isinstance(value, str) and len(value) <= 200
        if not is_text and not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
            raise ValueError(f"the score {name[:40]!r} is neither numbers nor a text")
        kept[name] = value
    return kept
