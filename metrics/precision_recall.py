"""Improved precision and recall, density and coverage: pr50k3 and any other number and k."""

import os
import sys

if __name__ == "__main__":  # run by its path: the checkout must be importable, not this folder
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    from metrics.program import run_metric

    sys.exit(run_metric("pr50k3", __doc__))

import dataclasses
import re
from typing import TYPE_CHECKING

import numpy as np

from metrics.features.pairwise import blocks, centred, neighbour_radii, squared_distances
from metrics.intervals import bootstrap
from metrics.metric import AgainstReals, Score, Value
from metrics.options import Json
from stylegan_tf.errors import UserError

if TYPE_CHECKING:
    from metrics.bench import Bench

DEFAULT_K = 3


@dataclasses.dataclass(frozen=True)
class PrecisionRecall(AgainstReals):
    """The share of generated images among the real ones (precision, density), and the reverse (recall, coverage).

    Source: Kynkäänniemi et al. 2019 (precision, recall); Naeem et al. 2020 (density, coverage); on the pool features of
    Inception, where the former use VGG16.
    """

    k: int = DEFAULT_K

    stem = "pr"
    suffix_pattern = r"_?(?P<k>\d{0,20})"
    examples = "pr50k3, pr5k_3_full"
    summary = "improved precision and recall, density and coverage, by k nearest neighbours (3)"
    protocol_summary = "pool features of Inception; as many real images as generated ones (a sample) at most; _full: all"
    values = tuple(Value(part, lower_is_better=False) for part in ("precision", "recall", "density", "coverage"))

    @property
    def suffix(self) -> str:
        # Without a thousands sign k would run into the number: pr500_3, pr50k3.
        separator = "" if self.num_images % 1000 == 0 else "_"
        return f"{separator}{self.k}"

    @classmethod
    def parameters(cls, number: str | None, num_images: int, k: str) -> dict[str, Json]:
        if not k and re.fullmatch(r"\d{3,}", number or ""):
            raise UserError(f"pr{number} does not say where k begins. Write pr{num_images}_3 for {num_images} images and k = 3.")
        if not 1 <= int(k or DEFAULT_K) < num_images:
            raise UserError(f"Precision and recall need k of 1 or more, and more than k images. Received: k = {k}, {num_images} images")
        return {"k": int(k or DEFAULT_K)}

    def score(self, bench: "Bench") -> Score:
        selection = self.select(bench)
        reals = bench.all_real_features(selection)
        fakes = bench.all_generated_features(self.num_images)
        samples = manifold_samples(reals, fakes, self.k)
        seed = bench.options.seed
        values = {f"{self.name}_{part}": bootstrap(sample, np.mean, seed=seed) for part, sample in samples.items()}
        protocol = {**self.shared_protocol(bench, selection), "k": self.k}
        return Score(values, protocol)


def manifold_samples(reals: np.ndarray, fakes: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """Contribution of each image to the four scores; each score is the mean of its array.

    Args:
        reals, fakes: features [N, D] and [M, D].
        k: neighbours that span the ball around an image.

    Returns:
        precision [M]: 1 where a fake is in a real image's ball. recall [N]: 1 where a real image is in a fake's ball.
        density [M]: real balls that contain a fake, over k. coverage [N]: 1 where a real ball contains a fake.
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
