"""Inception Score: is50k by Inception's classes, is50k_labels by a classifier trained on the dataset's own labels."""

if __name__ == "__main__":  # before the imports of this package, which needs it
    import by_path

    by_path.run("is50k", __doc__)

from typing import TYPE_CHECKING

import numpy as np
import scipy.special

from metrics.intervals import of_parts
from metrics.metric import Metric, Need, Score, Value
from metrics.options import Json

if TYPE_CHECKING:
    from metrics.bench import Bench

NUM_PARTS = 10


class InceptionScore(Metric):
    """exp of the mean KL divergence of p(class | image) from p(class); mean over ten parts of the generated images.

    Source: Salimans et al. 2016, arXiv:1606.03498.
    """

    stem = "is"
    examples = "is50k"
    summary = "Inception Score"
    scale = "1 for images of one kind only, at most 1000; it does not depend on the real images"
    protocol_summary = "mean over ten parts; needs a file of Inception that has the logits"
    needs = frozenset({Need.FEATURES, Need.LOGITS})
    values = (Value(lower_is_better=False),)

    def score(self, bench: "Bench") -> Score:
        kernel = bench.logits_kernel
        logits = np.concatenate([features @ kernel for _, features in bench.generated_features(self.num_images)])
        return self._score_of(logits, bench.logits_name, bench.feature_protocol())

    def request(self, bench: "Bench") -> dict[str, Json]:
        return {"logits": bench.logits_name}

    def _score_of(self, logits: np.ndarray, origin: str, protocol: dict[str, Json]) -> Score:
        estimate = of_parts(split_scores(logits, NUM_PARTS), "generated images")
        return Score({self.name: estimate}, {**protocol, "logits": origin, "num_fakes": self.num_images, "parts": NUM_PARTS})


class LabelInceptionScore(InceptionScore):
    """The Inception Score by a classifier of the dataset's own classes, like the "LeNet score" of MNIST studies."""

    suffix = suffix_pattern = "_labels"
    examples = "is50k_labels"
    summary = "Inception Score by the dataset's own classes"
    scale = "from 1 (one class, or no class recognisable) to the number of classes"
    protocol_summary = "mean over ten parts; a classifier is trained on the labels, and the result gives its accuracy"
    needs = frozenset({Need.CLASSES})

    def score(self, bench: "Bench") -> Score:
        from metrics.classifiers import label_logits

        logits, classifier = label_logits(bench, self.num_images)
        return self._score_of(logits, classifier.origin, {})

    def request(self, bench: "Bench") -> dict[str, Json]:
        return {}

    @classmethod
    def cost(cls) -> str:
        return f"{super().cost()}, and a classifier trained on the labels once"


def split_scores(logits: np.ndarray, num_parts: int) -> list[float]:
    """The score of each of `num_parts` consecutive parts of logits [N, classes]."""
    probabilities = scipy.special.softmax(np.asarray(logits, np.float64), axis=1)
    divergences = (scipy.special.rel_entr(part, part.mean(axis=0)).sum(axis=1) for part in np.array_split(probabilities, num_parts))
    return [float(np.exp(divergence.mean())) for divergence in divergences]
