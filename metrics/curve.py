"""A curve of one score over the snapshots of a run: points with intervals, the best one marked."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from metrics.result import Result

_WIDTH, _HEIGHT = 960, 540
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 30, 60, 70
_INK, _GRID, _LINE, _BEST = (40, 40, 40), (222, 222, 222), (31, 90, 160), (200, 60, 30)


def draw_curve(name: str, results: Sequence[Result], best: Result | None) -> Image.Image:
    """Draws values over kimg.

    Args:
        name: of the value.
        results: two or more, in order of training.
        best: the one to mark, or None.
    """
    kimg = np.array([result.nimg / 1000 for result in results])
    estimates = [result.values[name] for result in results]
    values = np.array([estimate.value for estimate in estimates])
    lows = np.array([estimate.value if estimate.low is None else estimate.low for estimate in estimates])
    highs = np.array([estimate.value if estimate.high is None else estimate.high for estimate in estimates])
    image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    x_of = _axis(draw, kimg.min(), kimg.max(), is_vertical=False)
    y_of = _axis(draw, lows.min(), highs.max(), is_vertical=True)
    points = list(zip(map(x_of, kimg), map(y_of, values), strict=True))
    for (x, _), low, high in zip(points, lows, highs, strict=True):
        draw.line([(x, y_of(low)), (x, y_of(high))], _LINE, 2)
        for end in (low, high):
            draw.line([(x - 5, y_of(end)), (x + 5, y_of(end))], _LINE, 2)
    draw.line(points, _LINE, 3, joint="curve")
    for (x, y), result in zip(points, results, strict=True):
        size, colour = (8, _BEST) if result is best else (5, _LINE)
        draw.ellipse([x - size, y - size, x + size, y + size], colour)
    mark = f"   best {best.values[name].value:.4g} at {best.nimg / 1000:.1f} kimg ({best.snapshot})" if best else ""
    draw.text((_LEFT, 20), name + mark, _INK, ImageFont.load_default(20))
    draw.text((_WIDTH - _RIGHT, _HEIGHT - 12), "kimg; bars: 95 % intervals", _INK, ImageFont.load_default(15), anchor="rs")
    return image


def _axis(draw: ImageDraw.ImageDraw, low: float, high: float, *, is_vertical: bool):
    """Draws grid lines with numbers, and returns the function from value to pixel."""
    reach = (high - low) or max(abs(high), 1.0)
    low, high = low - 0.05 * reach, high + 0.05 * reach
    start, end = (_HEIGHT - _BOTTOM, _TOP) if is_vertical else (_LEFT, _WIDTH - _RIGHT)

    def pixel(value: float) -> float:
        return start + (end - start) * (value - low) / (high - low)

    font = ImageFont.load_default(15)
    step = _round_step((high - low) / 6)
    for value in np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step:
        place, label = pixel(value), f"{value:.6g}"
        if is_vertical:
            draw.line([(_LEFT, place), (_WIDTH - _RIGHT, place)], _GRID)
            draw.text((_LEFT - 10, place), label, _INK, font, anchor="rm")
        else:
            draw.line([(place, _TOP), (place, _HEIGHT - _BOTTOM)], _GRID)
            draw.text((place, _HEIGHT - _BOTTOM + 10), label, _INK, font, anchor="ma")
    return pixel


def _round_step(step: float) -> float:
    """The next of 1, 2, 5, 10, ... from a step on."""
    power = 10.0 ** np.floor(np.log10(step))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step))
