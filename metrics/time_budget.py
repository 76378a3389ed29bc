"""How many images a score may take to fit a time: measured once, then kept for the whole run."""

import json
import time
from pathlib import Path

from metrics import registry
from metrics.bench import Bench
from metrics.options import Options
from metrics.registry import Metric
from stylegan_tf import data
from stylegan_tf.files import write_text

SIZES = (250, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000)
_FILE = "metric-sizes.json"
_ON_FEATURES = ("frechet_inception_distance", "kernel_inception_distance", "inception_score", "precision_recall", "nearest_neighbours")


def sized(metrics: list[Metric], networks, dataset_path, options: Options, budget_sec: float, folder: Path) -> list[Metric]:
    """The metrics with numbers that fit the budget: those an earlier snapshot of this run settled on, or measured now."""
    asked = ",".join(metric.name for metric in metrics) + f" in {budget_sec:g} s"
    path = folder / _FILE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    if asked not in kept:
        bench = Bench(networks, data.open_dataset(dataset_path), options)
        sizes = fitting(metrics, bench, budget_sec)
        kept[asked] = [registry.parse(metric.name, size).name for metric, size in zip(metrics, sizes, strict=True)]
        write_text(path, json.dumps(kept, indent=2) + "\n")
    return [registry.parse(name) for name in kept[asked]]


def fitting(metrics: list[Metric], bench, budget_sec: float) -> list[int]:
    """Numbers of images; metrics on the same features share one pass, the others get equal parts of the budget."""
    passes = {"features" if metric.module in _ON_FEATURES else metric.name for metric in metrics}
    share = budget_sec / len(passes)
    rates: dict[str, float] = {}
    sizes = []
    for metric in metrics:
        kind = "features" if metric.module in _ON_FEATURES else metric.module
        if kind not in rates:
            rates[kind] = images_per_sec(bench, metric)
        affordable = [size for size in SIZES if size <= share * rates[kind]] or [SIZES[0]]
        sizes.append(min(metric.num_images, affordable[-1]))
    return sizes


def images_per_sec(bench, metric: Metric) -> float:
    """Rate of the part of a metric that takes the time, over one batch, compilation left out."""
    worker = bench.workers[0]
    count = worker.generated.batch_size

    def run() -> None:
        if metric.module == "perceptual_path_length":
            from metrics.perceptual_path_length import path_distances

            path_distances(worker, 0, count, space=metric.variant[0], is_full=True, crop=bench.options.crop)
        elif metric.module in _ON_FEATURES:
            worker.generated_features(0, count)
        else:
            for _, images in worker.generated.batches(0, count):
                images.numpy()

    run()
    start = time.monotonic()
    run()
    return count * len(bench.workers) / (time.monotonic() - start)
