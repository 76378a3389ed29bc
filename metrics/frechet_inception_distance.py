"""Fréchet Inception distance: fid50k (the original's protocol), fid50k_full, and any other number."""

import os
import sys

if __name__ == "__main__":  # run by its path: the checkout must be importable, not this folder
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    from metrics.program import run_metric

    sys.exit(run_metric("fid50k", __doc__))

from typing import TYPE_CHECKING

import numpy as np

from metrics.features.moments import FrechetReference, Moments
from metrics.intervals import jackknife
from metrics.metric import AgainstReals, Score

if TYPE_CHECKING:
    from metrics.bench import Bench

NUM_PARTS = 10  # of the generated images, for the interval; 34 MB each


class FrechetInceptionDistance(AgainstReals):
    """Distance between the Gaussians of generated and of real pool features, one pass over each.

    "fid50k" takes as many real images as generated ones and repeats a smaller dataset, as the original does; from a larger
    one it takes a sample, where the original takes the first records.
    "fid50k_full" takes each real image once.

    Source: Heusel et al. 2017; protocol of Karras et al. 2019, appendix A.
    """

    stem = "fid"
    repeats_reals = True
    examples = "fid50k, fid50k_full, fid5k"
    summary = "Fréchet Inception distance"
    protocol_summary = "as many real images as generated ones (a sample, or a smaller dataset repeated); _full: each real image once"

    def score(self, bench: "Bench") -> Score:
        selection = self.select(bench)
        reference = FrechetReference(bench.real_moments(selection))
        parts: list[Moments] = []
        for start, features in bench.generated_features(self.num_images):
            parts = parts or [Moments(features.shape[1]) for _ in range(NUM_PARTS)]
            add_to_parts(parts, start, features, self.num_images)
        everything = sum(parts[1:], start=parts[0])
        without = [reference.distance(everything - part) for part in parts]
        protocol = {**self.shared_protocol(bench, selection), "num_distinct_reals": selection.num_distinct, "covariance": "unbiased"}
        return Score({self.name: jackknife(reference.distance(everything), without, "generated images")}, protocol)


def add_to_parts(parts: list[Moments], start: int, features: np.ndarray, total: int) -> None:
    """Adds features [n, D] of the images from number `start` on to equal, consecutive parts of `total` images."""
    bounds = [total * part // len(parts) for part in range(len(parts) + 1)]
    for part, first, end in zip(parts, bounds, bounds[1:], strict=False):
        rows = features[max(first - start, 0) : max(end - start, 0)]
        if len(rows):
            part.add(rows)
