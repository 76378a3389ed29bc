"""Intervals of scores at 95 %: bootstrap and jackknife."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import scipy.special

LEVEL = 0.95
_RESAMPLES = 1000


@dataclasses.dataclass(frozen=True)
class Estimate:
    """A value with its 95 % confidence interval and the method of the interval."""

    value: float
    low: float | None = None
    high: float | None = None
    method: str = "none"


def bootstrap(samples: np.ndarray, statistic: Callable[[np.ndarray], float], *, seed: int) -> Estimate:
    """Percentile interval of a statistic over samples drawn with replacement.

    Args:
        samples: [N, ...]; rows are drawn.
        statistic: takes such an array.
        seed: of the draws.
    """
    rng = np.random.default_rng([seed, 0xB007])
    draws = [statistic(samples[rng.integers(len(samples), size=len(samples))]) for _ in range(_RESAMPLES)]
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(statistic(samples)), float(low), float(high), f"bootstrap of {len(samples):,} samples, {_RESAMPLES:,} draws")


def proportion(hits: np.ndarray, note: str = "") -> Estimate:
    """Share of true values in bool [N] with Wilson's interval, which is not empty if none or all are true.

    Args:
        hits: a value an image.
        note: what the interval leaves out, for the text.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953.
    """
    count, share = len(hits), float(np.mean(hits))
    z = float(scipy.special.ndtri((1 + LEVEL) / 2))
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    reach = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    low, high = max(0.0, float(centre - reach)), min(1.0, float(centre + reach))
    return Estimate(share, min(low, share), max(high, share), f"Wilson's interval of {count:,} images{note}")


def jackknife(value: float, without_part: Sequence[float], what: str) -> Estimate:
    """Interval from the values with one of g equal parts left out each time (delete-a-group jackknife).

    Args:
        value: of everything together.
        without_part: g values.
        what: what was split, for the text ("generated images").

    Source: Shao and Wu 1989, doi:10.1214/aos/1176347263; Student's t with g - 1 degrees of freedom.
    """
    parts = len(without_part)
    deviations = np.asarray(without_part) - np.mean(without_part)
    error = np.sqrt((parts - 1) / parts * np.sum(deviations**2))
    reach = float(scipy.special.stdtrit(parts - 1, (1 + LEVEL) / 2) * error)
    return Estimate(value, value - reach, value + reach, f"jackknife over {parts} parts of the {what}")


def of_parts(values: Sequence[float], what: str) -> Estimate:
    """Mean of a statistic over parts, with Student's t interval of that mean."""
    parts = len(values)
    reach = float(scipy.special.stdtrit(parts - 1, (1 + LEVEL) / 2) * np.std(values, ddof=1) / np.sqrt(parts))
    mean = float(np.mean(values))
    return Estimate(mean, mean - reach, mean + reach, f"{parts} parts of the {what}")
