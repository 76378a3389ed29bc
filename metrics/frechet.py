"""Distance between two Gaussians: |m1 - m2|^2 + trace(C1 + C2 - 2 sqrt(C1 C2)) (Fréchet 1957, Heusel et al. 2017)."""

import numpy as np
import scipy.linalg

from metrics.feature_stats import Moments


def frechet_distance(first: Moments, second: Moments) -> float:
    """Squared Fréchet distance between the Gaussians with these moments; 0 for equal ones, up to rounding."""
    return FrechetReference(first).distance(second)


def gaussian_distance(mean1: np.ndarray, covariance1: np.ndarray, mean2: np.ndarray, covariance2: np.ndarray) -> float:
    """Squared Fréchet distance between N(mean1 [D], covariance1 [D, D]) and N(mean2, covariance2), float64.

    Covariances may be singular, as those of fewer samples than features are.
    """
    return _distance(mean1, covariance1, _factor(np.asarray(covariance1, np.float64)), mean2, covariance2)


class FrechetReference:
    """One side of several distances: its Cholesky decomposition is done once."""

    def __init__(self, moments: Moments):
        self.mean, self.covariance = moments.mean(), moments.covariance()
        self._lower = _factor(self.covariance)

    def distance(self, other: Moments) -> float:
        """Squared Fréchet distance to the Gaussian with other moments."""
        return _distance(self.mean, self.covariance, self._lower, other.mean(), other.covariance())


def _distance(mean1, covariance1, factor1, mean2, covariance2) -> float:
    difference = np.asarray(mean1, np.float64) - np.asarray(mean2, np.float64)
    traces = np.trace(covariance1) + np.trace(covariance2)
    return float(difference @ difference + traces - 2 * _trace_of_root(factor1, np.asarray(covariance2, np.float64)))


def _trace_of_root(factor: np.ndarray, covariance: np.ndarray) -> float:
    """trace(sqrt(C1 C2)) of two positive semidefinite matrices, C1 = L L^T given by its factor L [D, rank].

    C1 C2 has the eigenvalues of the symmetric L^T C2 L. A pivoted Cholesky decomposition and the eigenvalues of one
    symmetric matrix take a tenth of the time of a matrix root, and a rank-deficient C1 makes the matrix smaller.
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
