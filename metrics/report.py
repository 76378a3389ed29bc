"""Where results go: a text and a JSON file a metric, TensorBoard, a table and a curve over the snapshots of a run."""

from collections.abc import Iterable
from pathlib import Path

from metrics.curve import draw_curve
from metrics.result import Result
from stylegan_tf.files import atomic_path, write_text
from stylegan_tf.images import save_png
from stylegan_tf.training.best import has_best, is_higher_better


def write(result: Result, folder: Path, picture=None, *, to_tensorboard: bool = True) -> None:
    """Adds a result to the files of its metric in a folder.

    Args:
        picture: uint8 [H, W, 3] to keep beside the values, or None.
        to_tensorboard: also as points of TensorBoard; training writes its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, line in (("jsonl", result.json()), ("txt", result.text())):
        with open(folder / f"metric-{result.metric}.{suffix}", "a", encoding="utf-8") as file:
            file.write(line + "\n")
    if picture is not None:
        save_png(folder / f"metric-{result.metric}-{result.snapshot}.png", picture)
    if to_tensorboard:
        _write_tensorboard(result, folder)


def _write_tensorboard(result: Result, folder: Path) -> None:
    """Points under the names and at the steps (real images seen) that training uses."""
    import tensorflow as tf

    writer = tf.summary.create_file_writer(str(folder), filename_suffix=".metrics")
    with writer.as_default():
        for name, value in points(result).items():
            tf.summary.scalar(f"Metrics/{name}", value, step=result.nimg)
    writer.close()


def points(result: Result) -> dict[str, float]:
    """Values by name, with "NAME/low" and "NAME/high" where there is an interval."""
    found = {}
    for name, estimate in result.values.items():
        found[name] = estimate.value
        if estimate.low is not None:
            found |= {f"{name}/low": estimate.low, f"{name}/high": estimate.high}
    return found


def read(folder: Path, metric: str | None = None) -> list[Result]:
    """Results written in a folder, of one metric or of all; lines that are cut or foreign are passed over."""
    results = []
    for path in sorted(folder.glob(f"metric-{metric or '*'}.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                results.append(Result.from_json(line))
            except (ValueError, KeyError, TypeError):
                continue
    return results


def find(folder: Path, metric: str, request: str) -> Result | None:
    """The last result with the same request, if there is one."""
    found = [result for result in read(folder, metric) if result.request == request]
    return found[-1] if found else None


def best(results: Iterable[Result], name: str) -> Result | None:
    """The result with the best value of a name, None where no value is the best."""
    if not has_best(name):
        return None
    choose = max if is_higher_better(name) else min
    return choose(results, key=lambda result: result.values[name].value)


def write_overview(folder: Path) -> list[Path]:
    """Writes metrics.md (a table of snapshots and scores) and a curve for every value; the best snapshot is marked.

    Only results of one protocol stand in a column: those taken with the protocol of the latest one.

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
    write_text(folder / "metrics.md", "\n".join([*lines, "", "Best in bold; 95 % intervals in brackets.", "", *notes]) + "\n")
    files = [folder / "metrics.md"]
    for name, results in columns.items():
        if len(results) > 1:
            files.append(folder / f"metric-curve-{name}.png")
            with atomic_path(files[-1]) as temporary:
                draw_curve(name, results, bests[name]).save(temporary)
    return files


def _columns(results: list[Result]) -> dict[str, list[Result]]:
    """Results by value name: the latest of each snapshot, under the protocol of the latest one, in order of training.

    A run that goes on after its end has a network-final.pkl for the second time: the images seen tell the two apart.
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
    """What must be equal for two scores to be compared: all of the protocol but the network itself."""
    rest = sorted((name, str(value)) for name, value in result.protocol.items() if name not in ("network", "lod"))
    return str(rest), result.dataset["digest"]


def _cell(result: Result, name: str, *, is_best: bool) -> str:
    estimate = result.values[name]
    value = f"**{estimate.value:.4g}**" if is_best else f"{estimate.value:.4g}"
    return value if estimate.low is None else f"{value} [{estimate.low:.4g}, {estimate.high:.4g}]"


def _note(name: str, best: Result | None, latest: Result) -> str:
    """The best snapshot and the protocol of a column."""
    best_is = f"best {best.snapshot}" if best else "no value is the best"
    return f"- {name}: {best_is}, {_protocol_line(best or latest)}"


def _protocol_line(result: Result) -> str:
    return ", ".join(f"{key} {value}" for key, value in result.protocol.items()) + f", data {result.dataset['digest']}"
