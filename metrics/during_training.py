"""Scores of every snapshot during training, with numbers of images that fit a time where one is given."""

import contextlib
import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metrics import evaluate, registry, report
from metrics.evaluate import images_per_sec
from metrics.image_sets import ImageSet
from metrics.metric import Metric, Need
from metrics.options import Options
from stylegan_tf import data
from stylegan_tf.command_line import print_to_stderr
from stylegan_tf.files import read_json, write_text
from stylegan_tf.training.best import SnapshotScores

if TYPE_CHECKING:
    from metrics.bench import Bench
    from stylegan_tf.snapshot import Networks

SIZES = (250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
_FILE = "metric-sizes.json"


def snapshot_scores(
    metric_names: Iterable[str] | str, dataset_path: str | Path, *, num_images: int | None = None, time_budget_sec: float | None = None
) -> SnapshotScores:
    """The scores that training computes after every snapshot.

    Args:
        metric_names: such as ["fid50k", "ppl_wfull"], or one string with commas.
        dataset_path: real images.
        num_images: replaces the numbers in the names.
        time_budget_sec: time that scoring a snapshot may take, without the real images (they are scored once). The first
            snapshot reduces the numbers in the names to fit; the run then keeps them, so that its scores compare.

    Returns:
        An object to call with (path, networks, nimg). The files of the metrics are written beside the snapshot; points of
        TensorBoard are left to the caller.

    Raises:
        UserError: at once, for an unknown name, a dataset that does not exist, or a metric network that cannot be fetched.
    """
    options = Options()
    names = metric_names if isinstance(metric_names, str) else ",".join(metric_names)
    metrics = registry.parse_list(names, num_images)
    dataset = data.open_dataset(dataset_path)
    evaluate.prepare(metrics, options, dataset)
    announcements = [print_to_stderr]  # for the first snapshot: the others cost the same

    def compute(path: Path, networks: "Networks", nimg: int) -> dict[str, float]:
        networks, folder, chosen = dataclasses.replace(networks, source=str(path), nimg=nimg), path.parent, metrics
        if time_budget_sec is not None:
            chosen = sized(metrics, networks, dataset, options, time_budget_sec, folder)
        results = evaluate.evaluate(
            networks, chosen, options, dataset=dataset, folder=folder, to_tensorboard=False,
            announce=announcements.pop() if announcements else None,
        )  # fmt: skip
        report.write_overview(folder)
        return {name: value for result in results for name, value in report.points(result).items()}

    return SnapshotScores(compute, registry.best_value)


def sized(
    metrics: Sequence[Metric], networks: "Networks", dataset: ImageSet, options: Options, budget_sec: float, folder: Path
) -> list[Metric]:
    """The metrics with numbers that fit the budget: those of an earlier snapshot of this run, or measured now."""
    from metrics.bench import Bench

    asked = ",".join(metric.name for metric in metrics) + f" in {budget_sec:g} s"
    path = folder / _FILE
    kept = {}
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):  # missing, damaged, or without these names
        kept = dict(read_json(path))
        return [registry.parse(name) for name in kept[asked]]
    evaluate.check_suits(metrics, options, networks.model)
    bench = Bench(networks, dataset, options)
    sizes = fitting(metrics, bench, budget_sec)
    sized_metrics = [registry.parse(metric.name, size) for metric, size in zip(metrics, sizes, strict=True)]
    write_text(path, json.dumps(kept | {asked: [metric.name for metric in sized_metrics]}, indent=2) + "\n")
    return sized_metrics


def fitting(metrics: Sequence[Metric], bench: "Bench", budget_sec: float) -> list[int]:
    """Numbers of images; metrics on the same features share one pass, the others get equal parts of the budget."""
    passes = {"features" if Need.FEATURES in metric.needs else metric.name for metric in metrics}
    share = budget_sec / len(passes)
    rates: dict[str, float] = {}
    sizes = []
    for metric in metrics:
        kind = "features" if Need.FEATURES in metric.needs else metric.stem
        if kind not in rates:
            rates[kind] = images_per_sec(bench, metric)
        affordable = [size for size in SIZES if size <= share * rates[kind]] or [SIZES[0]]
        sizes.append(min(metric.num_images, max(affordable[-1], metric.least_images(bench))))
    return sizes
