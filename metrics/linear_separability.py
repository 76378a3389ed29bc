"""Linear separability: ls, how well a straight cut in z and in w tells attributes of the images apart."""

import os
import sys

if __name__ == "__main__":  # run by its path: the checkout is what must be importable, not this folder
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    from metrics.program import run_metric

    sys.exit(run_metric("ls", __doc__))

import numpy as np

from metrics import linear_svm
from metrics.intervals import Estimate
from metrics.registry import Metric
from metrics.score import Score

_RESAMPLES = 1000


def score(bench, metric: Metric) -> Score:
    """exp2 of the summed entropies of attributes given a linear cut, over the more confident half of the images.

    1 where every attribute can be cut off exactly, 2 to the number of attributes where the cuts tell nothing.
    Attributes are the classes of the dataset (a class against the rest; two classes are one attribute), told by a classifier
    trained on its labels, or the outputs of the user's own classifiers.

    Source: Karras et al. 2019, section 4.2.
    """
    from metrics.attributes import attribute_logits, latents_and_styles

    logits, origin = attribute_logits(bench, metric.num_images)
    num_kept = metric.num_images // 2
    tables: dict[str, list[np.ndarray]] = {"z": [], "w": []}
    for attribute in logits.T:
        kept = np.sort(np.argsort(-np.abs(attribute), kind="stable")[:num_kept])
        is_positive = attribute[kept] > 0
        for space, points in zip(("z", "w"), latents_and_styles(bench, kept), strict=True):
            tables[space].append(confusion(points, is_positive))
    protocol = {"attributes": origin, "num_attributes": logits.shape[1], "num_fakes": metric.num_images, "num_kept": num_kept}
    values = {f"{metric.name}_{space}": separability(found, seed=bench.options.seed) for space, found in tables.items()}
    return Score(values, protocol)


def confusion(points: np.ndarray, is_positive: np.ndarray) -> np.ndarray:
    """Counts [2, 2] of (side of the best straight cut, class) over points [N, D] with classes bool [N]."""
    if is_positive.all() or not is_positive.any():
        sides = np.zeros(len(points), bool)  # one class only: any cut leaves no doubt
    else:
        sides = linear_svm.decide(points, linear_svm.fit(points, is_positive)) > 0
    return np.array([[np.sum((sides == side) & (is_positive == kind)) for kind in (False, True)] for side in (False, True)])


def conditional_entropy(table: np.ndarray) -> float:
    """H(class | side) in bits of counts [2, 2]; rows are sides."""
    joint = table / table.sum()
    side = joint.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(joint > 0, joint * np.log2(side / joint), 0)
    return float(terms.sum())


def separability(tables: list[np.ndarray], *, seed: int) -> Estimate:
    """exp2 of the summed entropies; its interval draws the images of every table anew, cuts held fixed."""
    value = 2 ** sum(map(conditional_entropy, tables))
    rng = np.random.default_rng([seed, 0x15])
    entropies = np.zeros(_RESAMPLES)
    for table in tables:
        draws = rng.multinomial(table.sum(), (table / table.sum()).ravel(), size=_RESAMPLES)
        entropies += [conditional_entropy(draw.reshape(2, 2)) for draw in draws]
    low, high = np.quantile(2**entropies, [0.025, 0.975])
    return Estimate(float(value), float(low), float(high), f"bootstrap of the kept images, {_RESAMPLES:,} draws, cuts held fixed")
