"""Pictures of report.html, cut from the grids of a run."""

import base64
import functools
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from stylegan_tf.charts import thinned
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
