"""The figures of the paper as one picture each: style mixing, truncation, a sheet of many sizes."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from stylegan_tf.images import make_grid
from stylegan_tf.inference.painter import Painter


def style_mixing(
    painter: Painter, row_ws: np.ndarray, col_ws: np.ndarray, layers: Sequence[Sequence[int]]
) -> tuple[np.ndarray, np.ndarray]:
    """Figure 3: every row's picture with the styles of every column in some layers.

    Args:
        painter: draws them.
        row_ws: [R, num_ws, w_dim], what most styles come from.
        col_ws: [K, num_ws, w_dim], what the styles of `layers` come from.
        layers: for each row, the layers whose styles are the column's.

    Returns:
        The sheet [(R + 1) H, (K + 1) W, C] with the sources at the top and on the left, and the mixed pictures
        [R, K, H, W, C], uint8.

    Source: Karras et al. 2019, figure 3.
    """
    mixed = np.repeat(row_ws[:, None], len(col_ws), axis=1)  # [R, K, num_ws, w_dim]
    for row, chosen in enumerate(layers):
        mixed[row, :, list(chosen)] = col_ws[:, list(chosen)].swapaxes(0, 1)
    sources = painter.pictures(np.concatenate([col_ws, row_ws]))
    pictures = painter.pictures(mixed.reshape(-1, *mixed.shape[2:]))
    pictures = pictures.reshape(len(row_ws), len(col_ws), *pictures.shape[1:])
    corner = np.full_like(sources[:1], 255)
    rows = [np.concatenate([corner, sources[: len(col_ws)]])]
    rows += [np.concatenate([sources[len(col_ws) + row][None], pictures[row]]) for row in range(len(row_ws))]
    return make_grid(np.concatenate(rows), len(col_ws) + 1), pictures


def truncation(painter: Painter, ws: np.ndarray, psis: Sequence[float], cutoff: int | None = None) -> np.ndarray:
    """Figure 8: a row for every w, a column for every psi, as one sheet [N H, K W, C], uint8.

    Source: Karras et al. 2019, figure 8 (all layers are truncated there: `cutoff` None).
    """
    truncated = np.stack([painter.truncate(ws, psi, cutoff) for psi in psis], axis=1)  # [N, K, num_ws, w_dim]
    return make_grid(painter.pictures(truncated.reshape(-1, *ws.shape[1:])), len(psis))


def uncurated(painter: Painter, ws: np.ndarray, *, rows: int, levels: Sequence[int]) -> np.ndarray:
    """Figure 2: columns of pictures, each column `levels` times halved, with 2^level as many of them.

    Args:
        painter: draws them.
        ws: [N, num_ws, w_dim] with N = `num_uncurated(rows, levels)`.
        rows: pictures in a column of level 0.
        levels: halvings of each column.

    Returns:
        uint8 [rows H, sum of W / 2^level, C].
    """
    side = painter.resolution
    pictures = iter(painter.pictures(ws))
    columns = []
    for level in levels:
        count = rows << level
        columns.append(np.concatenate([shrink(next(pictures), side >> level) for _ in range(count)]))
    return np.concatenate(columns, axis=1)


def num_uncurated(rows: int, levels: Sequence[int]) -> int:
    """Pictures that `uncurated` needs."""
    return sum(rows << level for level in levels)


def shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """Resamples uint8 [H, W, C] to [side, side, C] (Lanczos)."""
    if picture.shape[0] == side:
        return picture
    channels = [Image.fromarray(picture[:, :, c]).resize((side, side), Image.Resampling.LANCZOS) for c in range(picture.shape[2])]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)
