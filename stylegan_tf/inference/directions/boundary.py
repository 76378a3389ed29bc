"""Linear boundaries between two kinds of points: a support vector machine, and its accuracy on points it was not fitted to."""

import numpy as np

_NUM_PARTS = 5  # in turn left out; fewer where one kind has fewer points


def fit(points: np.ndarray, is_positive: np.ndarray) -> np.ndarray:
    """Weights [D + 1] of a linear support vector machine, the last one the offset, as scikit-learn's LinearSVC fits them.

    Minimises |w|^2 / 2 + sum(max(0, 1 - y w.x)^2), the offset counted as the weight of a constant 1.

    Args:
        points: [N, D].
        is_positive: bool [N].
    """
    import scipy.optimize  # slow to import

    points = np.asarray(points, np.float32)
    signs = np.where(is_positive, 1.0, -1.0)

    def objective(weights: np.ndarray):
        margins = np.maximum(1 - signs * decide(points, weights), 0)
        slopes = (-2 * signs * margins).astype(np.float32)
        gradient = weights + np.append(slopes @ points, slopes.sum(dtype=np.float64))
        return weights @ weights / 2 + margins @ margins, gradient

    found = scipy.optimize.minimize(objective, np.zeros(points.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 1000})
    return found.x


def decide(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Signed decisions [N], positive for the positive class."""
    return (np.asarray(points, np.float32) @ weights[:-1].astype(np.float32)).astype(np.float64) + weights[-1]


def held_out_accuracy(points: np.ndarray, is_positive: np.ndarray) -> float:
    """Share of points on their side of the boundary that was fitted to the other parts; half right is chance for equal halves.

    Args:
        points: [N, D], with at least two points of either kind.
        is_positive: bool [N].
    """
    num_parts = min(_NUM_PARTS, int(is_positive.sum()), int((~is_positive).sum()))
    part = np.zeros(len(points), int)
    for kind in (is_positive, ~is_positive):  # every part has its share of either kind
        part[kind] = np.arange(kind.sum()) % num_parts
    right = [
        (decide(points[part == left_out], fit(points[part != left_out], is_positive[part != left_out])) > 0)
        == is_positive[part == left_out]
        for left_out in range(num_parts)
    ]
    return float(np.concatenate(right).mean())
