"""Images of edited latents, and contact sheets of a direction: a row for each latent, a column for each step."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.inference.directions.direction import Direction, Edit, apply_edits, style_offsets
from stylegan_tf.sheets import sheet

if TYPE_CHECKING:
    from stylegan_tf.inference.sampler import StyleSampler

MAX_SHEET_IMAGES = 1024


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
