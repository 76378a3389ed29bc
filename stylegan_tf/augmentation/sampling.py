"""Random numbers of an augmentation: one row for each sample, from a seed and the position of the sample in the global minibatch."""

from collections.abc import Mapping, Sequence

import tensorflow as tf

NUM_UNIFORM, NUM_NORMAL = 40, 20  # columns; all eighteen transforms take 29 uniform and 12 normal numbers


class Draws:
    """The source of a transform's random numbers; each call gives other numbers.

    Attributes:
        is_quantile: every number is the same quantile of its distribution.
    """

    is_quantile = False

    def uniform(self, count: int) -> list[tf.Tensor]:
        """`count` tensors float32 [n], uniform in [0, 1)."""
        raise NotImplementedError

    def normal(self, count: int) -> list[tf.Tensor]:
        """`count` tensors float32 [n], N(0, 1)."""
        raise NotImplementedError

    def normal_like(self, images: tf.Tensor) -> tf.Tensor:
        """float32 of the shape of `images` [n, ...], N(0, 1)."""
        raise NotImplementedError

    def happens(self, chance: tf.Tensor | float) -> tf.Tensor:
        """bool [n], true with this chance for each sample."""
        return self.uniform(1)[0] < chance


def make_draws(seed: tf.Tensor | None, quantile: float | None, count: int) -> Draws:
    """Random numbers of a seed int32 [2], or a quantile in their place, for so many samples; raises ValueError unless one is given."""
    if (seed is None) == (quantile is None):
        raise ValueError(f"Give a seed or a quantile. Received: seed={seed}, quantile={quantile}")
    return RandomDraws(tf.convert_to_tensor(seed), count) if quantile is None else QuantileDraws(quantile, count)


def check_names(strengths: Mapping[str, float], known: Sequence[str]) -> None:
    """Raises ValueError for a transform that is not known."""
    unknown = [name for name in strengths if name not in known]
    if unknown:
        raise ValueError(f"Unknown transform {unknown[0]}. Known: {', '.join(known)}")


class RandomDraws(Draws):
    """Random numbers for some samples of a minibatch.

    The numbers are drawn for the whole minibatch and the rows of the samples are taken from them: a sample is transformed in the same
    way on any number of devices and in any accumulation step.

    Args:
        seed: int32 [2].
        numbers: int32 [n], places of the samples in the minibatch; None for all of it, in order.
    """

    def __init__(self, seed: tf.Tensor, minibatch: int, numbers: tf.Tensor | None = None):
        self._seeds = tf.unstack(tf.random.experimental.stateless_split(seed, 3))
        self._minibatch, self._numbers = minibatch, numbers
        self._uniform = self._columns(tf.random.stateless_uniform([minibatch, NUM_UNIFORM], self._seeds[0]))
        self._normal = self._columns(tf.random.stateless_normal([minibatch, NUM_NORMAL], self._seeds[1]))

    def uniform(self, count):
        return [next(self._uniform) for _ in range(count)]

    def normal(self, count):
        return [next(self._normal) for _ in range(count)]

    def normal_like(self, images):
        return self._rows(tf.random.stateless_normal([self._minibatch, *images.shape[1:]], self._seeds[2]))

    def _rows(self, values):
        return values if self._numbers is None else tf.gather(values, self._numbers)

    def _columns(self, values):
        values = self._rows(values)
        return (values[:, column] for column in range(values.shape[1]))


class QuantileDraws(Draws):
    """Every random number replaced by a quantile, as the recorded arrays have it.

    Args:
        quantile: in (0, 1).

    A normal number becomes erfinv(2 quantile - 1), without the factor sqrt(2): the original release has it so.
    """

    is_quantile = True

    def __init__(self, quantile: float, count: int | tf.Tensor):
        self._uniform = tf.fill([count], tf.constant(quantile, tf.float32))
        self._normal = tf.math.erfinv(2.0 * self._uniform - 1.0)

    def uniform(self, count):
        return [self._uniform] * count

    def normal(self, count):
        return [self._normal] * count

    def normal_like(self, images):
        return tf.ones_like(images) * self._normal[:, None, None, None]
