"""A metric that a test adds: the mean brightness of generated images."""

import dataclasses

import numpy as np

from metrics.intervals import bootstrap
from metrics.metric import Metric, Score, Value


@dataclasses.dataclass(frozen=True)
class MeanBrightness(Metric):
    """Mean of all pixels of the generated images, 0 to 255."""

    stem = "brightness"
    default_images = 100
    examples = "brightness100"
    summary = "mean brightness"
    protocol_summary = "mean of all pixels"
    needs = frozenset()
    values = (Value(lower_is_better=False),)

    def score(self, bench):
        means = bench.of_images("brightness", {}, self.num_images, lambda _, images: images.numpy().mean((1, 2, 3)), self.name)
        return Score({self.name: bootstrap(means, np.mean, seed=bench.options.seed)}, {"num_fakes": self.num_images})
