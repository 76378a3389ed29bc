"""Figures of scores as pictures: curves with intervals, histograms, clouds of points, tables of two variables."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_WIDTH, _HEIGHT = 960, 540
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 30, 60, 70
_INK, _GRID, _BEST = (40, 40, 40), (222, 222, 222), (200, 60, 30)
COLOURS = ((31, 90, 160), (200, 60, 30), (40, 130, 60), (130, 60, 160), (160, 110, 10), (20, 140, 150), (200, 70, 130), (90, 90, 90))
_BINS, _BANDS, _LEGEND_COLUMNS = 40, 10, 3


class Axes:
    """An empty chart with a title, grid lines and numbers; `x` and `y` are functions from value to pixel.

    Args:
        title: above the chart.
        x_range, y_range: smallest and largest value; a margin of a twentieth is added.
        note: below the chart, on the right.
        names: of the series, written above the chart in their colours.
    """

    def __init__(self, title: str, x_range: tuple[float, float], y_range: tuple[float, float], note: str = "", names: Sequence[str] = ()):
        self._top = _TOP + 20 * -(-len(names) // _LEGEND_COLUMNS)
        self.image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
        self.draw = ImageDraw.Draw(self.image)
        self._x, self._y = _widened(x_range), _widened(y_range)
        self._grid(self._x, is_vertical=False)
        self._grid(self._y, is_vertical=True)
        self.draw.text((_LEFT, 20), title, _INK, ImageFont.load_default(20))
        self.draw.text((_WIDTH - _RIGHT, _HEIGHT - 12), note, _INK, ImageFont.load_default(15), anchor="rs")
        for number, name in enumerate(names):
            row, column = divmod(number, _LEGEND_COLUMNS)
            place = (_LEFT + column * (_WIDTH - _LEFT - _RIGHT) / _LEGEND_COLUMNS, _TOP - 8 + 20 * row)
            self.draw.text(place, name, COLOURS[number % len(COLOURS)], ImageFont.load_default(15))

    def x(self, value: float) -> float:
        """Pixel column of a value."""
        return _LEFT + (_WIDTH - _RIGHT - _LEFT) * (value - self._x[0]) / (self._x[1] - self._x[0])

    def y(self, value: float) -> float:
        """Pixel row of a value."""
        return _HEIGHT - _BOTTOM + (self._top - _HEIGHT + _BOTTOM) * (value - self._y[0]) / (self._y[1] - self._y[0])

    def _grid(self, reach: tuple[float, float], *, is_vertical: bool) -> None:
        font = ImageFont.load_default(15)
        step = _round_step((reach[1] - reach[0]) / 6)
        for value in np.arange(np.ceil(reach[0] / step), np.floor(reach[1] / step) + 1) * step:
            label = f"{value + 0.0:.6g}"  # no minus before 0
            if is_vertical:
                self.draw.line([(_LEFT, self.y(value)), (_WIDTH - _RIGHT, self.y(value))], _GRID)
                self.draw.text((_LEFT - 10, self.y(value)), label, _INK, font, anchor="rm")
            else:
                self.draw.line([(self.x(value), self._top), (self.x(value), _HEIGHT - _BOTTOM)], _GRID)
                self.draw.text((self.x(value), _HEIGHT - _BOTTOM + 10), label, _INK, font, anchor="ma")


def curve(
    title: str, x: Sequence[float], values: Sequence[float], intervals: Sequence[tuple[float, float]], *, marked: int | None, note: str = ""
) -> Image.Image:
    """Values with intervals over x, in order of x; `marked` is the place of the value to mark, or None."""
    lows, highs = zip(*intervals, strict=True)
    axes = Axes(title, (min(x), max(x)), (min(lows), max(highs)), note)
    draw, colour = axes.draw, COLOURS[0]
    points = [(axes.x(at), axes.y(value)) for at, value in zip(x, values, strict=True)]
    for (column, _), low, high in zip(points, lows, highs, strict=True):
        draw.line([(column, axes.y(low)), (column, axes.y(high))], colour, 2)
        for end in (low, high):
            draw.line([(column - 5, axes.y(end)), (column + 5, axes.y(end))], colour, 2)
    draw.line(points, colour, 3, joint="curve")
    for place, (column, row) in enumerate(points):
        size, fill = (8, _BEST) if place == marked else (5, colour)
        draw.ellipse([column - size, row - size, column + size, row + size], fill)
    return axes.image


def curves(title: str, series: Mapping[str, Sequence[tuple[float, float]]], note: str = "") -> Image.Image:
    """A line for each series of points (x, y)."""
    points = np.array([point for line in series.values() for point in line], np.float64)
    axes = Axes(title, (points[:, 0].min(), points[:, 0].max()), (points[:, 1].min(), points[:, 1].max()), note, list(series))
    for number, line in enumerate(series.values()):
        colour, places = COLOURS[number % len(COLOURS)], [(axes.x(x), axes.y(y)) for x, y in line]
        axes.draw.line(places, colour, 3, joint="curve")
        for column, row in places:
            axes.draw.ellipse([column - 4, row - 4, column + 4, row + 4], colour)
    return axes.image


def histogram(title: str, series: Mapping[str, np.ndarray], note: str = "", reach: tuple[float, float] | None = None) -> Image.Image:
    """Shares of the values [N] of each series in equal bins, as steps.

    Args:
        reach: first and last edge; None for those of the values without their outermost thousandths.
    """
    values = np.concatenate(list(series.values()))
    low, high = reach or np.quantile(values, [0.001, 0.999])
    edges = np.linspace(low, max(high, low + 1e-6), _BINS + 1)
    shares = {name: np.histogram(np.clip(of, edges[0], edges[-1]), edges)[0] / len(of) for name, of in series.items()}
    axes = Axes(title, (edges[0], edges[-1]), (0.0, max(share.max() for share in shares.values())), note, _counted(series))
    for number, share in enumerate(shares.values()):
        steps = [(axes.x(edge), axes.y(height)) for place, height in enumerate(share) for edge in edges[place : place + 2]]
        axes.draw.line([(axes.x(edges[0]), axes.y(0)), *steps, (axes.x(edges[-1]), axes.y(0))], COLOURS[number % len(COLOURS)], 3)
    return axes.image


def cloud(title: str, series: Mapping[str, np.ndarray], note: str = "") -> Image.Image:
    """The points [N, 2] of each series."""
    points = np.concatenate(list(series.values()))
    axes = Axes(title, (points[:, 0].min(), points[:, 0].max()), (points[:, 1].min(), points[:, 1].max()), note, _counted(series))
    for number, of in enumerate(series.values()):
        for x, y in of:
            column, row = axes.x(x), axes.y(y)
            axes.draw.ellipse([column - 3, row - 3, column + 3, row + 3], outline=COLOURS[number % len(COLOURS)])
    return axes.image


def _counted(series: Mapping[str, np.ndarray]) -> list[str]:
    """Names of series with their numbers of values."""
    return [f"{name} ({len(of):,})" for name, of in series.items()]


def stacked(*images: Image.Image) -> np.ndarray:
    """uint8 [H, W, 3] of figures one above the other."""
    return np.concatenate([np.asarray(image) for image in images])


def _widened(reach: tuple[float, float]) -> tuple[float, float]:
    """A range with a margin; one of a single value becomes as wide as the value."""
    size = (reach[1] - reach[0]) or max(abs(reach[1]), 1.0)
    return reach[0] - 0.05 * size, reach[1] + 0.05 * size


def _round_step(step: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, ... that is not below a step."""
    power = 10.0 ** np.floor(np.log10(step))
    return float(next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step))


def contour(title: str, x_names: Sequence[str], y_names: Sequence[str], values: np.ndarray, note: str = "") -> Image.Image:
    """A table of two variables as bands of colour between its cells, which stand at equal distances, with the values written in.

    Args:
        x_names, y_names: of the columns and of the rows, the first row at the bottom.
        values: [rows, columns], two or more of each; NaN for cells that do not exist, coloured as the lowest.
    """
    image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    left, top = _LEFT + 40, _TOP + 10
    width, height = _WIDTH - _RIGHT - left - 20, _HEIGHT - _BOTTOM - top - 10
    rows, columns = np.linspace(0, values.shape[0] - 1, height), np.linspace(0, values.shape[1] - 1, width)
    # Bands have equal numbers of cells, not equal widths: one bad row would leave all others in one band.
    cells = np.sort(values[~np.isnan(values)])
    filled = np.where(np.isnan(values), cells[0], values)
    shares = np.interp(_interpolated(filled, rows, columns)[::-1], cells, np.linspace(0, 1, len(cells)))
    bands = np.floor(shares * (_BANDS - 1e-9)) / (_BANDS - 1)
    dark, light = np.array(COLOURS[0]), np.array((250, 240, 200))
    pixels = (light + (dark - light) * bands[..., None]).astype(np.uint8)
    image.paste(Image.fromarray(pixels), (left, top))
    for row, row_name in enumerate(y_names):
        y = top + height * (1 - row / (values.shape[0] - 1))
        draw.text((left - 30, y), row_name, _INK, font, anchor="rm")
        for column, name in enumerate(x_names):
            x = left + width * column / (values.shape[1] - 1)
            if row == 0:
                draw.text((x, _HEIGHT - _BOTTOM + 5), name, _INK, font, anchor="ma")
            if not np.isnan(values[row, column]):
                text = f"{values[row, column]:.4g}"
                box = draw.textbbox((x, y), text, font, anchor="mm")
                draw.rectangle([box[0] - 3, box[1] - 2, box[2] + 3, box[3] + 2], "white")
                draw.text((x, y), text, _INK, font, anchor="mm")
    draw.text((_LEFT, 20), title, _INK, ImageFont.load_default(20))
    draw.text((_WIDTH - _RIGHT, _HEIGHT - 12), note, _INK, font, anchor="rs")
    return image


def _interpolated(table: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear values of a table [R, C] at fractional rows [H] and columns [W]."""
    top, left = np.minimum(rows.astype(int), table.shape[0] - 2), np.minimum(columns.astype(int), table.shape[1] - 2)
    down, right = (rows - top)[:, None], (columns - left)[None]
    upper = table[top][:, left] * (1 - right) + table[top][:, left + 1] * right
    lower = table[top + 1][:, left] * (1 - right) + table[top + 1][:, left + 1] * right
    return upper * (1 - down) + lower * down
