"""The augmentation of a training run: what is applied to images before D, according to its settings."""

import functools
import itertools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from stylegan_tf.augmentation import ada, diffaugment
from stylegan_tf.augmentation.sampling import Draws, RandomDraws
from stylegan_tf.settings import TrainingSettings

PREFIX = "augment_"  # of running values
SIGNS = "Loss/signs/real"  # the statistic that the adaptive strength follows
KIMG, KIMG_AFTER_TRANSFER = 500.0, 100.0  # the original's
SHOWN_STRENGTHS = (0.2, 0.5, 0.8)

Critic = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # images [n, R, R, C] and labels to logits [n, 1]


class Control(NamedTuple):
    """State of the controller, float32 scalars."""

    p: tf.Tensor  # strength, the chance of each transform
    sign_sum: tf.Tensor  # sum of the signs of D's logits for real images since the last adjustment
    count: tf.Tensor  # real images shown since then


FIRST = Control(0.0, 0.0, 0.0)


def adjusted(control: Control, sign: tf.Tensor, images: int, *, target: float, interval: int, kimg: float, cap: float) -> Control:
    """The state after an iteration; in every `interval`-th one, p moves by the images since the last adjustment / (1000 kimg).

    Args:
        sign: mean sign of D's logits for the real images of the iteration, as D saw them.
        images: real images that an iteration shows.
        target: mean sign above which p rises and below which it falls.
        interval: iterations between two adjustments. Where the minibatch changes in between, the images of `interval` new ones.
        kimg: thousand images in which p can change by 1.

    Source: Karras et al. 2020, "Training generative adversarial networks with limited data", section 3.1; the cap is ours.
    """
    sign_sum, count = control.sign_sum + sign * images, control.count + images
    is_due = count >= interval * images
    moved = control.p + tf.sign(sign_sum / count - target) * count / (1000.0 * kimg)
    return Control(
        p=tf.where(is_due, tf.clip_by_value(moved, 0.0, cap), control.p),
        sign_sum=tf.where(is_due, 0.0, sign_sum),
        count=tf.where(is_due, 0.0, count),
    )


def make(settings: TrainingSettings) -> "Augmentation | None":
    """The augmentation of a run; None where it has none."""
    return None if settings.augment.kind == "none" else Augmentation(settings)


class Augmentation:
    """The transforms of a run and their strength.

    Args:
        settings: of the run; `augment.kind` is not "none".

    Attributes:
        is_adaptive: whether the strength changes in the course of the run.
        running_values: what must be kept for that, by name, with the first values.
    """

    def __init__(self, settings: TrainingSettings):
        about = self._settings = settings.augment
        self.is_adaptive = about.kind == "ada" and about.p is None
        self._fixed = 1.0 if about.p is None else about.p
        if about.kind == "ada":
            self._transform = functools.partial(ada.transform, strengths=ada.PIPES[about.pipe])
        else:
            self._transform = functools.partial(diffaugment.transform, strengths=diffaugment.STRENGTHS)
        self._kimg = about.kimg or (KIMG_AFTER_TRANSFER if settings.transfer.init_from else KIMG)
        first = FIRST._asdict() if self.is_adaptive else {}
        self.running_values = {f"{PREFIX}{name}": value for name, value in first.items()}

    def apply(self, images: tf.Tensor, strength: tf.Tensor | float, draws: Draws) -> tf.Tensor:
        """Transforms images float32 [n, R, R, C] in [-1, 1], each transform with the chance `strength`."""
        return self._transform(images, probability=strength, draws=draws)

    def strength(self, running: Mapping[str, tf.Variable]) -> tf.Tensor | float:
        """The chance of each transform."""
        return tf.convert_to_tensor(running[f"{PREFIX}p"]) if self.is_adaptive else self._fixed

    def applied_before(self, critic: Critic, numbers: tf.Tensor, *, seed: tf.Tensor, minibatch: int, strength: tf.Tensor | float) -> Critic:
        """D behind the augmentation, for one part of a step. Each call of it transforms in another way.

        Args:
            numbers: int32 [n], places of the part's samples in the global minibatch.
            seed: int32 [2], of the step.
            strength: what `strength` gave.
        """
        calls = itertools.count()

        def augmented_critic(images, labels):
            draws = RandomDraws(tf.random.experimental.stateless_fold_in(seed, next(calls)), minibatch, numbers)
            return critic(self.apply(images, strength, draws), labels)

        return augmented_critic

    def after_iteration(self, running: Mapping[str, tf.Variable], statistics: Mapping[str, tf.Tensor], images: int) -> dict[str, tf.Tensor]:
        """The running values after an iteration, by name; none where the strength is fixed.

        Args:
            running: the run's variables.
            statistics: means of the iteration, with the sign of D's logits for real images.
            images: real images that an iteration shows.

        Raises:
            ValueError: the model does not report that sign.
        """
        if not self.is_adaptive:
            return {}
        if SIGNS not in statistics:
            raise ValueError(f"An adaptive strength needs the statistic {SIGNS}. Received: {', '.join(sorted(statistics))}")
        before = Control(**{name.removeprefix(PREFIX): tf.convert_to_tensor(running[name]) for name in self.running_values})
        about = self._settings
        options = {"target": about.target, "interval": about.interval, "kimg": self._kimg, "cap": about.cap}
        after = adjusted(before, statistics[SIGNS], images, **options)
        return {f"{PREFIX}{name}": value for name, value in after._asdict().items()}

    def examples(self, images: np.ndarray, seed: int) -> np.ndarray:
        """Some real images as they enter D, at three strengths, or at the fixed one.

        Args:
            images: float32 [n, R, R, C] in [-1, 1].
            seed: of the random numbers.

        Returns:
            float32 [3 n or n, R, R, C], one strength after the other.
        """
        strengths = SHOWN_STRENGTHS if self.is_adaptive else [self._fixed]
        shown = []
        for number, strength in enumerate(strengths):
            draws = RandomDraws(tf.constant([seed, number]), len(images))
            shown.append(self.apply(tf.constant(images), strength, draws).numpy())
        return np.concatenate(shown)
