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


def curves(
    title: str, series: Mapping[str, Sequence[tuple[float, float]]], note: str = "", *, intervals: Sequence[tuple[float, float]] = (),
    marked: int | None = None,
) -> Image.Image:  # fmt: skip
    """A line for each series of points (x, y), in order of x.

    Args:
        series: by name; "" for a name that is not shown.
        intervals: of the points of a single series, drawn as bars.
        marked: place of the point to mark.
    """
    points = np.array([point for line in series.values() for point in line], np.float64)
    heights = np.append(points[:, 1], np.ravel(intervals))
    reach = (points[:, 0].min(), points[:, 0].max())
    axes = Axes(title, reach, (heights.min(), heights.max()), note, [name for name in series if name])
    for number, line in enumerate(series.values()):
        colour, places = COLOURS[number % len(COLOURS)], [(axes.x(x), axes.y(y)) for x, y in line]
        for (column, _), ends in zip(places, intervals):  # noqa: B905  there may be no intervals
            low, high = map(axes.y, ends)
            axes.draw.line([(column, low), (column, high)], colour, 2)
            for end in (low, high):
                axes.draw.line([(column - 5, end), (column + 5, end)], colour, 2)
        axes.draw.line(places, colour, 3, joint="curve")
        for place, (column, row) in enumerate(places):
            size, fill = (8, _BEST) if place == marked else (4, colour)
            axes.draw.ellipse([column - size, row - size, column + size, row + size], fill)
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
    from scipy.ndimage import map_coordinates  # a tenth of a second to import

    image = Image.new("RGB", (_WIDTH, _HEIGHT), "white")
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(15)
    left, top = _LEFT + 40, _TOP + 10
    width, height = _WIDTH - _RIGHT - left - 20, _HEIGHT - _BOTTOM - top - 10
    rows, columns = np.linspace(0, values.shape[0] - 1, height), np.linspace(0, values.shape[1] - 1, width)
    # Bands have equal numbers of cells, not equal widths: one bad row would leave all others in one band.
    cells = np.sort(values[~np.isnan(values)])
    filled = np.where(np.isnan(values), cells[0], values)
    heights = map_coordinates(filled, np.meshgrid(rows, columns, indexing="ij"), order=1)[::-1]
    shares = np.interp(heights, cells, np.linspace(0, 1, len(cells)))
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
