"""Scores of a direction: change of a classifier's logits, change of the image (LPIPS), and distance from real images (KID)."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from stylegan_tf.images import to_float
from stylegan_tf.inference.directions.direction import Direction, Scores

if TYPE_CHECKING:
    import tensorflow as tf

    from stylegan_tf.data import Dataset

SCORES = ("logits", "lpips", "kid")


@dataclasses.dataclass(frozen=True)
class ImageClassifier:
    """A classifier of images."""

    # images in [0, 255] [N, R, R, C] to [N, classes], differentiable in float images.
    logits: "Callable[[np.ndarray | tf.Tensor], tf.Tensor]"
    names: Sequence[str]  # of the classes
    origin: str  # what it was trained on, and its accuracy


@dataclasses.dataclass(frozen=True)
class Measures:
    """What directions are scored with; the library does not import metrics, so the programs pass them in. None: not measured."""

    classifier: ImageClassifier | None = None  # of the dataset's classes or the user's pictures
    # two batches of images [N, R, R, C] in [-1, 1] to distances [N].
    distance: "Callable[[np.ndarray, np.ndarray], tf.Tensor] | None" = None
    kid: Callable[[np.ndarray], float] | None = None  # uint8 images to their Kernel Inception distance from the reference
    kid_reference: str = ""  # what `kid` compares with


@dataclasses.dataclass(frozen=True)
class MeasureRequest:
    """Which measures are requested."""

    scores: frozenset[str]  # of `SCORES`
    side: int  # of the generated images
    dataset: "Dataset | None" = None  # what the network was trained on, None where it is not known
    # two kinds of pictures, uint8 [N, side, side, C] each, that a classifier is trained on instead of the dataset's labels.
    pictures: tuple[np.ndarray, np.ndarray] | None = None
    pictures_name: str = "positive"  # name of the first kind
    # files of weights, None for the downloaded ones.
    lpips: str | None = None
    inception: str | None = None
    seed: int = 0  # of classifiers and samples


# Reads weights and checks data at once, without TensorFlow; what it returns makes the measures.
PrepareMeasures = Callable[[MeasureRequest], Callable[[], Measures]]


class Scorer:
    """Scores of directions on the same latents.

    Args:
        images_at: (direction or None, step) to uint8 images [N, R, R, C] of the latents, edited by this step.
        measures: what is measured.
        steps: two or more.
    """

    def __init__(self, images_at: Callable[[Direction | None, float], np.ndarray], measures: Measures, steps: Sequence[float]):
        self.images_at, self.measures, self.steps = images_at, measures, sorted(steps)
        self._unedited = images_at(None, 0.0)
        if measures.classifier is not None:
            self._logits = self._mean_logits(self._unedited)
        self._kid = measures.kid(self._unedited) if measures.kid is not None else 0.0

    def score(self, direction: Direction, target: int | None = None) -> Scores:
        """Scores of a direction, beside those it has.

        Args:
            direction: the direction.
            target: class whose logit the direction should change; None: the class that it changes most.

        Returns:
            target, target_per_step and target_by_step (mean logit less that of step 0), others_per_step (mean absolute change of the
            other classes' logits); lpips_per_step; kid (of the images of the outer steps), kid_unedited. Per step: the slope over
            `steps`, or for LPIPS the mean of steps 1 and -1.
        """
        scores: Scores = dict(direction.scores)
        images = {step: self.images_at(direction, step) if step else self._unedited for step in self.steps}
        if self.measures.classifier is not None:
            changes = np.stack([self._mean_logits(images[step]) - self._logits for step in self.steps])  # [steps, classes]
            scores |= _summary(changes, self.steps, self.measures.classifier.names, target)
        if self.measures.distance is not None:
            start, sides = _to_float(self._unedited), [_to_float(self.images_at(direction, step)) for step in (-1.0, 1.0)]
            scores["lpips_per_step"] = float(np.mean([self.measures.distance(start, side) for side in sides]))
        if self.measures.kid is not None:
            scores |= {"kid": self.measures.kid(np.concatenate([images[self.steps[0]], images[self.steps[-1]]])), "kid_unedited": self._kid}
        return scores

    def _mean_logits(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self.measures.classifier.logits(images)).mean(axis=0)


def ranked(directions: Sequence[Direction]) -> list[Direction]:
    """Directions by the change of their target, the largest first; those without a target after them, in their order."""
    return sorted(directions, key=lambda direction: -abs(direction.scores.get("target_per_step", 0.0)))


def _summary(changes: np.ndarray, steps: Sequence[float], names: Sequence[str], target: int | None) -> Scores:
    """Scores of changes of logits [steps, classes]."""
    slopes = np.polyfit(steps, changes, 1)[0]
    chosen = int(np.abs(slopes).argmax()) if target is None else target
    scores: Scores = {"target": names[chosen], "target_per_step": float(slopes[chosen])}
    scores["target_by_step"] = [float(change) for change in changes[:, chosen]]
    if len(slopes) > 1:
        scores["others_per_step"] = float(np.abs(np.delete(slopes, chosen)).mean())
    return scores


def _to_float(images: np.ndarray) -> np.ndarray:
    return to_float(images[..., :3])  # LPIPS has no place for alpha
