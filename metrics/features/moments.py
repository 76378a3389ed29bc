"""Moments of features in one pass, and the Fréchet distance between the Gaussians with such moments."""

from collections.abc import Iterable

import numpy as np
import scipy.linalg


class Moments:
    """Sums of features, batch by batch, and their mean and unbiased covariance.

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
        """The arrays of a file."""
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
        raise ValueError("Moments need one batch of features or more. Received: none")
    return result


def frechet_distance(first: Moments, second: Moments) -> float:
    """Squared Fréchet distance between the Gaussians with these moments; 0 for equal ones, up to rounding.

    |m1 - m2|^2 + trace(C1 + C2 - 2 sqrt(C1 C2)).

    Source: Heusel et al. 2017, arXiv:1706.08500.
    """
    return FrechetReference(first).distance(second)


class FrechetReference:
    """One side of several distances, with its Cholesky decomposition."""

    def __init__(self, moments: Moments):
        self.mean, self.covariance = moments.mean(), moments.covariance()
        self._factor = _factor(self.covariance)

    def distance(self, other: Moments) -> float:
        """Squared Fréchet distance to the Gaussian with other moments."""
        covariance = other.covariance()
        difference = self.mean - other.mean()
        traces = np.trace(self.covariance) + np.trace(covariance)
        return float(difference @ difference + traces - 2 * _trace_of_root(self._factor, covariance))


def _trace_of_root(factor: np.ndarray, covariance: np.ndarray) -> float:
    """trace(sqrt(C1 C2)) of two positive semidefinite matrices, C1 = L L^T given by its factor L [D, rank].

    C1 C2 has the eigenvalues of the symmetric L^T C2 L. A pivoted Cholesky decomposition and the eigenvalues of one
    symmetric matrix need a tenth of the time of a matrix root, and a rank-deficient C1 makes the matrix smaller.
    """
    if factor.shape[1] == 0:
        return 0.0
    inner = factor.T @ covariance @ factor  # [rank, rank]
    eigenvalues = scipy.linalg.eigvalsh((inner + inner.T) / 2, overwrite_a=True, check_finite=False)
    # Rounding leaves the zero eigenvalues of a singular product at about 1e-16 of the largest: their roots would add up.
    floor = max(eigenvalues[-1], 0.0) * len(eigenvalues) * np.finfo(np.float64).eps
    return float(np.sqrt(eigenvalues[eigenvalues > floor]).sum())


def _factor(covariance: np.ndarray) -> np.ndarray:
    """L [D, rank] with L L^T = covariance, by Cholesky decomposition with pivoting."""
    lower, pivots, rank, _ = scipy.linalg.lapack.dpstrf(covariance, lower=1)
    factor = np.empty((len(covariance), rank))
    factor[pivots - 1] = np.tril(lower)[:, :rank]
    return factor
