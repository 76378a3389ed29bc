"""A direction in latent space, and the images edited with it: steps along w, or offsets of style channels."""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.errors import UserError, did_you_mean
from stylegan_tf.inference.commands.options import parse_layers
from stylegan_tf.sheets import sheet

if TYPE_CHECKING:
    from stylegan_tf.inference.sampler import StyleSampler
    from stylegan_tf.models.base import StyleGenerator

MAX_STRENGTH = 100.0
MAX_SHEET_IMAGES = 1024

# Numbers of a direction by name, such as "lpips_per_step"; a list has one number for each of the steps in the file.
Scores = dict[str, float | str | list[float]]


@dataclasses.dataclass(frozen=True)
class Direction:
    """One direction; strength 1 is one standard deviation of the latents of the network along it."""

    name: str  # unique in a file, without spaces, "=" and "@"
    # float32 [num_ws, w_dim], added to ws; or [sum of the styles' sizes], added to the styles of all layers (StyleSpace).
    vector: np.ndarray
    layers: tuple[int, ...]  # layers that it is applied to unless others are requested
    method: str  # how it was found
    scores: Scores = dataclasses.field(default_factory=dict)  # what was measured, empty where nothing was

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
        UserError: not such a text, no direction of this name, a strength that is not a number up to 100, or a layer that does not exist.
    """
    name, separator, value = text.partition("=")
    strength, _, layers = value.partition("@")
    if not separator:
        raise UserError(f"An edit has the form NAME=STRENGTH or NAME=STRENGTH@LAYERS, such as sefa0=2.5@0-3. Received: {text!r}")
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


def edited_images(sampler: "StyleSampler", ws: np.ndarray, edits: Sequence[Edit], share: float = 1.0) -> np.ndarray:
    """uint8 [N, R, R, C] of ws [N, num_ws, w_dim] after edits, with `share` of their strengths."""
    with style_offsets(sampler.G, edits, share):
        return sampler.images(apply_edits(ws, edits, share))


def contact_sheet(
    sampler: "StyleSampler", ws: np.ndarray, direction: Direction, steps: Sequence[float], *, rows: Sequence[str]
) -> np.ndarray:
    """uint8 [H, W, C]: the latents [N, num_ws, w_dim] in rows with these names, edited by the steps in columns."""
    columns = [edited_images(sampler, ws, [Edit(direction, step, direction.layers)]) for step in steps]
    images = np.stack(columns, axis=1)  # [N, steps, R, R, C]
    note = f"Direction {direction.name}: one seed in each row, one step in each column."
    names = {"column_names": [f"{step:+g}" if step else "0" for step in steps], "row_names": rows}
    return sheet(images.reshape(-1, *images.shape[2:]), len(steps), **names, note=note)
