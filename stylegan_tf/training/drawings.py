"""Drawings of report.html: line charts as SVG, and pictures cut from the grids of a run."""

import base64
import functools
import html
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from stylegan_tf.data.intake.pillow_files import open_picture
from stylegan_tf.files import read_bounded
from stylegan_tf.images import grid_shape
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training.run_dir import nimg_of

NUM_FRAMES, NUM_TILES = 12, 12  # of the strip: image counts, latents
PAIR_COLUMNS, PAIR_ROWS = 6, 4
TILE_SIDE = 96  # pixels of a picture in the file; the page scales it
_MAX_BYTES = 256 << 20  # of a grid; 8K of noise in RGB takes 100 MB


def pair(folder: Path, settings: TrainingSettings) -> str:
    """Reals beside the newest fakes, and augmented reals where D sees them so, as HTML."""
    grids = [("Photographs", folder / "reals.png"), *(("Generated", path) for path in _fakes(folder)[-1:])]
    grids.append(("Photographs as D sees them, a row for each strength of the augmentation", folder / "augmented.png"))
    figures = []
    for caption, path in grids:
        if path.exists():
            columns, rows, side = _shape(path, settings)
            chosen = [row * columns + column for row in thinned(range(rows), PAIR_ROWS) for column in range(min(columns, PAIR_COLUMNS))]
            detail = f", kimg {(nimg_of(path) or 0) / 1000:g}" if caption == "Generated" else ""
            figures.append(
                f"<figure><figcaption>{caption}{detail}</figcaption>{_image(caption, path, chosen, PAIR_COLUMNS, columns, side)}</figure>"
            )
    return f"<div class='pair'>{''.join(figures)}</div>" if figures else "<p class='none'>none yet</p>"


def strip(folder: Path, settings: TrainingSettings) -> str:
    """A row of tiles for each of a dozen image grids, evenly chosen, as HTML."""
    figures = []
    for path in thinned(_fakes(folder), NUM_FRAMES):
        columns, rows, side = _shape(path, settings)
        tiles = min(columns, NUM_TILES)
        # Rows may be classes: tiles of each of them.
        chosen = [tile * rows // tiles * columns + tile for tile in range(tiles)]
        label = f"{(nimg_of(path) or 0) / 1000:g} kimg"
        figures.append(
            f"<figure><figcaption>{label}</figcaption>{_image(f'fakes at {label}', path, chosen, tiles, columns, side)}</figure>"
        )
    return f"<div class='strip'>{''.join(figures)}</div>" if figures else "<p class='none'>none yet</p>"


def _fakes(folder: Path) -> list[Path]:
    return sorted(folder.glob("fakes*.png"), key=lambda path: (nimg_of(path) or 0, path.name))


def _shape(path: Path, settings: TrainingSettings) -> tuple[int, int, int]:
    """Columns and rows of a grid, and the side of a picture in it; grids of earlier versions were not enlarged."""
    columns = settings.run.grid_columns or grid_shape(settings.data.resolution, settings.run.grid_size)[0]
    with _opened(path) as grid:
        side = max(grid.width // columns, 1)
        return columns, max(grid.height // side, 1), side


def _opened(path: Path) -> Image.Image:
    """A grid of the run folder, which may come from elsewhere: Pillow would pass an EPS of that name to Ghostscript."""
    return open_picture(read_bounded(path, _MAX_BYTES))


def _image(alt: str, path: Path, chosen: Sequence[int], width: int, columns: int, side: int) -> str:
    text = _encoded(path, path.stat().st_mtime_ns, tuple(chosen), width, columns, side)
    return f"<img alt='{alt}' src='data:image/png;base64,{text}'>"


@functools.lru_cache(maxsize=64)
def _encoded(path: Path, _modified: int, chosen: tuple[int, ...], width: int, columns: int, side: int) -> str:
    """Some pictures of a grid in rows of `width`, as base64 of a PNG."""
    sampling = Image.Resampling.BOX if side > TILE_SIDE else Image.Resampling.NEAREST
    width = min(width, len(chosen))
    with _opened(path) as grid:
        sheet = Image.new(grid.mode, (width * TILE_SIDE, -(-len(chosen) // width) * TILE_SIDE))
        for place, index in enumerate(chosen):
            left, top = index % columns * side, index // columns * side
            picture = grid.crop((left, top, left + side, top + side)).resize((TILE_SIDE, TILE_SIDE), sampling)
            sheet.paste(picture, (place % width * TILE_SIDE, place // width * TILE_SIDE))
        file = io.BytesIO()
        sheet.save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")


COLOURS = ("#0b66c3", "#c2410c", "#15803d", "#7e22ce", "#a16207")
WIDTH, HEIGHT = 460, 220
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 28
LEGEND_ROW, LEGEND_COLUMNS = 16, 3
MAX_POINTS = 400

Points = Sequence[tuple[float, float]]


def line_chart(series: Mapping[str, Points], marks: Sequence[tuple[float, str]] = ()) -> str:
    """A chart with a line for each series.

    Args:
        series: points (kimg, y) by name; values that are not finite are gaps.
        marks: (x, text) of vertical lines; those outside the points are left out.

    Returns:
        An <svg> element, or a sentence if there are no points.
    """
    finite = [(x, y) for points in series.values() for x, y in points if _is_finite(y)]
    if not finite:
        return "<p class='none'>nothing yet</p>"
    x_range = _range([x for x, _ in finite])
    y_range = _range([y for _, y in finite])
    legend = LEGEND_ROW * -(-len(series) // LEGEND_COLUMNS)  # above the lines
    parts = [f'<svg viewBox="0 {-legend} {WIDTH} {HEIGHT + legend}" role="img" aria-label="{html.escape(", ".join(series))}">']
    parts += _grid(x_range, y_range)
    for x, text in marks:
        if x_range[0] <= x <= x_range[1]:
            at = f"{_x(x, x_range):.1f}"
            parts.append(f'<line x1="{at}" x2="{at}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="mark"/>')
            parts.append(f'<text x="{at}" y="{TOP + 9}" dx="3" class="axis">{html.escape(text)}</text>')
    for index, (name, points) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        parts += [
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.6" stroke-linejoin="round" points="{piece}"/>'
            for piece in _pieces(thinned(points), x_range, y_range)
        ]
        row, column = divmod(index, LEGEND_COLUMNS)
        parts.append(f'<text x="{LEFT + 130 * column}" y="{12 + LEGEND_ROW * row - legend}" fill="{colour}">{html.escape(name)}</text>')
    return "".join([*parts, "</svg>"])


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


def _grid(x_range: tuple[float, float], y_range: tuple[float, float]) -> list[str]:
    parts = []
    for value in ticks(*y_range):
        y = _y(value, y_range)
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" class="axis">{value:.4g}</text>')
    for value in ticks(*x_range):
        x = _x(value, x_range)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - 10}" text-anchor="middle" class="axis">{value:.4g}</text>')
    parts.append(f'<text x="{LEFT - 6}" y="{HEIGHT - 10}" text-anchor="end" class="axis">kimg</text>')
    return parts


def _pieces(points: Points, x_range: tuple[float, float], y_range: tuple[float, float]) -> list[str]:
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


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = (high - low) * 0.05 or abs(high) * 0.1 or 1.0
    return low - margin, high + margin


def _x(value: float, limits: tuple[float, float]) -> float:
    return LEFT + (value - limits[0]) / (limits[1] - limits[0]) * (WIDTH - LEFT - RIGHT)


def _y(value: float, limits: tuple[float, float]) -> float:
    return HEIGHT - BOTTOM - (value - limits[0]) / (limits[1] - limits[0]) * (HEIGHT - TOP - BOTTOM)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
