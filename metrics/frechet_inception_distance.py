"""Fréchet Inception distance: fid50k (the original's protocol), fid50k_full, and any other number."""

import os
import sys

if __name__ == "__main__":  # run by its path: the checkout is what must be importable, not this folder
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    from metrics.program import run_metric

    sys.exit(run_metric("fid50k", __doc__))

from metrics.features.moments import FrechetReference, Moments
from metrics.intervals import jackknife
from metrics.registry import Metric
from metrics.score import Score

NUM_PARTS = 10  # of the generated images, for the interval; 34 MB each


def score(bench, metric: Metric) -> Score:
    """Distance between the Gaussians of generated and of real pool features, one pass over each.

    "fid50k" takes as many real images as generated ones, a smaller dataset repeated, as the original does.
    "fid50k_full" takes each real image once.

    Source: Heusel et al. 2017; protocol of Karras et al. 2019, appendix A.
    """
    selection = bench.select_reals(None if metric.is_full else metric.num_images, repeat=True)
    reference = FrechetReference(bench.real_moments(selection))
    parts: list[Moments] = []
    for start, features in bench.generated_features(metric.num_images):
        parts = parts or [Moments(features.shape[1]) for _ in range(NUM_PARTS)]
        add_to_parts(parts, start, features, metric.num_images)
    everything = sum(parts[1:], start=parts[0])
    without = [reference.distance(everything - part) for part in parts]
    protocol = {
        **bench.feature_protocol(), "num_fakes": metric.num_images, "num_reals": selection.total,
        "num_distinct_reals": selection.num_distinct, "mirrored_reals": bench.is_mirrored, "covariance": "unbiased",
    }  # fmt: skip
    return Score({metric.name: jackknife(reference.distance(everything), without, "generated images")}, protocol)


def add_to_parts(parts: list[Moments], start: int, features, total: int) -> None:
    """Deals features [n, D] of the images from number `start` on to equal, consecutive parts of `total` images."""
    bounds = [total * part // len(parts) for part in range(len(parts) + 1)]
    for part, first, end in zip(parts, bounds, bounds[1:], strict=False):
        rows = features[max(first - start, 0) : max(end - start, 0)]
        if len(rows):
            part.add(rows)
