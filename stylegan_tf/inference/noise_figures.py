"""What the noise inputs do: the figures 4 and 5 of the paper."""

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from stylegan_tf.images import make_grid
from stylegan_tf.inference.painter import Painter

DETAIL_COLUMNS = ("picture", "four details", "deviation x4")
# The part of a face that the paper enlarges: rows 180 to 436, columns 650 to 906 of 1024.
CROP = (180 / 1024, 436 / 1024, 650 / 1024, 906 / 1024)


def noise_detail(painter: Painter, ws: np.ndarray, *, num_samples: int = 100, crop: tuple[float, ...] | None = None) -> np.ndarray:
    """Figure 4: each w drawn many times with fresh noise: a picture, four enlarged details, the deviation of each pixel.

    Args:
        painter: with random noise.
        ws: [N, num_ws, w_dim].
        num_samples: pictures the standard deviation is taken over, at least 4.
        crop: top, bottom, left, right of the detail as shares of the side; None: the paper's for 1024x1024, else the part of
            each picture that noise changes most.

    Returns:
        uint8 [N H, 3 W, C]; the deviation is four times the standard deviation of the mean over the colours.
    """
    rows = []
    if crop is None and painter.resolution == 1024:
        crop = CROP
    for index, w in enumerate(ws):
        first, count, total, squares = [], 0, 0.0, 0.0
        seeds = range(index * num_samples, (index + 1) * num_samples)
        for batch in painter.batches(np.repeat(w[None], num_samples, axis=0), seeds):
            first.extend(batch[: max(5 - len(first), 0)])
            grey = batch.astype(np.float64).mean(axis=3)
            count, total, squares = count + len(batch), total + grey.sum(axis=0), squares + (grey**2).sum(axis=0)
        deviation = np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0)) * 4
        part = crop or _liveliest(deviation)
        deviation = np.clip(deviation + 0.5, 0, 255).astype(np.uint8)[:, :, None].repeat(first[0].shape[2], axis=2)
        if first[0].shape[2] == 4:
            deviation[:, :, 3] = 255
        details = make_grid(np.stack([_detail(picture, part) for picture in first[1:5]]), 2)
        rows.append(np.concatenate([first[0], details, deviation], axis=1))
    return np.concatenate(rows)


def noise_components(painter: Painter, ws: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Figure 5: noise in all layers, in none, in the fine ones (from the 9th on), in the coarse ones.

    Args:
        painter: with constant noise; its maps are put back afterwards.
        ws: [N, num_ws, w_dim].

    Returns:
        The sheet uint8 [N H, 4 W, C] and the names of the columns.
    """
    num_layers = painter.G.num_layers
    middle = min(8, num_layers // 2)
    choices = {
        "all layers": range(num_layers),
        "no noise": range(0),
        f"fine ({middle}-{num_layers - 1})": range(middle, num_layers),
        f"coarse (0-{middle - 1})": range(middle),
    }
    columns = []
    for layers in choices.values():
        with only_noise_of(painter, layers):
            columns.append(painter.pictures(ws))
    sheet = np.stack(columns, axis=1)  # [N, 4, H, W, C]
    return make_grid(sheet.reshape(-1, *sheet.shape[2:]), len(choices)), list(choices)


@contextlib.contextmanager
def only_noise_of(painter: Painter, layers: Sequence[int]) -> Iterator[None]:
    """Silences the constant noise of all other layers for a while."""
    maps = painter.G.synthesis.noise_maps
    kept = [np.asarray(variable) for variable in maps]
    try:
        for layer, variable in enumerate(maps):
            if layer not in layers:
                variable.assign(np.zeros_like(kept[layer]))
        yield
    finally:
        for variable, value in zip(maps, kept, strict=True):
            variable.assign(value)


def _liveliest(deviation: np.ndarray) -> tuple[float, ...]:
    """The square of a quarter of the side in which the sum of [H, W] is the largest, as shares of the side."""
    side = len(deviation)
    width = max(side // 4, 1)
    sums = np.pad(deviation.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    boxes = sums[width:, width:] - sums[:-width, width:] - sums[width:, :-width] + sums[:-width, :-width]
    top, left = np.unravel_index(boxes.argmax(), boxes.shape)
    return tuple(float(edge) / side for edge in (top, top + width, left, left + width))


def _detail(picture: np.ndarray, crop: tuple[float, ...]) -> np.ndarray:
    """A crop enlarged to half the side, pixels kept visible."""
    side = picture.shape[0]
    top, bottom, left, right = (round(share * side) for share in crop)
    part = picture[top : max(bottom, top + 1), left : max(right, left + 1)]
    half = max(side // 2, 1)
    channels = [Image.fromarray(part[:, :, c]).resize((half, half), Image.Resampling.NEAREST) for c in range(part.shape[2])]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)
