"""report.html of a run: verdict, pictures, curves and settings in one file without links, rewritten at every tick."""

import html
import json
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from stylegan_tf import settings_text
from stylegan_tf.charts import STYLE as CHART_STYLE
from stylegan_tf.charts import line_chart
from stylegan_tf.command_line import spelled
from stylegan_tf.files import write_text
from stylegan_tf.progress_bar import format_sec
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training import drawings, records
from stylegan_tf.training import verdict as verdicts
from stylegan_tf.training.best import BestValue
from stylegan_tf.training.records import Record
from stylegan_tf.training.run_dir import RunDir


class Chart(NamedTuple):
    """Statistics that are drawn together: a pattern of their names, and what the curves mean."""

    title: str
    names: str
    meaning: str


CHARTS = (
    Chart(
        "Losses",
        r"Loss/[^/]+",
        "When one network improves, the loss of the other rises. Losses show balance, not the quality of the images.",
    ),
    Chart(
        "Logits",
        r"Loss/scores/.*",
        "Output of D: above 0 for real, below 0 for generated. If the curves move far apart, D is far ahead of G.",
    ),
    Chart("Signs of the logits", r"Loss/signs/.*", "1 and -1: D is always right. 0: D cannot distinguish them. Usual: +-0.2 to +-0.9."),
    Chart("Norms of the gradients", r"Gradients/\w+_norm", "Norm of the gradient with respect to all weights. Peaks precede divergence."),
    Chart("Diversity of the fakes", "Pictures/diversity", "1: the pixels of fakes vary as much as those of reals. Below 0.25: collapse."),
    Chart(
        "Strength of the augmentation",
        "Running/augment_p",
        "Probability of each transform. It rises while the sign of the logits of reals is above augment.target, and falls below it.",
    ),
    Chart("Learning rates", "[GD]_lrate", "Learning rates of both optimizers."),
    Chart("Level of detail", "lod", "0 is the full resolution; each step of 1 halves the side. Fractions: the next resolution fades in."),
    Chart("Images per second", "images_per_sec", "Speed of training. It falls when the resolution doubles."),
    Chart("Seconds of a tick", "(data|D|G|other|maintenance)_sec", "Waiting for data, steps of D and of G, compiling, writing files."),
    Chart("Memory, GB", "(host|gpu)mem_gb", "Main memory of the process, and the peak of the GPUs."),
)
OTHER = "A running value of the model during training."

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1100px; padding: 1rem; color: #1c1917; background: #fafaf9 }
h1 { font-size: 1.4rem; margin-bottom: .2rem; overflow-wrap: anywhere } h2 { font-size: 1.05rem; margin-top: 2rem }
.verdict { border-left: 5px solid #0b66c3; background: #fff; padding: .7rem 1rem; margin: 1rem 0 }
.bad { border-color: #b91c1c } .warning { border-color: #a16207 } .good { border-color: #15803d }
.rule, .none, .axis, small, .meaning { color: #57534e } .meaning { font-size: .85rem; margin: .2rem 0 0 }
.charts, .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 1rem }
figure { margin: 0; background: #fff; padding: .5rem } figcaption { font-weight: 600; font-size: .9rem }
svg, .pair img, .strip img { display: block; width: 100%; height: auto }
.pair img, .strip img { image-rendering: pixelated } .strip figure { padding: 0 0 .3rem; background: none }
.strip figcaption { font-weight: 400; font-size: .8rem; color: #57534e }
pre { background: #fff; padding: .7rem; font-size: 12px; white-space: pre-wrap; overflow-wrap: anywhere }
"""
COLOURS = {
    "G has collapsed": "bad", "unstable": "bad", "D is far ahead": "bad",
    "memorising": "warning", "past its best": "warning", "plateau": "warning", "improving": "good", "finished": "good",
}  # fmt: skip


def write(
    run_dir: RunDir,
    settings: TrainingSettings,
    best_value: Callable[[str], BestValue | None] | None = None,
    *,
    num_images: int | None = None,
) -> None:
    """Writes report.html from stats.jsonl and the image grids of the run folder.

    Args:
        best_value: the score of a name (see `best.SnapshotScores`); None if the run computes no scores.
        num_images: of the dataset, None if not known.
    """
    found = records.read(run_dir)
    ticks = [record for record in found if "tick" in record]
    scored = records.scored(run_dir, found)
    score = _score_to_compare(scored, settings.run.best_metric, best_value) if best_value else None
    tag = f"Metrics/{score.name}" if score else ""
    values = [(record["nimg"] / 1000, record[tag]) for record in scored if record.get(tag) is not None]
    verdict = verdicts.assess(ticks, score, values, total_kimg=settings.schedule.total_kimg, num_images=num_images)
    sections = [
        _head(run_dir, ticks, settings),
        _verdict(verdict),
        _best_line(run_dir, score, scored),
        "<h2>Pictures</h2>" + drawings.pair(run_dir.path, settings),
        "<h2>The same latents over time</h2>" + drawings.strip(run_dir.path, settings),
        "<h2>Curves</h2><div class='charts'>" + "".join(_charts(ticks, scored)) + "</div>",
        "<h2>Commands</h2>" + _commands(run_dir, settings),
        "<h2>Configuration</h2><details><summary>all settings</summary><pre>"
        + html.escape(json.dumps(settings_text.to_plain(settings), indent=2))
        + "</pre></details>",
    ]
    head = (
        "<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(run_dir.path.name)}</title><style>{STYLE}{CHART_STYLE}</style>"
    )
    write_text(run_dir / "report.html", f"<!doctype html><html lang='en'>{head}{''.join(sections)}</html>\n")


def _head(run_dir: RunDir, ticks: list[Record], settings: TrainingSettings) -> str:
    if not ticks:
        return f"<h1>{html.escape(run_dir.path.name)}</h1>"
    last, total_kimg = ticks[-1], settings.schedule.total_kimg
    left = f", about {format_sec(last['eta_sec'])} left" if last["eta_sec"] else ""
    return (
        f"<h1>{html.escape(run_dir.path.name)}</h1><small>tick {last['tick']}, kimg {last['kimg']:.1f} of {total_kimg:g}, "
        f"{last['resolution']}x{last['resolution']} (lod {last['lod']:.2f}), {format_sec(last['total_sec'])}, "
        f"{last['images_per_sec']:.1f} images/s{left}</small>"
    )


def _verdict(verdict: verdicts.Verdict) -> str:
    word = verdict.word[0].upper() + verdict.word[1:]
    return (
        f"<div class='verdict {COLOURS.get(verdict.word, '')}'><b>{word}.</b> {html.escape(verdict.meaning)}"
        f"<br>What to do: {html.escape(verdict.advice)}<br><span class='rule'>Rule: {html.escape(verdict.rule)}.</span></div>"
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
    """The curves that have points; those of statistics that are always 0 (the memory of no GPU) are left out."""
    names = dict.fromkeys(name for tick in ticks for name, value in tick.items() if value)
    known = [
        *CHARTS,
        *(Chart(name, re.escape(name), OTHER) for name in names if name.startswith("Running/") and not name.startswith("Running/augment_")),
    ]
    charts = []
    for chart in known:
        chosen = [name for name in names if re.fullmatch(chart.names, name)]
        series = {name.rpartition("/")[2]: [(tick["kimg"], tick.get(name)) for tick in ticks] for name in chosen}
        if series:
            charts.append(_figure(chart.title, chart.meaning, line_chart(series, marks=_growth(ticks))))
    for name in dict.fromkeys(
        name for record in scored for name, value in record.items() if name.startswith("Metrics/") and value is not None
    ):
        points = [(record["nimg"] / 1000, record.get(name)) for record in scored]
        metric = name.removeprefix("Metrics/")
        meaning = "A score of the snapshots. `python -m metrics --list` describes each metric and its better direction."
        charts.append(_figure(metric, meaning, line_chart({metric: points}, marks=_growth(ticks))))
    return charts


def _growth(ticks: Sequence[Record]) -> list[tuple[float, str]]:
    """The image counts in kimg at which a resolution begins, with its name."""
    starts: dict[float, float] = {}
    for tick in ticks:
        starts.setdefault(tick["resolution"], tick["kimg"])
    return [(kimg, f"{side:g}x{side:g}") for side, kimg in list(starts.items())[1:]]


def _figure(title: str, meaning: str, drawing: str) -> str:
    return f"<figure><figcaption>{html.escape(title)}</figcaption>{drawing}<p class='meaning'>{html.escape(meaning)}</p></figure>"


def _commands(run_dir: RunDir, settings: TrainingSettings) -> str:
    run = shlex.quote(str(run_dir.path))
    lines = [
        "# images of the newest snapshot, figures of the paper",
        f"python generate.py images --network {run} --seeds 0-63 --grid --outdir out",
        *([f"python generate.py figures --network {run} --outdir figures"] if settings.has_styles else []),
        "# a score of the newest snapshot",
        f"python -m metrics fid5k --network {run}",
        "# train this run longer",
        f"{run_dir.how_to_resume} --total-kimg {settings.schedule.total_kimg * 2:g}",
        "# all curves and image grids in TensorBoard (pip install tensorboard)",
        f"tensorboard --logdir {shlex.quote(str(Path(run_dir.path).parent))}",
    ]
    return f"<pre>{html.escape(spelled(chr(10).join(lines)))}</pre>"
