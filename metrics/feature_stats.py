"""Moments of features in one pass: count, sum and sum of outer products in float64, never the features themselves."""

from collections.abc import Iterable

import numpy as np


class Moments:
    """Adds up features batch by batch; gives their mean and unbiased covariance.

    Moments add and subtract, so those of "all but one part" cost one subtraction.

    Args:
        num_features: D, the length of a feature vector.
    """

    def __init__(self, num_features: int):
        self.count = 0
        self.total = np.zeros(num_features)  # [D]
        self.outer = np.zeros((num_features, num_features))  # [D, D]

    def add(self, features: np.ndarray, counts: np.ndarray | None = None) -> "Moments":
        """Adds a batch.

        Args:
            features: [N, D].
            counts: how often each row counts, int [N]; once without it.
        """
        features = np.asarray(features, np.float64)
        weighted = features if counts is None else features * np.asarray(counts)[:, np.newaxis]
        self.count += len(features) if counts is None else int(np.sum(counts))
        self.total += weighted.sum(axis=0)
        self.outer += weighted.T @ features
        return self

    def mean(self) -> np.ndarray:
        """float64 [D]."""
        return self.total / self.count

    def covariance(self) -> np.ndarray:
        """Unbiased, float64 [D, D], exactly symmetric."""
        if self.count < 2:
            raise ValueError(f"A covariance needs two samples or more. Received: {self.count}")
        mean = self.mean()
        covariance = (self.outer - self.count * np.outer(mean, mean)) / (self.count - 1)
        return (covariance + covariance.T) / 2

    def __add__(self, other: "Moments") -> "Moments":
        return self._combined(other, 1)

    def __sub__(self, other: "Moments") -> "Moments":
        return self._combined(other, -1)

    def _combined(self, other: "Moments", sign: int) -> "Moments":
        result = Moments.__new__(Moments)
        result.count = self.count + sign * other.count
        result.total = self.total + sign * other.total
        result.outer = self.outer + sign * other.outer
        return result

    def as_arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold them."""
        return {"count": np.int64(self.count), "total": self.total, "outer": self.outer}

    @classmethod
    def from_arrays(cls, arrays) -> "Moments":
        """The inverse of `as_arrays`."""
        result = cls.__new__(cls)
        result.count, result.total, result.outer = int(arrays["count"]), arrays["total"], arrays["outer"]
        return result


def moments_of(batches: Iterable[np.ndarray]) -> Moments:
    """Moments of all batches [N, D] together."""
    result = None
    for features in batches:
        result = (result or Moments(features.shape[1])).add(features)
    if result is None:
        raise ValueError("Moments of nothing: there was no batch of features.")
    return result
