"""All metrics, and the metric of a name such as "fid5k_full" or "ppl_wend"."""

import functools
import importlib

from metrics.metric import Metric
from stylegan_tf.errors import UserError, did_you_mean
from stylegan_tf.training.best import BestValue

# A metric is added here: "module:class".
METRICS = (
    "metrics.frechet_inception_distance:FrechetInceptionDistance",
    "metrics.frechet_inception_distance:ExtrapolatedFrechetDistance",
    "metrics.kernel_inception_distance:KernelInceptionDistance",
    "metrics.inception_score:InceptionScore",
    "metrics.inception_score:LabelInceptionScore",
    "metrics.precision_recall:PrecisionRecall",
    "metrics.perceptual_path_length:PerceptualPathLength",
    "metrics.linear_separability:LinearSeparability",
    "metrics.nearest_neighbours:Memorisation",
    "metrics.class_scores:ClassFrechetDistance",
    "metrics.class_scores:ClassAccuracy",
    "metrics.lenet_scores:LenetInceptionScore",
    "metrics.lenet_scores:LenetAccuracy",
    "metrics.discriminator_scores:DiscriminatorScores",
)


def classes() -> list[type[Metric]]:
    """The class of every metric."""
    return [_class_at(place) for place in METRICS]


@functools.cache
def _class_at(place: str) -> type[Metric]:
    module, name = place.split(":")
    return getattr(importlib.import_module(module), name)


def parse(name: str, num_images: int | None = None, available: int | None = None) -> Metric:
    """The metric of a name.

    Args:
        name: such as "fid50k".
        num_images: replaces the number in the name, and becomes part of it.
        available: see `Metric.parse`.

    Raises:
        UserError: an unknown name; the message lists all metrics.
    """
    for kind in classes():
        metric = kind.parse(name, num_images, available)
        if metric is not None:
            return metric
    known = (f"  {kind.examples}: {kind.summary}" for kind in classes())
    close = did_you_mean(name, (example for kind in classes() for example in kind.examples.split(", ")))
    raise UserError(f"Unknown metric {name!r}.{close} Known (with any number, such as fid500 or fid10k):", *known)


def parse_list(names: str, num_images: int | None = None, available: int | None = None) -> list[Metric]:
    """Metrics of a comma-separated list, each once."""
    metrics = [parse(name.strip(), num_images, available) for name in names.split(",") if name.strip()]
    if not metrics:
        raise UserError("No metric named. Example: fid50k,ppl_wfull")
    return list({metric.name: metric for metric in metrics}.values())


def best_value(name: str) -> BestValue | None:
    """The value of a name such as "pr5k3_recall" with its better direction, None if unknown or if neither direction is better."""
    for metric_name in (name, name.rpartition("_")[0]):
        for kind in classes():
            try:
                metric = kind.parse(metric_name)
            except UserError:
                continue
            if metric is not None:
                found = dict(zip(metric.value_names, metric.values, strict=True)).get(name)
                if found is not None:
                    return None if found.lower_is_better is None else BestValue(name, found.lower_is_better)
    return None
