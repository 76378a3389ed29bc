"""The images of the StyleGAN paper's figures: uncurated samples, style mixing, noise, truncation."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from stylegan_tf.images import make_grid
from stylegan_tf.sheets import enlarged, gap_of

if TYPE_CHECKING:
    from stylegan_tf.inference.sampler import StyleSampler

DETAIL_COLUMNS = ("image", "four details", "deviation x4")
# The part of a face that the paper enlarges: rows 180 to 436, columns 650 to 906 of 1024.
CROP = (180 / 1024, 436 / 1024, 650 / 1024, 906 / 1024)


def uncurated(sampler: "StyleSampler", ws: np.ndarray, *, rows: int, levels: Sequence[int]) -> np.ndarray:
    """Figure 2: columns of images. The images of a column have 1 / 2^level of the size, and there are 2^level as many of them.

    Args:
        sampler: of the network.
        ws: [N, num_ws, w_dim] with N = `num_uncurated(rows, levels)`.
        rows: images in a column of level 0.
        levels: level of each column.

    Returns:
        uint8 [rows S, about S times the sum of 1 / 2^level, C] with white gaps; S is the side of the images, at least 128.
    """
    large = [enlarged(image, sampler.resolution) for image in sampler.images(ws)]
    side, gap, images = len(large[0]), gap_of(len(large[0])), iter(large)
    columns = []
    for level in levels:
        pitch = (side + gap) / 2**level
        small = int(pitch) - gap
        column = np.full((rows * (side + gap) - gap, small + gap, large[0].shape[2]), 255, np.uint8)
        for index in range(rows << level):
            top = round(index * pitch)
            column[top : top + small, :small] = _resized(next(images), small, Image.Resampling.LANCZOS)
        columns.append(column)
    return np.concatenate(columns, axis=1)[:, :-gap]


def num_uncurated(rows: int, levels: Sequence[int]) -> int:
    """Number of images in the figure of `uncurated`."""
    return sum(rows << level for level in levels)


def style_mixing(sampler: "StyleSampler", row_ws: np.ndarray, col_ws: np.ndarray, layers: Sequence[Sequence[int]]) -> np.ndarray:
    """Figure 3: the image of every row with the styles of every column in some layers.

    Args:
        sampler: of the network.
        row_ws: [R, num_ws, w_dim], source of all other styles.
        col_ws: [K, num_ws, w_dim], source of the styles of `layers`.
        layers: for each row, the layers whose styles are the column's.

    Returns:
        uint8 [R + 1, K + 1, H, W, C]: the sources at the top and on the left, an empty (white) corner, and the mixed images.

    Source: Karras et al. 2019, figure 3.
    """
    mixed = np.repeat(row_ws[:, None], len(col_ws), axis=1)  # [R, K, num_ws, w_dim]
    for row, chosen in enumerate(layers):
        mixed[row, :, list(chosen)] = col_ws[:, list(chosen)].swapaxes(0, 1)
    sources = sampler.images(np.concatenate([col_ws, row_ws]))
    images = sampler.images(mixed.reshape(-1, *mixed.shape[2:]))
    images = images.reshape(len(row_ws), len(col_ws), *images.shape[1:])
    top = np.concatenate([np.full_like(sources[:1], 255), sources[: len(col_ws)]])
    return np.concatenate([top[None], np.concatenate([sources[len(col_ws) :, None], images], axis=1)])


def noise_detail(sampler: "StyleSampler", ws: np.ndarray, *, num_samples: int = 100, crop: tuple[float, ...] | None = None) -> np.ndarray:
    """Figure 4: each w with many samples of noise: an image, four enlarged details, the deviation of each pixel.

    Args:
        sampler: with random noise.
        ws: [N, num_ws, w_dim].
        num_samples: images that the standard deviation is taken over, at least 5.
        crop: top, bottom, left, right of the detail as shares of the side; None: the paper's at 1024x1024, else the part of
            each image that noise changes most.

    Returns:
        uint8 [N, 3, H, W, C]; the deviation is four times the standard deviation of the mean over the colours.

    Source: Karras et al. 2019, figure 4.
    """
    rows = []
    if crop is None and sampler.resolution == 1024:
        crop = CROP
    for index, w in enumerate(ws):
        first, count, total, squares = [], 0, 0.0, 0.0
        seeds = range(index * num_samples, (index + 1) * num_samples)
        for batch in sampler.batches(np.repeat(w[None], num_samples, axis=0), seeds):
            first.extend(batch[: max(5 - len(first), 0)])
            grey = batch.astype(np.float64).mean(axis=3)
            count, total, squares = count + len(batch), total + grey.sum(axis=0), squares + (grey**2).sum(axis=0)
        deviation = np.sqrt(np.maximum(squares / count - (total / count) ** 2, 0)) * 4
        part = crop or _most_changed(deviation)
        deviation = np.clip(deviation + 0.5, 0, 255).astype(np.uint8)[:, :, None].repeat(first[0].shape[2], axis=2)
        if first[0].shape[2] == 4:
            deviation[:, :, 3] = 255
        details = make_grid(np.stack([_detail(image, part) for image in first[1:5]]), 2)
        rows.append(np.stack([first[0], details, deviation]))
    return np.stack(rows)


def noise_components(sampler: "StyleSampler", ws: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Figure 5: noise in all layers, in none, in the fine layers (from the 9th on), in the coarse layers.

    Args:
        sampler: with constant noise; the network's noise maps are restored afterwards.
        ws: [N, num_ws, w_dim].

    Returns:
        uint8 [N, 4, H, W, C] and the names of the columns.

    Source: Karras et al. 2019, figure 5.
    """
    num_layers = len(sampler.G.synthesis.noise_maps)
    middle = min(8, num_layers // 2)
    choices = {
        "all layers": range(num_layers),
        "no noise": range(0),
        f"fine ({middle}-{num_layers - 1})": range(middle, num_layers),
        f"coarse (0-{middle - 1})": range(middle),
    }
    columns = []
    for layers in choices.values():
        with _noise_only_in(sampler, layers):
            columns.append(sampler.images(ws))
    return np.stack(columns, axis=1), list(choices)


def truncation(sampler: "StyleSampler", ws: np.ndarray, psis: Sequence[float], cutoff: int | None = None) -> np.ndarray:
    """Figure 8: a row for every w, a column for every psi: uint8 [N, K, H, W, C].

    Source: Karras et al. 2019, figure 8 (where all layers are truncated: `cutoff` None).
    """
    truncated = np.stack([sampler.truncate(ws, psi, cutoff) for psi in psis], axis=1)  # [N, K, num_ws, w_dim]
    images = sampler.images(truncated.reshape(-1, *ws.shape[1:]))
    return images.reshape(len(ws), len(psis), *images.shape[1:])


@contextlib.contextmanager
def _noise_only_in(sampler: "StyleSampler", layers: Sequence[int]) -> Iterator[None]:
    """Sets the noise maps of all other layers to zero within the context."""
    maps = sampler.G.synthesis.noise_maps
    kept = [np.asarray(variable) for variable in maps]
    try:
        for layer, variable in enumerate(maps):
            if layer not in layers:
                variable.assign(np.zeros_like(kept[layer]))
        yield
    finally:
        for variable, value in zip(maps, kept, strict=True):
            variable.assign(value)


def _most_changed(deviation: np.ndarray) -> tuple[float, ...]:
    """The square of a quarter of the side in which the sum of [H, W] is the largest, as shares of the side."""
    side = len(deviation)
    width = max(side // 4, 1)
    sums = np.pad(deviation.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    boxes = sums[width:, width:] - sums[:-width, width:] - sums[width:, :-width] + sums[:-width, :-width]
    top, left = np.unravel_index(boxes.argmax(), boxes.shape)
    return tuple(float(edge) / side for edge in (top, top + width, left, left + width))


def _detail(image: np.ndarray, crop: tuple[float, ...]) -> np.ndarray:
    """A crop enlarged to half the side without interpolation: its pixels remain visible."""
    side = image.shape[0]
    top, bottom, left, right = (round(share * side) for share in crop)
    part = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    return _resized(part, max(side // 2, 1), Image.Resampling.NEAREST)


def _resized(image: np.ndarray, side: int, method: Image.Resampling) -> np.ndarray:
    """Resamples uint8 [H, W, C] to [side, side, C]."""
    if image.shape[:2] == (side, side):
        return image
    channels = [Image.fromarray(image[:, :, c]).resize((side, side), method) for c in range(image.shape[2])]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)
