"""A linear support vector machine: the straight cut that best parts two classes."""

import numpy as np
import scipy.optimize


def fit(points: np.ndarray, is_positive: np.ndarray, *, cost: float = 1.0) -> np.ndarray:
    """Weights [D + 1], the last one the offset, of the squared-hinge machine that scikit-learn's LinearSVC fits.

    Minimises |w|^2 / 2 + cost * sum(max(0, 1 - y w.x)^2), the offset counted as the weight of a constant 1.

    Args:
        points: [N, D].
        is_positive: bool [N].
    """
    points = np.asarray(points, np.float32)
    signs = np.where(is_positive, 1.0, -1.0)

    def objective(weights: np.ndarray):
        margins = np.maximum(1 - signs * decide(points, weights), 0)
        slopes = (-2 * cost * signs * margins).astype(np.float32)
        gradient = weights + np.append(slopes @ points, slopes.sum(dtype=np.float64))
        return weights @ weights / 2 + cost * margins @ margins, gradient

    found = scipy.optimize.minimize(objective, np.zeros(points.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    return found.x


def decide(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Signed decisions [N], positive for the positive class."""
    return (np.asarray(points, np.float32) @ weights[:-1].astype(np.float32)).astype(np.float64) + weights[-1]
