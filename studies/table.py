"""The results of a study: table.md, table.json, curves, and a grid of generated images for each row."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from metrics import registry, report
from metrics.result import Result
from studies.plan import Plan
from studies.rows import Row
from stylegan_tf import loading
from stylegan_tf.charts import as_file, line_chart
from stylegan_tf.files import atomic_path, read_json, write_text
from stylegan_tf.progress_bar import format_sec
from stylegan_tf.training import records
from stylegan_tf.training.run_dir import CONFIG_NAME

_NOT_TRAINED = ("moving_mean", "moving_variance", "w_avg")  # and the noise maps: last part of the names of other weights


def write(plan: Plan) -> None:
    """Writes everything that is known so far."""
    rows = [_row(plan, row) for row in plan.rows]
    write_text(plan.out / "table.json", json.dumps(rows, indent=2) + "\n")
    curves = _curves(plan)
    write_text(plan.out / "table.md", _markdown(plan, rows, curves))


def _row(plan: Plan, row: Row) -> dict:
    """What table.json has of one row."""
    found = {"preset": row.preset, "status": "not run", "reported": dict(row.reported), "note": row.note}
    run = plan.run_of(row)
    if run is None:
        return found
    ticks = [record for record in records.read(run) if "tick" in record]
    kimg = plan.trained_kimg(row)
    found |= {
        "status": "trained" if plan.is_trained(row) else f"{kimg:.1f} of {plan.kimg_of(row):g} kimg",
        "run": str(run), "kimg": kimg, "training_sec": max((tick["total_sec"] for tick in ticks), default=0.0),
        "images_per_sec": float(np.median([tick["images_per_sec"] for tick in ticks])) if ticks else None,
        "settings": read_json(run / CONFIG_NAME),
    }  # fmt: skip
    grids = sorted(run.glob("fakes*.png"))
    if grids:
        found["grid"] = f"grid-{row.preset}.png"
        with atomic_path(plan.out / found["grid"]) as temporary:
            shutil.copyfile(grids[-1], temporary)
    if loading.snapshots_of(run):
        contents = loading.read(loading.snapshots_of(run)[-1])
        found["parameters"] = {name: num_trained(getattr(contents, name).weights) for name in ("G", "D")}
    found["scores"] = [json.loads(result.json()) for result in final_scores(plan, row, run)]
    return found


def num_trained(arrays: Mapping[str, np.ndarray]) -> int:
    """Numbers in the weights that an optimizer changes."""
    names = [name for name in arrays if name.rpartition("/")[2] not in _NOT_TRAINED]
    return sum(arrays[name].size for name in names if not name.rpartition("/")[2].removeprefix("noise").isdigit())


def final_scores(plan: Plan, row: Row, run: Path) -> list[Result]:
    """The latest score by each metric of the protocol, of the snapshot with the most images."""
    found: dict[str, Result] = {}
    names = plan.metrics_of(row, plan.protocol.final)
    for result in report.read(run):
        if result.metric in names and (result.metric not in found or result.nimg >= found[result.metric].nimg):
            found[result.metric] = result
    return [found[name] for name in names if name in found]


def _curves(plan: Plan) -> list[str]:
    """A figure of every curve metric, a line for each row; names of the files."""
    files = []
    for name in plan.protocol.curve:
        metric = registry.parse(name)
        series = {}
        for row in plan.rows:
            run = plan.run_of(row)
            results = {} if run is None else {result.nimg: result for result in report.read(run, metric.name)}
            if results:
                series[row.preset] = [(nimg / 1000, result.values[metric.name].value) for nimg, result in sorted(results.items())]
        if series:
            files.append(f"curve-{metric.name}.svg")
            write_text(plan.out / files[-1], as_file(line_chart(series), metric.name))
    return files


def _markdown(plan: Plan, rows: list[dict], curves: list[str]) -> str:
    columns = list(dict.fromkeys(name for row in rows for score in row.get("scores", []) for name in score["values"]))
    columns = [name for name in columns if not name.endswith("_classifier")]
    reported = list(dict.fromkeys(name for row in rows for name in row["reported"]))
    heads = ["row", "kimg", "time", "images/s", "G", "D", *columns, *(f"study: {name}" for name in reported), "note"]
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 2) + " --- |"]
    for row in rows:
        lines.append("| " + " | ".join([*_facts(row), *(_cell(row, name) for name in columns),
                                        *(row["reported"].get(name, "") for name in reported), row["note"]]) + " |")  # fmt: skip
    lenet = " A LeNet's own test accuracy is behind each score by it." if plan.study.is_digits else ""
    parts = [*lines, "", f"95 % intervals in brackets.{lenet}", ""]
    protocols = {score["metric"]: score for row in rows for score in row.get("scores", [])}
    for name, score in protocols.items():
        shown = "".join(f"{key} {value}, " for key, value in score["protocol"].items() if key not in ("network", "lod", "labels"))
        parts.append(f"- {name}: {shown}data {score['dataset']['digest']}")
    parts += [f"\n![{name.removesuffix('.svg')}]({name})" for name in curves]
    parts += [f"\n{row['preset']}\n\n![generated by {row['preset']}]({row['grid']})" for row in rows if "grid" in row]
    if (plan.out / "added_digits" / "table.md").exists():
        parts.append("\nClassifiers on real and generated digits: [added_digits/table.md](added_digits/table.md)")
    return "\n".join(parts) + "\n"


def _facts(row: dict) -> list[str]:
    """The first cells of a line: name, length, time, speed, parameters."""
    if row["status"] == "not run":
        return [row["preset"], "not run", "", "", "", ""]
    parameters = row.get("parameters", {})
    length = f"{row['kimg']:.1f}" if row["status"] == "trained" else row["status"]
    speed = f"{row['images_per_sec']:.0f}" if row["images_per_sec"] else ""
    return [row["preset"], length, format_sec(row["training_sec"]), speed, *(f"{parameters[k]:,}" if k in parameters else "" for k in "GD")]


def _cell(row: dict, name: str) -> str:
    """A value with its interval, and the accuracy of the classifier that it is by."""
    for score in row.get("scores", []):
        if name in score["values"]:
            estimate = score["values"][name]
            text = f"{estimate['value']:.4g}"
            if estimate["low"] is not None:
                text += f" [{estimate['low']:.4g}, {estimate['high']:.4g}]"
            classifier = score["values"].get(f"{name}_classifier")
            return f"{text}; classifier {100 * classifier['value']:.2f} %" if classifier else text
    return ""
