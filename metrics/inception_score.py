"""Inception Score: is50k by Inception's classes, is50k_labels by a classifier trained on the dataset's own labels."""

import os
import sys

if __name__ == "__main__":  # run by its path: the checkout is what must be importable, not this folder
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    from metrics.program import run_metric

    sys.exit(run_metric("is50k", __doc__))

import numpy as np

from metrics.digests import array_digest
from metrics.intervals import of_parts
from metrics.registry import Metric
from metrics.score import Score
from stylegan_tf.errors import UserError

NUM_PARTS = 10


def score(bench, metric: Metric) -> Score:
    """exp of the mean divergence of p(class | image) from p(class), mean over ten parts of the generated images.

    Source: Salimans et al. 2016; by a classifier of the data's own classes as the "LeNet score" of MNIST studies.
    """
    if metric.variant == "labels":
        from metrics.attributes import class_logits

        logits, origin = class_logits(bench, metric.num_images)
        features = {}
    else:
        last = bench.last_layer
        logits = np.concatenate([features @ last for _, features in bench.generated_features(metric.num_images)])
        origin, features = name_of(last), bench.feature_protocol()
    protocol = {**features, "logits": origin, "num_fakes": metric.num_images, "parts": NUM_PARTS}
    return Score({metric.name: of_parts(split_scores(logits, NUM_PARTS), "generated images")}, protocol)


def load_last_layer(options) -> np.ndarray:
    """Kernel [2048, 1008] from pool features to logits; the score is defined without the bias.

    Args:
        options: `options.Options`, which says where Inception lies.

    Raises:
        UserError: the file ends at the pool features.
    """
    from metrics.networks import weights

    arrays = weights.load_inception(options.inception)
    if "logits/kernel" not in arrays:
        raise UserError(
            "This file of Inception ends at the pool features: it has no logits, which the Inception Score needs. Either name a "
            "file that has them (--inception pt_inception-2015-12-05-6726825d.pth), or score by the dataset's own classes (is50k_labels)."
        )
    return arrays["logits/kernel"]


def name_of(last: np.ndarray) -> str:
    """What a protocol calls the last layer: files with the same features may have other logits."""
    return f"inception-2015-12-05/{array_digest(last)}"


def split_scores(logits: np.ndarray, num_parts: int) -> list[float]:
    """The score of each of `num_parts` consecutive parts of logits [N, classes], float64."""
    logits = np.asarray(logits, np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    probabilities = np.exp(logits)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return [_part_score(part) for part in np.array_split(probabilities, num_parts)]


def _part_score(probabilities: np.ndarray) -> float:
    marginal = probabilities.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(probabilities > 0, probabilities * (np.log(probabilities) - np.log(marginal)), 0)
    return float(np.exp(terms.sum(axis=1).mean()))
