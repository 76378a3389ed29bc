"""report.html of a run: verdict, curves, pictures and settings in one file without links, rewritten at every tick."""

import base64
import functools
import html
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from stylegan_tf import settings_text
from stylegan_tf.files import write_text
from stylegan_tf.images import grid_shape
from stylegan_tf.progress_bar import format_sec
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training import records
from stylegan_tf.training import verdict as verdicts
from stylegan_tf.training.best import BestValue
from stylegan_tf.training.curves import line_chart, thinned
from stylegan_tf.training.records import Record
from stylegan_tf.training.run_dir import RunDir, nimg_of

CHARTS = {
    "Logits": ("Loss/scores/real", "Loss/scores/fake"),
    "Mean signs of the logits (1 and -1: D is always right; 0: D cannot distinguish)": ("Loss/signs/real", "Loss/signs/fake"),
    "Learning rates": ("G_lrate", "D_lrate"),
    "Diversity of the fakes (1: as the reals)": ("Pictures/diversity",),
    "Level of detail": ("lod",),
    "Images per second": ("images_per_sec",),
    "Seconds of a tick, and of maintenance before it": ("data_sec", "D_sec", "G_sec", "other_sec", "maintenance_sec"),
    "Memory, GB": ("hostmem_gb", "gpumem_gb"),
}
NUM_FRAMES, NUM_TILES, TILE_SIDE = 12, 10, 64  # filmstrip: image counts, latents, pixels

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 980px; padding: 0 1rem; color: #1c1917; background: #fafaf9 }
h1 { font-size: 1.4rem; margin-bottom: .2rem } h2 { font-size: 1.05rem; margin-top: 2rem }
.verdict { border-left: 5px solid #0b66c3; background: #fff; padding: .7rem 1rem; margin: 1rem 0 }
.collapsing { border-color: #b91c1c } .overfitting { border-color: #c2410c }
.plateau { border-color: #a16207 } .improving { border-color: #15803d }
.rule, .none, .axis, small { color: #57534e }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(420px, 1fr)); gap: 1rem }
figure { margin: 0; background: #fff; padding: .5rem } figcaption { font-weight: 600; font-size: .9rem }
svg { width: 100%; height: auto; font-size: 11px } .grid { stroke: #e7e5e4 } .axis { fill: #57534e }
table { border-collapse: collapse; background: #fff } td, th { padding: .2rem .7rem; text-align: left; border-bottom: 1px solid #e7e5e4 }
.strip img { display: block; margin-bottom: 2px; max-width: 100% } .strip td { vertical-align: middle; border: 0; padding: 1px 8px }
pre { background: #fff; padding: .7rem; overflow: auto; font-size: 12px }
"""


def write(run_dir: RunDir, settings: TrainingSettings, best_value: Callable[[str], BestValue | None] | None = None) -> None:
    """Writes report.html from stats.jsonl and the picture grids of the run folder.

    Args:
        run_dir, settings: of the run.
        best_value: the score of a name (see `best.SnapshotScores`); None if the run computes no scores.
    """
    found = records.read(run_dir)
    ticks = [record for record in found if "tick" in record]
    scored = records.scored(run_dir, found)
    score = _score_to_compare(scored, settings.run.best_metric, best_value) if best_value else None
    tag = f"Metrics/{score.name}" if score else ""
    values = [(record["nimg"] / 1000, record[tag]) for record in scored if record.get(tag) is not None]
    sections = [
        _head(run_dir, ticks, settings),
        _verdict(verdicts.assess(ticks, score, values)),
        _best_line(run_dir, score, scored),
        "<h2>The same latents over time</h2>" + _filmstrip(run_dir.path, settings),
        "<h2>Curves</h2><div class='charts'>" + "".join(_charts(ticks, scored)) + "</div>",
        "<h2>Configuration</h2><details><summary>all settings</summary><pre>"
        + html.escape(json.dumps(settings_text.to_plain(settings), indent=2))
        + "</pre></details>",
    ]
    title = html.escape(run_dir.path.name)
    page = f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{title}</title><style>{STYLE}</style>{''.join(sections)}</html>\n"
    write_text(run_dir / "report.html", page)


def _head(run_dir: RunDir, ticks: list[Record], settings: TrainingSettings) -> str:
    if not ticks:
        return f"<h1>{html.escape(run_dir.path.name)}</h1>"
    last, total_kimg = ticks[-1], settings.schedule.total_kimg
    return (
        f"<h1>{html.escape(run_dir.path.name)}</h1><small>tick {last['tick']}, kimg {last['kimg']:.1f} of {total_kimg:g}, "
        f"{last['resolution']}x{last['resolution']} (lod {last['lod']:.2f}), {format_sec(last['total_sec'])} so far, "
        f"{last['images_per_sec']:.1f} images/s, about {format_sec(last['eta_sec'])} left</small>"
    )


def _verdict(verdict: verdicts.Verdict) -> str:
    return (
        f"<div class='verdict {verdict.word}'><b>{verdict.word.capitalize()}.</b> {html.escape(verdict.sentence)}"
        f"<br><span class='rule'>Rule: {html.escape(verdict.rule)}.</span></div>"
    )


def _score_to_compare(scored: list[Record], requested: str | None, best_value: Callable[[str], BestValue | None]) -> BestValue | None:
    """The requested score, or the first one in the records by which snapshots can be compared."""
    names = [name.removeprefix("Metrics/") for record in scored for name in record if name.startswith("Metrics/")]
    return best_value(requested) if requested else next(filter(None, map(best_value, dict.fromkeys(names))), None)


def _best(score: BestValue | None, scored: list[Record]) -> Record | None:
    """The record with the best value of a score, None if none has it."""
    best = None
    for record in scored if score else ():
        value = record.get(f"Metrics/{score.name}")
        if value is not None and (best is None or score.is_better(value, best[f"Metrics/{score.name}"])):
            best = record
    return best


def _best_line(run_dir: RunDir, score: BestValue | None, scored: list[Record]) -> str:
    """Names the best snapshot among the files of the run, and a better one that was removed."""
    of_all = _best(score, scored)
    if of_all is None:
        return "<p>Best snapshot: unknown without a score (--metrics).</p>"
    kept = _best(score, [record for record in scored if (run_dir / record["snapshot"]).exists()])
    line = "<p>Best snapshot: " + ("none of the scored snapshots is kept" if kept is None else _score_of(kept, score.name))
    if kept is not of_all and (kept is None or score.is_better(of_all[f"Metrics/{score.name}"], kept[f"Metrics/{score.name}"])):
        line += f". Better, but removed: {_score_of(of_all, score.name)} (with run.best_metric={html.escape(score.name)} the best is kept)"
    return line + "</p>"


def _score_of(record: Record, metric: str) -> str:
    return f"<b>{html.escape(record['snapshot'])}</b>, {html.escape(metric)} {record[f'Metrics/{metric}']:.4f}"


def _charts(ticks: list[Record], scored: list[Record]) -> list[str]:
    names = dict.fromkeys(name for tick in ticks for name in tick)
    charts = []
    for title, chosen in {
        "Losses": [name for name in names if re.fullmatch(r"Loss/[^/]+", name)],
        "Norms of the gradients": [name for name in names if re.fullmatch(r"Gradients/\w+_norm", name)],
        **CHARTS,
        **{name: [name] for name in names if name.startswith("Running/")},
    }.items():
        series = {name.removeprefix("Loss/"): [(tick["kimg"], tick.get(name)) for tick in ticks] for name in chosen}
        charts.append(_figure(title, line_chart(series)))
    metrics = dict.fromkeys(name for record in scored for name in record if name.startswith("Metrics/"))
    for name in metrics:
        points = [(record["nimg"] / 1000, record.get(name)) for record in scored]
        charts.append(_figure(name, line_chart({name.removeprefix("Metrics/"): points})))
    return charts


def _figure(title: str, drawing: str) -> str:
    return f"<figure><figcaption>{html.escape(title)}</figcaption>{drawing}</figure>"


def _filmstrip(folder: Path, settings: TrainingSettings) -> str:
    """A row of tiles for each of a dozen picture grids, evenly chosen."""
    grids = sorted(folder.glob("fakes*.png"), key=lambda path: (nimg_of(path) or 0, path.name))
    columns = settings.run.grid_columns or grid_shape(settings.data.resolution, settings.run.grid_size)[0]
    rows = []
    for path in thinned(grids, NUM_FRAMES):
        strip = _strip(path, path.stat().st_mtime_ns, settings.data.resolution, min(columns, NUM_TILES))
        label = f"{(nimg_of(path) or 0) / 1000:g} kimg"
        rows.append(f"<tr><td><small>{label}</small></td><td><img alt='fakes at {label}' src='data:image/png;base64,{strip}'></td></tr>")
    return f"<table class='strip'>{''.join(rows)}</table>" if rows else "<p class='none'>nothing yet</p>"


@functools.lru_cache(maxsize=64)
def _strip(path: Path, _modified: int, resolution: int, tiles: int) -> str:
    """Some tiles of a grid, from all of its rows, as base64 of a PNG."""
    sampling = Image.Resampling.BOX if resolution > TILE_SIDE else Image.Resampling.NEAREST
    with Image.open(path) as grid:
        row = Image.new(grid.mode, (tiles * TILE_SIDE, TILE_SIDE))
        num_rows = grid.height // resolution
        for tile in range(tiles):
            left, top = tile * resolution, tile * num_rows // tiles * resolution  # rows may be classes: tiles of each of them
            picture = grid.crop((left, top, left + resolution, top + resolution)).resize((TILE_SIDE, TILE_SIDE), sampling)
            row.paste(picture, (tile * TILE_SIDE, 0))
        file = io.BytesIO()
        row.save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode("ascii")
