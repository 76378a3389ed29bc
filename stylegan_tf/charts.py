"""Charts as SVG: lines, clouds of points and histograms, with a grid, round numbers and a legend."""

import html
import math
import re
from collections.abc import Mapping, Sequence

import numpy as np

COLOURS = ("#0b66c3", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#0e7490", "#be185d", "#57534e")
WIDTH, HEIGHT = 460, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 28
LEGEND_ROW, LEGEND_COLUMNS = 16, 3
MAX_POINTS = 400
NUM_BINS = 40
# Of the classes that charts use; a page that contains charts needs it.
STYLE = ".grid { stroke: #e7e5e4 } .axis { fill: #57534e } .mark { stroke: #a8a29e; stroke-dasharray: 3 3 } svg { font-size: 11px }"
_HEAD_HEIGHT = 40  # of title and note in a file

Points = Sequence[tuple[float, float]]
Range = tuple[float, float]


def line_chart(
    series: Mapping[str, Points], marks: Sequence[tuple[float, str]] = (), *, x_name: str = "kimg", intervals: Sequence[Range] = (),
    best: int | None = None,
) -> str:  # fmt: skip
    """A chart with a line for each series.

    Args:
        series: points (x, y) by name; values that are not finite are gaps.
        marks: (x, text) of vertical lines; those outside the points are left out.
        x_name: what x is, written beside its numbers.
        intervals: (low, high) of the points of a single series, drawn as bars.
        best: number of the point to mark.

    Returns:
        An <svg> element, or a sentence if there are no points.
    """
    finite = [(x, y) for points in series.values() for x, y in points if _is_finite(y)]
    if not finite:
        return "<p class='none'>nothing yet</p>"
    x_range = _range([x for x, _ in finite])
    y_range = _range([y for _, y in finite] + [end for ends in intervals for end in ends])
    parts = []
    for x, text in marks:
        if x_range[0] <= x <= x_range[1]:
            at = f"{_x(x, x_range):.1f}"
            parts.append(f'<line x1="{at}" x2="{at}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="mark"/>')
            parts.append(f'<text x="{at}" y="{TOP + 9}" dx="3" class="axis">{html.escape(text)}</text>')
    for colour, points in zip(_colours(len(series)), series.values(), strict=True):
        parts += [
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round" points="{piece}"/>'
            for piece in _pieces(thinned(points), x_range, y_range)
        ]
    for (x, _), ends in zip(finite, intervals):  # noqa: B905  there may be no intervals
        low, high = (f"{_y(end, y_range):.1f}" for end in ends)
        at = f"{_x(x, x_range):.1f}"
        parts.append(f'<line x1="{at}" x2="{at}" y1="{low}" y2="{high}" stroke="{COLOURS[0]}" stroke-width="3" opacity="0.4"/>')
    if best is not None:
        parts.append(_dot(finite[best], x_range, y_range, f'r="4" fill="{COLOURS[1]}"'))
    return _svg(list(series), x_range, y_range, parts, x_name)


def histogram(series: Mapping[str, np.ndarray], reach: Range | None = None) -> str:
    """The share of the values [N] of each series in each of 40 equal bins, as steps: an <svg> element.

    Args:
        reach: first and last edge; None for those of the values without their outermost thousandths.
    """
    low, high = reach or np.quantile(np.concatenate(list(series.values())), [0.001, 0.999])
    edges = np.linspace(low, max(high, low + 1e-6), NUM_BINS + 1)
    steps = {}
    for name, values in _counted(series).items():
        shares = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
        corners = zip(edges.repeat(2), np.pad(shares.repeat(2), 1), strict=True)
        steps[name] = [(float(edge), float(share)) for edge, share in corners]
    return line_chart(steps, x_name="")


def cloud(series: Mapping[str, np.ndarray]) -> str:
    """The points [N, 2] of each series: an <svg> element."""
    x_range, y_range = (_range(np.concatenate(list(series.values()))[:, axis].tolist()) for axis in (0, 1))
    series = _counted(series)
    parts = [
        _dot(point, x_range, y_range, f'r="2" fill="none" stroke="{colour}"')
        for colour, points in zip(_colours(len(series)), series.values(), strict=True)
        for point in points.tolist()
    ]
    return _svg(list(series), x_range, y_range, parts, "")


def as_file(chart: str, title: str, note: str = "") -> str:
    """A chart as the content of an .svg file, with a title and a note above it."""
    top, height = map(int, re.match(rf'<svg viewBox="0 (-?\d+) {WIDTH} (\d+)"', chart).groups())
    box = f"0 {top - _HEAD_HEIGHT} {WIDTH} {height + _HEAD_HEIGHT}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * WIDTH}" viewBox="{box}" font-family="sans-serif"><style>{STYLE}</style>'
        f'<rect y="{top - _HEAD_HEIGHT}" width="100%" height="100%" fill="white"/>'
        f'<text x="{LEFT}" y="{top - 24}" font-size="13">{html.escape(title)}</text>'
        f'<text x="{LEFT}" y="{top - 9}" class="axis">{html.escape(note)}</text>'
    )
    return head + chart.partition(">")[2] + "\n"


def thinned(points: Points, limit: int = MAX_POINTS) -> Points:
    """At most `limit` evenly chosen points, the first and last included."""
    if len(points) <= limit:
        return points
    return [points[round(i * (len(points) - 1) / (limit - 1))] for i in range(limit)]


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Round numbers from `low` to `high`, about `count` of them."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _svg(names: Sequence[str], x_range: Range, y_range: Range, parts: Sequence[str], x_name: str) -> str:
    """The element with its grid, its legend above, and `parts` between the two."""
    legend = LEGEND_ROW * -(-len(names) // LEGEND_COLUMNS)
    shown = [f'<svg viewBox="0 {-legend} {WIDTH} {HEIGHT + legend}" role="img" aria-label="{html.escape(", ".join(names))}">']
    shown += [*_grid(x_range, y_range, x_name), *parts]
    for index, (name, colour) in enumerate(zip(names, _colours(len(names)), strict=True)):
        row, column = divmod(index, LEGEND_COLUMNS)
        shown.append(f'<text x="{LEFT + 130 * column}" y="{12 + LEGEND_ROW * row - legend}" fill="{colour}">{html.escape(name)}</text>')
    return "".join([*shown, "</svg>"])


def _grid(x_range: Range, y_range: Range, x_name: str) -> list[str]:
    parts = []
    for value in ticks(*y_range):
        y = _y(value, y_range)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" class="axis">{value:.4g}</text>')
    for value in ticks(*x_range):
        x = _x(value, x_range)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 10}" text-anchor="middle" class="axis">{value:.4g}</text>')
    parts.append(f'<text x="{LEFT - 6}" y="{HEIGHT - 10}" text-anchor="end" class="axis">{x_name}</text>')
    return parts


def _pieces(points: Points, x_range: Range, y_range: Range) -> list[str]:
    """Coordinates of each unbroken piece of a line."""
    pieces: list[list[str]] = [[]]
    for x, y in points:
        if _is_finite(y):
            pieces[-1].append(f"{_x(x, x_range):.1f},{_y(y, y_range):.1f}")
        elif pieces[-1]:
            pieces.append([])
    # A single point is drawn as a short dash.
    return [" ".join(piece if len(piece) > 1 else [*piece, f"{float(piece[0].split(',')[0]) + 2:.1f},{piece[0].split(',')[1]}"])
            for piece in pieces if piece]  # fmt: skip


def _dot(point: Sequence[float], x_range: Range, y_range: Range, attributes: str) -> str:
    return f'<circle cx="{_x(point[0], x_range):.1f}" cy="{_y(point[1], y_range):.1f}" {attributes}/>'


def _counted(series: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Series with the number of their values in their names."""
    return {f"{name} ({len(of):,})": of for name, of in series.items()}


def _colours(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]


def _range(values: Sequence[float]) -> Range:
    low, high = min(values), max(values)
    margin = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def _x(value: float, limits: Range) -> float:
    return LEFT + (value - limits[0]) / (limits[1] - limits[0]) * (WIDTH - LEFT - RIGHT)


def _y(value: float, limits: Range) -> float:
    return HEIGHT - BOTTOM - (value - limits[0]) / (limits[1] - limits[0]) * (HEIGHT - TOP - BOTTOM)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
