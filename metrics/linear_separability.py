"""Linear separability: ls, how well hyperplanes in z and in w separate attributes of the images."""

if __name__ == "__main__":  # before the imports of this package, which needs it
    import by_path

    by_path.run("ls", __doc__)

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import scipy.special

from metrics.features.store import CHUNK
from metrics.intervals import Estimate
from metrics.metric import Metric, Need, Score, Value
from metrics.options import Json
from stylegan_tf.inference.directions.boundary import decide, fit

if TYPE_CHECKING:
    from metrics.bench import Bench

_RESAMPLES = 1000
_POINTS_PER_NUMBER = 10  # of a latent; up to 2 a number, a plane separates random labels in half of the cases (Cover 1965)


class LinearSeparability(Metric):
    """exp2 of the summed conditional entropies of attributes given the side of a hyperplane, over the more confident half of the images.

    1 if hyperplanes separate all attributes exactly; 2 to the number of attributes if they contain no information.
    Attributes are the classes of the dataset (a class against the others; two classes are one attribute) by a classifier
    trained on its labels, or the outputs of the user's own classifiers. Each half of the points is divided by the hyperplane
    fitted to the other half. The original fits to the points that it divides, which is optimistic if they are few.

    Source: Karras et al. 2019, arXiv:1812.04948, section 4.2.
    """

    stem = "ls"
    default_images = 200_000
    is_default_named = False
    examples = "ls"
    summary = "linear separability in z and w"
    scale = "1: a plane in the latent space separates every attribute"
    protocol_summary = "attributes: the classes of the dataset, or Keras classifiers (--classifier)"
    needs = frozenset({Need.STYLES, Need.LABELS})
    values = (Value("z"), Value("w"))

    def score(self, bench: "Bench") -> Score:
        from metrics.classifiers import attribute_logits

        logits, origin = attribute_logits(bench, self.num_images)
        num_kept = self.num_images // 2
        tables: dict[str, list[np.ndarray]] = {"z": [], "w": []}
        for attribute in logits.T:
            kept = np.sort(np.argsort(-np.abs(attribute), kind="stable")[:num_kept])
            is_positive = attribute[kept] > 0
            for space, points in zip(("z", "w"), latents_and_styles(bench, kept), strict=True):
                tables[space].append(confusion(points, is_positive))
        protocol = {"attributes": origin, "num_attributes": logits.shape[1], "num_fakes": self.num_images, "num_kept": num_kept}
        protocol |= self.request(bench)
        values = {f"{self.name}_{space}": separability(found, seed=bench.options.seed) for space, found in tables.items()}
        return Score(values, protocol, notes=trivial_notes(tables["z"], is_conditional=bench.label_size > 0))

    def request(self, bench: "Bench") -> dict[str, Json]:
        return {"cuts": "of the other half"}

    @classmethod
    def least(cls) -> str:
        return f"{2 * _POINTS_PER_NUMBER} images or more for each dimension of the larger latent"

    @classmethod
    def cost(cls) -> str:
        return f"{super().cost()}, a classifier trained on the labels once, and two planes for each attribute"

    def least_images(self, bench: "Bench") -> int:
        return max(self.min_images, 2 * _POINTS_PER_NUMBER * max(bench.G.z_dim, bench.G.w_dim))  # half of the images are kept


def trivial_notes(tables: list[np.ndarray], *, is_conditional: bool) -> tuple[str, ...]:
    """Why a value near 1 does not show a separable space.

    Args:
        tables: from `confusion`, one an attribute.
        is_conditional: whether the mapping has labels.
    """
    notes = []
    single = [str(number) for number, table in enumerate(tables) if not table.sum(axis=0).all()]
    if single:
        notes.append(f"all kept images are of one class in attributes {', '.join(single)}, which do not change the score")
    if is_conditional:
        notes.append("the label is an input of w: w separates classes of the labels by construction")
    return tuple(notes)


def latents_and_styles(bench: "Bench", chosen: np.ndarray) -> Iterator[np.ndarray]:
    """Yields z [n, z_dim], then w [n, w_dim], of generated images by number (ascending); computed again, not stored."""
    import tensorflow as tf

    generated = bench.workers[0].generated
    chunks = [(chunk, chosen[chosen // CHUNK == chunk] % CHUNK) for chunk in np.unique(chosen // CHUNK)]
    yield np.concatenate([generated.latents(chunk)[rows] for chunk, rows in chunks])
    mapping = tf.function(lambda z, labels: generated.G.mapping(z, labels)[:, 0], autograph=False, reduce_retracing=True)
    yield np.concatenate([mapping(generated.latents(chunk), generated.labels(chunk)).numpy()[rows] for chunk, rows in chunks])


def confusion(points: np.ndarray, is_positive: np.ndarray) -> np.ndarray:
    """Counts [2, 2] of (side of the hyperplane, class) over points [N, D] with classes bool [N].

    Points with even numbers are divided by the hyperplane that best separates those with odd numbers, and the reverse: a
    hyperplane fitted to few points separates any labels of these points.
    """
    sides = np.zeros(len(points), bool)  # where all are of one class, any cut will do
    halves = np.arange(len(points)) % 2 == 0
    for half in (halves, ~halves):
        labels = is_positive[~half]
        if labels.any() and not labels.all():
            sides[half] = decide(points[half], fit(points[~half], labels)) > 0
        elif labels.any():
            sides[half] = True
    return np.array([[np.sum((sides == side) & (is_positive == kind)) for kind in (False, True)] for side in (False, True)])


def conditional_entropy(table: np.ndarray) -> float:
    """H(class | side) in bits of counts [2, 2]; rows are sides."""
    joint = table / table.sum()
    return float(scipy.special.rel_entr(joint, joint.sum(axis=1, keepdims=True)).sum() / -np.log(2))


def separability(tables: list[np.ndarray], *, seed: int) -> Estimate:
    """exp2 of the summed entropies; its interval resamples the images of every table, with fixed hyperplanes."""
    value = 2 ** sum(map(conditional_entropy, tables))
    rng = np.random.default_rng([seed, 0x15])
    entropies = np.zeros(_RESAMPLES)
    for table in tables:
        draws = rng.multinomial(table.sum(), (table / table.sum()).ravel(), size=_RESAMPLES)
        entropies += [conditional_entropy(draw.reshape(2, 2)) for draw in draws]
    low, high = np.quantile(2**entropies, [0.025, 0.975])
    return Estimate(float(value), float(low), float(high), f"bootstrap of the kept images, {_RESAMPLES:,} draws, cuts held fixed")
