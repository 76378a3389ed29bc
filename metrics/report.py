"""Writes results: a text file and a JSON file for each metric, TensorBoard, a table, and curves over the snapshots of a run."""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from metrics import registry
from metrics.result import Result
from stylegan_tf.charts import as_file, line_chart
from stylegan_tf.display import visible_lines
from stylegan_tf.files import read_bounded, write_text
from stylegan_tf.images import save_png

_MAX_BYTES = 64 << 20  # of the results of a metric: 50,000 results


def write(
    result: Result, folder: Path, picture: np.ndarray | None = None, charts: Mapping[str, str] | None = None, *, to_tensorboard: bool = True
) -> None:  # fmt: skip
    """Adds a result to the files of its metric in a folder.

    Args:
        picture: uint8 [H, W, 3] to save beside the values, or None.
        charts: SVG files to save beside the values, by name.
        to_tensorboard: also as points of TensorBoard; training writes its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, line in (("jsonl", result.json()), ("txt", visible_lines(result.text()))):
        with open(folder / f"metric-{result.metric}.{suffix}", "a", encoding="utf-8") as file:
            file.write(line + "\n")
    if picture is not None:
        save_png(folder / f"metric-{result.metric}-{result.snapshot}.png", picture)
    for name, content in (charts or {}).items():
        write_text(folder / f"metric-{result.metric}-{result.snapshot}-{name}.svg", content)
    if to_tensorboard:
        _write_tensorboard(result, folder)


def _write_tensorboard(result: Result, folder: Path) -> None:
    """Points under the names and at the steps (real images seen) that training uses."""
    from stylegan_tf.training.tensorboard import EventWriter

    with contextlib.closing(EventWriter(folder)) as events:
        events.scalars({f"Metrics/{name}": value for name, value in points(result).items()}, result.nimg)


def points(result: Result) -> dict[str, float]:
    """Values by name, with "NAME/low" and "NAME/high" where there is an interval."""
    found = {}
    for name, estimate in result.values.items():
        found[name] = estimate.value
        if estimate.low is not None:
            found |= {f"{name}/low": estimate.low, f"{name}/high": estimate.high}
    return found


def read(folder: Path, metric: str | None = None) -> list[Result]:
    """Results written in a folder, of one metric or of all; incomplete and unknown lines are ignored.

    Raises:
        UserError: a pipe or folder with the name of such a file, or a file of more than 64 MB.
    """
    results = []
    for path in sorted(folder.glob(f"metric-{metric or '*'}.jsonl")):
        for line in read_bounded(path, _MAX_BYTES).splitlines():
            try:
                results.append(Result.from_json(line))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue
    return results


def find(folder: Path, metric: str, request: str) -> Result | None:
    """The last result with the same request, if there is one."""
    found = [result for result in read(folder, metric) if result.request == request]
    return found[-1] if found else None


def best(results: Iterable[Result], name: str) -> Result | None:
    """The result with the best value of a name, None where neither direction is better."""
    value = registry.best_value(name)
    if value is None:
        return None
    return (min if value.lower_is_better else max)(results, key=lambda result: result.values[name].value)


def write_overview(folder: Path) -> list[Path]:
    """Writes metrics.md (a table of snapshots and scores) and a curve for every value; the best snapshot is marked.

    A column has results of one protocol only, that of the latest one.

    Returns:
        The files.
    """
    columns = _columns(read(folder))
    if not columns:
        return []
    snapshots = sorted({(result.nimg, result.snapshot) for results in columns.values() for result in results})
    lines = ["| kimg | snapshot | " + " | ".join(columns) + " |", "| ---: | --- |" + " ---: |" * len(columns)]
    bests = {name: best(results, name) for name, results in columns.items()}
    for nimg, snapshot in snapshots:
        cells = [f"{nimg / 1000:.1f}", snapshot]
        for name, results in columns.items():
            found = [result for result in results if (result.nimg, result.snapshot) == (nimg, snapshot)]
            cells.append(_cell(found[-1], name, is_best=found[-1] is bests[name]) if found else "")
        lines.append("| " + " | ".join(cells) + " |")
    notes = [_note(name, bests[name], results[-1]) for name, results in columns.items()]
    write_text(folder / "metrics.md", visible_lines(*lines, "", "Best in bold; 95 % intervals in brackets.", "", *notes) + "\n")
    files = [folder / "metrics.md"]
    for name, results in columns.items():
        if len(results) > 1:
            files.append(folder / f"metric-curve-{name}.svg")
            write_text(files[-1], _curve(name, results, bests[name]))
    return files


def _columns(results: list[Result]) -> dict[str, list[Result]]:
    """Results by value name: the latest of each snapshot, under the protocol of the latest one, in order of training.

    A finished run that is resumed writes network-final.pkl a second time: the number of images seen distinguishes the two.
    """
    columns: dict[str, dict[tuple[int, str], Result]] = {}
    protocols: dict[str, tuple] = {}
    for result in reversed(results):
        for name in result.values:
            protocol = protocols.setdefault(name, _comparable(result))
            if _comparable(result) == protocol:
                columns.setdefault(name, {}).setdefault((result.nimg, result.snapshot), result)
    return {name: sorted(found.values(), key=lambda r: (r.nimg, r.snapshot)) for name, found in sorted(columns.items())}


def _comparable(result: Result) -> tuple:
    """Protocol and data without the network or the images themselves; scores are comparable where this is equal."""
    rest = sorted((name, str(value)) for name, value in result.protocol.items() if name not in ("network", "lod", "images", "available"))
    return str(rest), result.dataset["digest"]


def _cell(result: Result, name: str, *, is_best: bool) -> str:
    estimate = result.values[name]
    value = f"**{estimate.value:.4g}**" if is_best else f"{estimate.value:.4g}"
    return value if estimate.low is None else f"{value} [{estimate.low:.4g}, {estimate.high:.4g}]"


def _note(name: str, best: Result | None, latest: Result) -> str:
    """The best snapshot and the protocol of a column."""
    best_is, result = f"best {best.snapshot}" if best else "neither direction is better", best or latest
    protocol = "".join(f"{key} {value}, " for key, value in result.protocol.items())
    return f"- {name}: {best_is}, {protocol}data {result.dataset['digest']}"


def _curve(name: str, results: list[Result], best: Result | None) -> str:
    """Values over kimg with their intervals, the best one marked, as SVG."""
    estimates = [result.values[name] for result in results]
    intervals = [(e.value, e.value) if e.low is None else (e.low, e.high) for e in estimates]
    points = [(result.nimg / 1000, e.value) for result, e in zip(results, estimates, strict=True)]
    place = next((place for place, result in enumerate(results) if result is best), None)
    title = f"best: {best.values[name].value:.4g} at {best.nimg / 1000:.1f} kimg ({best.snapshot})" if best else ""
    return as_file(line_chart({name: points}, intervals=intervals, best=place), title, "bars: 95 % intervals")
