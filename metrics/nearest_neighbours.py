"""Nearest training images of generated ones: memorisation, as a figure and as a test against held-out images."""

import os
import sys

if __name__ == "__main__":  # run by its path: the checkout is what must be importable, not this folder
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    from metrics.program import run_metric

    sys.exit(run_metric("memorisation", __doc__))

from collections.abc import Iterator

import numpy as np

from metrics.features.pairwise import NearestSearch
from metrics.intervals import Estimate
from metrics.registry import Metric
from metrics.score import Score

_RESAMPLES = 1000


def score(bench, metric: Metric) -> Score:
    """How often a generated image lies nearer to the training set than a photograph that is not in it.

    0.5: as far away as new photographs. 1: nearer than any new photograph, copies. Below 0.5: far from the data altogether.
    Distances to the nearest training image, mirrored ones included where training mirrored, by Inception features and by
    pixels. The new photographs are the held-out dataset; without one, training images against all others ("leave one out";
    exact duplicates are no neighbours).

    Source: the test of Meehan et al. 2020, over the whole space.
    """
    from metrics import photographs

    fakes = photographs.generated(bench, metric.num_images)
    held_out = photographs.held_out(bench, metric.num_images)
    values, nearest = {}, {}
    for kind in ("features", "pixels"):
        fake_search = NearestSearch(getattr(fakes, kind), photographs.NUM_SHOWN)
        other_search = NearestSearch(getattr(held_out, kind), 1, skip_equal=True, own_numbers=held_out.own_numbers)
        for number, batch in _training_set(bench, kind):
            fake_search.add(batch, number)
            other_search.add(batch, number)
        nearest[kind] = fake_search
        values[f"{metric.name}_{kind}"] = nearness(fake_search.distances[:, 0], other_search.distances[:, 0], seed=bench.options.seed)
    side = min(photographs.PIXEL_SIDE, bench.G.resolution)
    protocol = {
        **bench.feature_protocol(), "num_fakes": metric.num_images, "num_held_out": len(held_out.features),
        "held_out": held_out.origin, "num_reals": bench.dataset.num_images, "mirrored_reals": bench.is_mirrored,
        "pixels": f"{side}x{side}",
    }  # fmt: skip
    return Score(values, protocol, photographs.figure(bench, nearest, bench.options.num_neighbours_shown))


def _training_set(bench, kind: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields (image numbers, rows) of all training images, then of their mirror images where training mirrored."""
    from metrics import photographs

    for is_mirrored in (False, True) if bench.is_mirrored else (False,):
        yield from photographs.training(bench, kind, is_mirrored=is_mirrored)


def nearness(fakes: np.ndarray, others: np.ndarray, *, seed: int) -> Estimate:
    """Probability that a fake's distance is the smaller one, ties counted half, from distances [N] and [M]."""
    rng = np.random.default_rng([seed, 0x22])
    others = np.sort(others)

    def probability(sample: np.ndarray, sorted_others: np.ndarray) -> float:
        above = len(sorted_others) - np.searchsorted(sorted_others, sample, side="right")
        equal = len(sorted_others) - np.searchsorted(sorted_others, sample, side="left") - above
        return float(np.mean(above + equal / 2) / len(sorted_others))

    draws = [probability(rng.choice(fakes, len(fakes)), np.sort(rng.choice(others, len(others)))) for _ in range(_RESAMPLES)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(probability(fakes, others), float(low), float(high), f"bootstrap of both sets, {_RESAMPLES:,} draws")
