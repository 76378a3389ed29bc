"""Improved precision and recall, density and coverage: pr50k3 and any other number and k."""

import os
import sys

if __name__ == "__main__":  # run by its path: the checkout is what must be importable, not this folder
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    from metrics.program import run_metric

    sys.exit(run_metric("pr50k3", __doc__))

import numpy as np

from metrics.features.pairwise import blocks, centred, neighbour_radii, squared_distances
from metrics.intervals import bootstrap
from metrics.registry import Metric
from metrics.score import Score


def score(bench, metric: Metric) -> Score:
    """How many generated images lie among the real ones (precision, density), and the other way round (recall, coverage).

    Source: Kynkäänniemi et al. 2019 (precision, recall); Naeem et al. 2020 (density, coverage); on the pool features of
    Inception, where the former use VGG16.
    """
    k = int(metric.variant)
    selection = bench.select_reals(None if metric.is_full else metric.num_images)
    reals = bench.all_real_features(selection)
    fakes = bench.all_generated_features(metric.num_images)
    samples = manifold_samples(reals, fakes, k)
    seed = bench.options.seed
    values = {f"{metric.name}_{name}": bootstrap(sample, np.mean, seed=seed) for name, sample in samples.items()}
    protocol = {
        **bench.feature_protocol(), "num_fakes": len(fakes), "num_reals": len(reals), "mirrored_reals": bench.is_mirrored, "k": k,
    }  # fmt: skip
    return Score(values, protocol)


def manifold_samples(reals: np.ndarray, fakes: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """What each image adds to the four scores; each score is the mean of its array.

    Args:
        reals, fakes: features [N, D] and [M, D].
        k: neighbours that span the ball around an image.

    Returns:
        precision [M]: 1 where a fake lies in a real image's ball. recall [N]: 1 where a real image lies in a fake's ball.
        density [M]: real balls that hold a fake, over k. coverage [N]: 1 where a real ball holds a fake.
    """
    reals, fakes = centred(reals, fakes)
    real_radii, fake_radii = neighbour_radii(reals, k), neighbour_radii(fakes, k)
    balls = np.zeros(len(fakes))  # real balls around each fake
    recall, coverage = np.zeros(len(reals), bool), np.zeros(len(reals), bool)
    for rows in blocks(len(reals)):
        for columns in blocks(len(fakes)):
            distances = squared_distances(reals[rows], fakes[columns])
            inside = distances <= real_radii[rows, np.newaxis]
            balls[columns] += inside.sum(axis=0)
            coverage[rows] |= inside.any(axis=1)
            recall[rows] |= (distances <= fake_radii[columns]).any(axis=1)
    return {"precision": np.float64(balls > 0), "recall": np.float64(recall), "density": balls / k, "coverage": np.float64(coverage)}
