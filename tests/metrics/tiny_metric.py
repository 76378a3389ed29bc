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
        def task(worker, chunk, count):
            return np.concatenate([images.numpy().mean((1, 2, 3)) for _, images in worker.generated.batches(chunk, count)])

        means = np.concatenate([rows for _, rows in bench.stored_chunks("brightness", {}, self.num_images, task, self.name)])
        return Score({self.name: bootstrap(means, np.mean, seed=bench.options.seed)}, {"num_fakes": self.num_images})
