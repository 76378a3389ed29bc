"""Scores networks: one snapshot, every snapshot of a run, or each one as training writes it."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from metrics import inception_score, labels, registry, report, sources
from metrics.digests import classifier_digest
from metrics.features.store import key_of
from metrics.networks import weights
from metrics.options import Options
from metrics.registry import Metric
from metrics.result import Result
from stylegan_tf import data

_PATHS = "perceptual_path_length"
_LOGITS = "inception_score"
_WITHOUT_INCEPTION = (_PATHS, "linear_separability")


def prepare(metrics: Iterable[Metric], options: Options, dataset: data.Dataset | None = None) -> None:
    """Makes sure that everything a score needs is there, before anything slow; without TensorFlow.

    Args:
        metrics: from `registry.parse_list`.
        options: of the protocol.
        dataset: real images, None where they are checked later.

    Raises:
        UserError: a metric network is not there and cannot be fetched (the message lists the ways to get it), a classifier
            or the held-out images are missing, or a metric needs labels or logits that there are not.
    """
    for path in options.classifier:
        classifier_digest(path)
    if options.held_out:
        sources.open_held_out(options.held_out, dataset)
    modules = {metric.module for metric in metrics if metric.variant != "labels"}
    if dataset is not None and "linear_separability" in modules and not options.classifier:
        labels.check_labels(dataset)
    if dataset is not None and any(metric.variant == "labels" for metric in metrics):
        labels.check_classes(dataset)
    if _PATHS in modules:
        weights.load_lpips(options.lpips)
    if modules - set(_WITHOUT_INCEPTION):
        weights.load_inception(options.inception)
        if _LOGITS in modules:
            inception_score.load_last_layer(options)


def evaluate(
    networks: Any,
    metrics: Iterable[Metric],
    options: Options,
    *,
    dataset_path: str | Path | None = None,
    folder: Path | None = None,
    to_tensorboard: bool = True,
    again: bool = False,
    on_result: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """Scores one snapshot and writes each result as soon as it is there.

    Args:
        networks: from `stylegan_tf.load`.
        metrics: from `registry.parse_list`.
        dataset_path: real images; None: what the networks were trained on.
        folder: where results are written, None: nowhere. A score that stands there with the same request is not taken again.
        to_tensorboard: see `report.write`.
        again: take scores that are there already once more.
        on_result: called with every result, old or new.
    """
    from metrics.bench import Bench

    dataset = data.open_dataset(sources.find_dataset(networks.source, networks.dataset, dataset_path))
    bench = Bench(networks, dataset, options)
    results = []
    for metric in metrics:
        request = request_of(bench, metric)
        found = None if again or folder is None else report.find(folder, metric.name, request)
        if found is None:
            with _whole_float32():
                found = _score(bench, metric, networks, request, folder, to_tensorboard)
        results.append(found)
        on_result(found)
    bench.clear()
    return results


@contextlib.contextmanager
def _whole_float32() -> Iterator[None]:
    """Float32 products in float32: TensorFlow cuts their factors to TF32's 10 bits on GPUs from Ampere on, and the score with them."""
    import tensorflow as tf

    precision = tf.config.experimental
    before = precision.tensor_float_32_execution_enabled()
    precision.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        precision.enable_tensor_float_32_execution(before)


def _score(bench, metric: Metric, networks, request: str, folder: Path | None, to_tensorboard: bool) -> Result:
    """Takes one score and writes it."""
    start = time.monotonic()
    score = metric.score(bench)
    dataset = bench.dataset
    result = Result(
        metric=metric.name,
        values=score.values,
        snapshot=Path(networks.source).stem or "network",
        nimg=int(networks.nimg),
        protocol=bench.common_protocol() | score.protocol,
        dataset={"name": dataset.name, "digest": dataset.digest, "num_images": dataset.num_images},
        request=request,
        elapsed_sec=time.monotonic() - start,
    )
    if folder is not None:
        report.write(result, folder, score.picture, to_tensorboard=to_tensorboard)
    return result


def request_of(bench, metric: Metric) -> str:
    """Key of everything a score depends on; files of the user's by their content, wherever they lie."""
    options = dataclasses.asdict(bench.options)
    options["classifier"] = [classifier_digest(path) for path in bench.options.classifier]
    options["held_out"] = bench.held_out.digest if bench.held_out else None
    if metric.module == _LOGITS and metric.variant != "labels":
        options["logits"] = inception_score.name_of(bench.last_layer)
    for name in ("inception", "lpips", "batch_size"):
        options.pop(name)  # where the same weights lie, and what stands in the metric's name or in the protocol
    return key_of({"metric": metric.name, "data": bench.dataset.digest, "mirror": bench.is_mirrored, **options, **bench.common_protocol()})


def on_snapshot(
    metric_names: Iterable[str] | str,
    dataset_path: str | Path,
    run_dir: str | Path,
    *,
    num_images: int | None = None,
    time_budget_sec: float | None = None,
    options: Options | None = None,
) -> Callable[[Any, Any, int], dict[str, float]]:
    """The callback that training calls after every snapshot.

    Args:
        metric_names: such as ["fid50k", "ppl_wfull"], or one string with commas.
        dataset_path: real images.
        run_dir: where the metric files go.
        num_images: replaces the numbers in the names.
        time_budget_sec: time that scoring a snapshot may take, real images aside (they are done once). The numbers in the
            names become smaller to fit, at the first snapshot; the run then keeps them, so that its scores compare.
        options: of the protocol.

    Returns:
        f(path, networks, nimg) -> values by name, with "NAME/low" and "NAME/high" where there is an interval. TensorBoard
        is left to the caller.

    Raises:
        UserError: at once, for an unknown name, a dataset that is not there, or a network that cannot be fetched.
    """
    from metrics.time_budget import sized

    options = options or Options()
    names = metric_names if isinstance(metric_names, str) else ",".join(metric_names)
    metrics = registry.parse_list(names, num_images)
    prepare(metrics, options, data.open_dataset(dataset_path))
    folder = Path(run_dir)

    def score_snapshot(path: Any, networks: Any, nimg: int) -> dict[str, float]:
        networks = dataclasses.replace(networks, source=str(path), nimg=nimg)
        chosen = metrics if time_budget_sec is None else sized(metrics, networks, dataset_path, options, time_budget_sec, folder)
        results = evaluate(networks, chosen, options, dataset_path=dataset_path, folder=folder, to_tensorboard=False)
        report.write_overview(folder)
        return {name: value for result in results for name, value in report.points(result).items()}

    return score_snapshot
