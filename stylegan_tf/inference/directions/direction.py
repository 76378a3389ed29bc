"""A direction in latent space, and what it does to images: steps along w, or offsets of style channels."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.errors import UserError, did_you_mean
from stylegan_tf.inference.commands.options import parse_layers

if TYPE_CHECKING:
    from stylegan_tf.models.base import StyleGenerator

MAX_STRENGTH = 100.0

# Numbers of a direction by name, such as "lpips_per_step"; a list has one number for each of the steps in the file.
Scores = dict[str, float | str | list[float]]


@dataclasses.dataclass(frozen=True)
class Direction:
    """One direction; strength 1 is one standard deviation of the latents of the network along it.

    Attributes:
        name: unique in a file, without spaces, "=" and "@".
        vector: float32 [num_ws, w_dim], added to ws; or [sum of the styles' sizes], added to the styles of all layers (StyleSpace).
        layers: layers that it is applied to unless others are asked for.
        method: how it was found.
        scores: what was measured, empty where nothing was.
    """

    name: str
    vector: np.ndarray
    layers: tuple[int, ...]
    method: str
    scores: Scores = dataclasses.field(default_factory=dict)

    @property
    def is_of_styles(self) -> bool:
        """Whether it is added to styles, after the affine layers, and not to w."""
        return self.vector.ndim == 1


@dataclasses.dataclass(frozen=True)
class Edit:
    """A direction with a strength, in some layers."""

    direction: Direction
    strength: float
    layers: tuple[int, ...]


def parse_edit(text: str, directions: Sequence[Direction], num_ws: int) -> Edit:
    """The edit of "NAME=STRENGTH" or "NAME=STRENGTH@LAYERS", such as "sefa0=-2.5@0-3".

    Raises:
        UserError: not such a text, no direction of this name, a strength that is no number up to 100, or a layer that does not exist.
    """
    name, separator, value = text.partition("=")
    strength, _, layers = value.partition("@")
    if not separator:
        raise UserError(f"An edit looks like NAME=STRENGTH or NAME=STRENGTH@LAYERS, such as sefa0=2.5@0-3. Received: {text!r}")
    found = next((direction for direction in directions if direction.name == name), None)
    if found is None:
        known = [direction.name for direction in directions]
        raise UserError(f"There is no direction {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}.")
    try:
        number = float(strength)
    except ValueError:
        number = float("nan")
    if not abs(number) <= MAX_STRENGTH:
        raise UserError(f"The strength of an edit is a number from -{MAX_STRENGTH:g} to {MAX_STRENGTH:g}. Received: {text!r}")
    return Edit(found, number, tuple(parse_layers(layers, num_ws)) if layers else found.layers)


def apply_edits(ws: np.ndarray, edits: Sequence[Edit], share: float = 1.0) -> np.ndarray:
    """ws [N, num_ws, w_dim] after the edits that concern w, with `share` of their strengths; a copy."""
    edited = np.array(ws, np.float32)
    for edit in edits:
        if not edit.direction.is_of_styles:
            layers = list(edit.layers)
            edited[:, layers] += np.float32(share * edit.strength) * edit.direction.vector[layers]
    return edited


@contextlib.contextmanager
def style_offsets(G: "StyleGenerator", edits: Sequence[Edit], share: float = 1.0) -> Iterator[None]:
    """Applies the edits that concern styles to all images that G generates within the context.

    A style is A w + b: an offset of the style is an offset of b, which is restored afterwards.
    """
    chosen = [edit for edit in edits if edit.direction.is_of_styles]
    kept = [(dense.bias, np.asarray(dense.bias)) for _, dense in G.style_layers()] if chosen else []
    try:
        start = 0
        for (layer, dense), (_, bias) in zip(G.style_layers() if chosen else (), kept, strict=True):
            part = slice(start, start := start + len(bias))
            offsets = [edit.strength * edit.direction.vector[part] for edit in chosen if layer in edit.layers]
            if offsets:
                dense.bias.assign(bias + np.float32(share) * np.sum(offsets, axis=0, dtype=np.float32))
        yield
    finally:
        for variable, bias in kept:
            variable.assign(bias)
