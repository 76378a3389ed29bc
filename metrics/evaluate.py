"""Scores one network or set of images: everything is checked first, then each score is computed and written."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import stylegan_tf
from metrics import report, sources
from metrics.features.store import key_of
from metrics.image_sets import ImageSet, ScoredImages
from metrics.metric import Metric, Need
from metrics.networks import weights
from metrics.options import Options
from metrics.result import Result
from stylegan_tf import lenet_file, models, out_of_memory
from stylegan_tf.errors import UserError
from stylegan_tf.progress_bar import format_sec, working

if TYPE_CHECKING:
    from metrics.bench import Bench
    from stylegan_tf.snapshot import Networks


TIMED_FROM = 1000  # images; fewer take less than a minute or two even on two CPU cores


def prepare(metrics: Iterable[Metric], options: Options, dataset: ImageSet | None = None) -> None:
    """Checks that everything the metrics need is available, before any slow work; without TensorFlow.

    Args:
        metrics: from `registry.parse_list`.
        options: of the protocol.
        dataset: real images, None where they are checked later.

    Raises:
        UserError: a metric network is missing and cannot be fetched (the message lists the ways to get it), a classifier,
            a LeNet or the held-out images are missing, or the dataset lacks labels that a metric needs.
    """
    metrics = list(metrics)
    for path in options.lenet:
        lenet_file.read(path)
    for path in options.classifier:
        sources.classifier_digest(path)
    held_out = sources.open_held_out(options.held_out, dataset, options.max_pixels) if options.held_out else None
    for metric in metrics:
        metric.check_options(options)
        if dataset is not None and Need.REALS in metric.needs:
            metric.check_reals(dataset, held_out)
    needs = frozenset().union(*(metric.needs for metric in metrics))
    if dataset is not None and Need.LABELS in needs and not options.classifier:
        sources.check_labels(dataset)
    if dataset is not None and Need.CLASSES in needs:
        sources.check_classes(dataset)
    if Need.LPIPS in needs:
        weights.load_lpips(options.lpips)
    if Need.FEATURES in needs:
        weights.load_inception(options.inception)
    if Need.LOGITS in needs:
        weights.load_logits_kernel(options.inception)


def check_suits(metrics: Iterable[Metric], options: Options, model: str | None) -> None:
    """Checks that metrics and options suit a model; does not import TensorFlow.

    Args:
        metrics: to be computed.
        options: of the evaluation.
        model: its name; None for images without a network.

    Raises:
        UserError: names the metric and the model.
    """
    if model is not None and models.settings_type(model).has_styles:
        return
    for metric in metrics:
        if model is not None and Need.STYLES in metric.needs:
            raise UserError(f"{metric.name} needs {Need.STYLES.value} (a mapping and a synthesis network). The model {model} has none.")
        for need in metric.needs & {Need.STYLES, Need.DISCRIMINATOR} if model is None else ():
            raise UserError(f"{metric.name} needs {need.value}: it cannot be computed from images alone.")
    if not options.is_plain:
        what = (
            f"need {Need.STYLES.value}. The model {model} has none."
            if model
            else "do not apply to --images: they are options of a generator."
        )
        raise UserError(f"--trunc and --noise {what}")


def evaluate(
    scored: "Networks | ScoredImages",
    metrics: Iterable[Metric],
    options: Options,
    *,
    dataset: ImageSet | None = None,
    folder: Path | None = None,
    to_tensorboard: bool = True,
    again: bool = False,
    on_result: Callable[[Result], None] = lambda _: None,
    announce: Callable[[str], None] | None = None,
) -> list[Result]:
    """Scores one snapshot, or images from elsewhere, and writes each result as soon as it is computed.

    Args:
        scored: networks from `stylegan_tf.load`, or images from `image_sets.choose`.
        metrics: from `registry.parse_list`.
        dataset: real images; None: what the networks were trained on.
        folder: where results are written, None: nowhere. A score in it with the same request is not computed again.
        to_tensorboard: see `report.write`.
        again: compute existing scores again.
        on_result: called with every result, stored or new.
        announce: called before each score with what it will cost (see `cost_of`); None: costs are not measured.
    """
    from metrics.bench import Bench

    metrics = list(metrics)
    if isinstance(scored, ScoredImages):
        check_suits(metrics, options, None)
    else:
        check_suits(metrics, options, scored.model)
        dataset = dataset or sources.open_dataset_of(scored)
    bench = Bench(scored, dataset, options)
    for metric in metrics:
        metric.check_size(bench)
    if options.classifier:
        from metrics.users_classifier import users_model

        for path in options.classifier:  # opened before the first score, which may take hours
            users_model(path, bench.resolution, bench.channels)
    results = []
    for metric in metrics:
        request = request_of(bench, metric)
        found = None if again or folder is None else report.find(folder, metric.name, request)
        if found is None:
            half = max(options.batch_size_for(bench.resolution) // 2, 1)
            fewer = f"Try python -m metrics with --batch-size {half} (half as many images at a time, same scores)."
            with whole_float32(), out_of_memory.explained(fewer):
                if announce is not None:
                    announce(cost_of(bench, metric))
                found = _score(bench, metric, request, folder, to_tensorboard)
        results.append(found)
        on_result(found)
    bench.clear()
    return results


@contextlib.contextmanager
def whole_float32() -> Iterator[None]:
    """Multiplies float32 in float32: on GPUs from Ampere on, TensorFlow otherwise rounds the factors to the 10 bits of TF32."""
    import tensorflow as tf

    precision = tf.config.experimental
    before = precision.tensor_float_32_execution_enabled()
    precision.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        precision.enable_tensor_float_32_execution(before)


def cost_of(bench: "Bench", metric: Metric) -> str:
    """How many images a score needs, and how long that takes on this machine: a batch is timed, unless there are few images."""
    passes = metric.num_passes(bench)
    total = sum(passes.values())
    parts = ", ".join(f"{count:,} {kind}" for kind, count in passes.items())
    text = f"{metric.name}: {total:,} images to compute ({parts}), fewer if features are already stored"
    if total < TIMED_FROM:
        return text
    return f"{text}: about {format_sec(total / images_per_sec(bench, metric))} on this machine"


def images_per_sec(bench: "Bench", metric: Metric) -> float:
    """Rate of the slow part of a metric over one batch, without the compilation."""
    worker = bench.workers[0]
    count = worker.generated.batch_size
    metric.run_batch(worker, count)
    start = time.monotonic()
    metric.run_batch(worker, count)
    return count * len(bench.workers) / (time.monotonic() - start)


def _score(bench: "Bench", metric: Metric, request: str, folder: Path | None, to_tensorboard: bool) -> Result:
    """Computes one score and writes it."""
    import tensorflow as tf

    start = time.monotonic()
    with working(metric.name):
        score = metric.score(bench)
    dataset = bench.dataset
    result = Result(
        metric=metric.name,
        values=score.values,
        snapshot=Path(bench.scored.source).stem or "network",
        nimg=int(bench.scored.nimg),
        protocol=bench.common_protocol() | score.protocol,
        dataset={"name": dataset.name, "digest": dataset.digest, "num_images": dataset.num_images},
        request=request,
        elapsed_sec=time.monotonic() - start,
        versions={"stylegan_tf": stylegan_tf.__version__, "tensorflow": tf.__version__},
        notes=[*score.notes, *bench.notes],
        classes=score.classes,
    )
    if folder is not None:
        report.write(result, folder, score.picture, score.charts, to_tensorboard=to_tensorboard)
    return result


def request_of(bench: "Bench", metric: Metric) -> str:
    """Key of everything a score depends on; files of the user count by their content."""
    options = dataclasses.asdict(bench.options)
    options["classifier"] = [sources.classifier_digest(path) for path in bench.options.classifier]
    options["resize"] = bench.feature_protocol()["resize"]
    options["held_out"] = bench.held_out.digest if bench.held_out else None
    options |= metric.request(bench)
    for name in ("inception", "lpips", "batch_size", "lenet"):
        options.pop(name)  # the place of the same weights, and what no score depends on
    return key_of({"metric": metric.name, "data": bench.dataset.digest, "mirror": bench.is_mirrored, **options, **bench.common_protocol()})
