"""Improved precision and recall, density and coverage: pr50k3 and any other number and k."""

if __name__ == "__main__":  # before the imports of this package, which needs it
    import by_path

    by_path.run("pr50k3", __doc__)

import dataclasses
import re
from typing import TYPE_CHECKING

import numpy as np

from metrics.features.pairwise import NearestSearch, blocks, centred, neighbour_radii, squared_distances
from metrics.intervals import Estimate, bootstrap, jackknife, proportion
from metrics.metric import AgainstReals, Score, Value
from metrics.options import Json
from stylegan_tf.errors import UserError

if TYPE_CHECKING:
    from metrics.bench import Bench

DEFAULT_K = 3
NUM_PARTS = 10  # of the generated images, for the intervals of recall and coverage


@dataclasses.dataclass(frozen=True)
class PrecisionRecall(AgainstReals):
    """The share of generated images among the real ones (precision, density), and the reverse (recall, coverage).

    Computed from pool features of Inception; the paper on precision and recall uses VGG16.

    Source: Kynkäänniemi et al. 2019, arXiv:1904.06991 (precision, recall); Naeem et al. 2020, arXiv:2002.09797 (density, coverage).
    """

    k: int = DEFAULT_K

    stem = "pr"
    suffix_pattern = r"_?(?P<k>\d{0,20})"
    examples = "pr50k3, pr5k_3_full"
    scale = "precision and density: how many generated images are realistic; recall and coverage: how much of the real variety is generated"
    summary = "improved precision and recall, density and coverage, by k nearest neighbours (3)"
    protocol_summary = "pool features of Inception; as many real images as generated ones (a sample) at most; _full: all"
    values = tuple(Value(part, lower_is_better=False) for part in ("precision", "recall", "density", "coverage"))

    @property
    def suffix(self) -> str:
        # Without a thousands sign k would run into the number: pr500_3, pr50k3.
        separator = "" if self.num_images % 1000 == 0 else "_"
        return f"{separator}{self.k}"

    @property
    def least_reals(self) -> int:
        return self.k + 1

    @classmethod
    def parameters(cls, number: str | None, num_images: int, k: str) -> dict[str, Json]:
        if not k and re.fullmatch(r"\d{3,}", number or ""):
            raise UserError(f"pr{number} is ambiguous. Write pr{num_images}_3 for {num_images} images and k = 3.")
        if not 1 <= int(k or DEFAULT_K) < num_images:
            raise UserError(f"Precision and recall need k of 1 or more, and more than k images. Received: k = {k}, {num_images} images")
        return {"k": int(k or DEFAULT_K)}

    def score(self, bench: "Bench") -> Score:
        selection = self.select(bench)
        reals = bench.all_real_features(selection)
        fakes = bench.all_generated_features(self.num_images)
        samples = manifold_samples(reals, fakes, self.k)
        found = estimates(samples, without_parts(reals, fakes, self.k), seed=bench.options.seed)
        values = {f"{self.name}_{part}": estimate for part, estimate in found.items()}
        protocol = {**self.shared_protocol(bench, selection), "k": self.k}
        return Score(values, protocol, notes=zero_notes({part: estimate.value for part, estimate in found.items()}))


def zero_notes(values: dict[str, float]) -> tuple[str, ...]:
    """Why networks cannot be compared by a value of 0."""
    notes = {
        "precision": "precision and density are 0: no generated image is nearer to a real image than the k-th nearest real image is; "
        "compare networks this far from the data by kid or fid",
        "recall": "recall is 0: no real image is nearer to a generated image than the k-th nearest generated image is",
    }
    return tuple(note for part, note in notes.items() if values[part] == 0)


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


def estimates(samples: dict[str, np.ndarray], without: dict[str, list[float]], *, seed: int) -> dict[str, Estimate]:
    """The four scores with intervals for other generated images and the same real ones.

    Precision and density are means over generated images. Recall and coverage are means over the real images, of which each
    depends on all generated ones: their intervals leave out tenths of the generated images.

    Args:
        samples: from `manifold_samples`.
        without: from `without_parts`.
    """
    density = samples["density"]
    return {
        "precision": proportion(samples["precision"] > 0),
        "recall": _share_of_reals(samples["recall"], without["recall"]),
        # Nothing is known of the size of a density that was never above 0.
        "density": bootstrap(density, np.mean, seed=seed) if density.any() else Estimate(0.0),
        "coverage": _share_of_reals(samples["coverage"], without["coverage"]),
    }


def _share_of_reals(sample: np.ndarray, without: list[float]) -> Estimate:
    """Jackknife, within [0, 1]; Wilson's interval where no part makes a difference, such as 0 of 1,000."""
    found = jackknife(float(np.mean(sample)), without, "generated images") if len(without) > 2 else Estimate(float(np.mean(sample)))
    if found.low is None or found.low == found.high:
        return proportion(sample > 0)
    return Estimate(found.value, max(0.0, found.low), min(1.0, found.high), found.method)


def without_parts(reals: np.ndarray, fakes: np.ndarray, k: int) -> dict[str, list[float]]:
    """Recall and coverage with each tenth of the fakes left out, for features [N, D] and [M, D]; the radii are those of the others."""
    num_parts = min(NUM_PARTS, len(fakes) // (k + 1))
    if num_parts < 2:
        return {"recall": [], "coverage": []}
    reals, fakes = centred(reals, fakes)
    numbers = np.arange(len(fakes))
    parts = np.array_split(numbers, num_parts)
    within = []  # squared distances from each fake to its nearest of each part, [M, k]
    for part in parts:
        search = NearestSearch(fakes, k, own_numbers=numbers)
        for rows in blocks(len(part)):
            search.add(fakes[part[rows]], part[rows])
        within.append(search.distances)
    radii = [np.sort(np.concatenate(within[:left] + within[left + 1 :], axis=1), axis=1)[:, k - 1] for left in range(num_parts)]
    real_radii = neighbour_radii(reals, k)
    covered = np.zeros((num_parts, len(reals)), bool)  # a real ball contains a fake of the part
    recalled = np.zeros((num_parts, len(reals)), bool)  # a real image is in a ball of a fake, that part left out
    for rows in blocks(len(reals)):
        for place, part in enumerate(parts):
            for columns in blocks(len(part)):
                distances = squared_distances(reals[rows], fakes[part[columns]])
                covered[place, rows] |= (distances <= real_radii[rows, np.newaxis]).any(axis=1)
                for left in range(num_parts):
                    if left != place:
                        recalled[left, rows] |= (distances <= radii[left][part[columns]]).any(axis=1)
    coverage = [float(np.delete(covered, left, axis=0).any(axis=0).mean()) for left in range(num_parts)]
    return {"recall": recalled.mean(axis=1).tolist(), "coverage": coverage}
