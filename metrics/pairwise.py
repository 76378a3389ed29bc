"""Distances and kernels between two sets of features, block by block: no matrix of all pairs is ever held."""

from collections.abc import Iterator

import numpy as np

BLOCK = 2048  # 2048 x 2048 float32 pairs are 17 MB


def blocks(count: int, size: int = BLOCK) -> Iterator[slice]:
    """Slices that cover range(count)."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[N, D] and [M, D] to squared Euclidean distances [N, M], not below 0, in the dtype of the arrays."""
    products = first @ second.T
    norms1 = np.einsum("nd,nd->n", first, first)[:, np.newaxis]
    norms2 = np.einsum("md,md->m", second, second)
    return np.maximum(norms1 + norms2 - 2 * products, 0)


def centred(*sets: np.ndarray) -> tuple[np.ndarray, ...]:
    """All sets minus the mean of the first, float32.

    Distances do not change; the norms they are differences of become smaller, and so does the rounding.
    """
    mean = sets[0].mean(axis=0, dtype=np.float64)
    return tuple(np.asarray(features - mean, np.float32) for features in sets)


def neighbour_radii(features: np.ndarray, k: int) -> np.ndarray:
    """Squared distance from each row [N, D] to its k-th nearest other row, [N]."""
    if len(features) <= k:
        raise ValueError(f"The {k}-th nearest neighbour needs more than {k} features. Received: {len(features)}")
    return nearest(features, features, k, is_same=True)[0][:, -1]


def nearest(queries: np.ndarray, points: np.ndarray, k: int, *, is_same: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest points of each query.

    Args:
        queries: [N, D].
        points: [M, D], M >= k.
        is_same: both are the same set, and a row is no neighbour of itself.

    Returns:
        Squared distances [N, k], ascending, and indices into `points` [N, k].
    """
    distances, indices = [], []
    for rows in blocks(len(queries)):
        best = np.full((rows.stop - rows.start, k), np.inf, queries.dtype)
        best_index = np.zeros((rows.stop - rows.start, k), np.int64)
        for columns in blocks(len(points)):
            block = squared_distances(queries[rows], points[columns])
            if is_same and rows == columns:
                np.fill_diagonal(block, np.inf)
            candidates = np.concatenate([best, block], axis=1)
            ids = np.concatenate([best_index, np.broadcast_to(np.arange(columns.start, columns.stop), block.shape)], axis=1)
            chosen = np.argpartition(candidates, k - 1, axis=1)[:, :k]
            best, best_index = np.take_along_axis(candidates, chosen, 1), np.take_along_axis(ids, chosen, 1)
        order = np.argsort(best, axis=1, kind="stable")
        distances.append(np.take_along_axis(best, order, 1))
        indices.append(np.take_along_axis(best_index, order, 1))
    return np.concatenate(distances), np.concatenate(indices)
