"""Distances and kernels between two sets of features, block by block: the matrix of all pairs is never in memory."""

from collections.abc import Iterator

import numpy as np

from stylegan_tf.errors import UserError

BLOCK = 2048  # 2048 x 2048 float32 pairs are 17 MB


def blocks(count: int) -> Iterator[slice]:
    """Slices that cover range(count)."""
    for start in range(0, count, BLOCK):
        yield slice(start, min(start + BLOCK, count))


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[N, D] and [M, D] to squared Euclidean distances [N, M], not below 0, in the dtype of the arrays."""
    products = first @ second.T
    norms1 = np.einsum("nd,nd->n", first, first)[:, np.newaxis]
    norms2 = np.einsum("md,md->m", second, second)
    return np.maximum(norms1 + norms2 - 2 * products, 0)


def centred(*sets: np.ndarray) -> tuple[np.ndarray, ...]:
    """All sets minus the mean of the first, float32.

    Distances do not change. The norms that they are differences of become smaller, and so do the rounding errors.
    """
    mean = sets[0].mean(axis=0, dtype=np.float64)
    return tuple(np.asarray(features - mean, np.float32) for features in sets)


def neighbour_radii(features: np.ndarray, k: int) -> np.ndarray:
    """Squared distance from each row [N, D] to its k-th nearest other row, [N]."""
    if len(features) <= k:
        raise UserError(f"The {k}-th nearest neighbour needs more than {k} images. Received: {len(features)}")
    numbers = np.arange(len(features))
    search = NearestSearch(features, k, own_numbers=numbers)
    for rows in blocks(len(features)):
        search.add(features[rows], numbers[rows])
    return search.distances[:, -1]


class NearestSearch:
    """The k nearest of many points to each query; the points are added batch by batch.

    Args:
        queries: [N, D].
        k: neighbours kept.
        own_numbers: int [N], number of the point that is the query itself, which does not count as a neighbour.
        skip_equal: points at distance 0 (duplicates) do not count either.

    Attributes:
        distances: squared, [N, k], ascending; infinite where fewer points came.
        numbers: int [N, k], numbers of those points.
    """

    def __init__(self, queries: np.ndarray, k: int, *, own_numbers: np.ndarray | None = None, skip_equal: bool = False):
        self.queries, self.k, self.own_numbers, self.skip_equal = np.asarray(queries), k, own_numbers, skip_equal
        self.distances = np.full((len(queries), k), np.inf, self.queries.dtype)
        self.numbers = np.full((len(queries), k), -1, np.int64)

    def add(self, points: np.ndarray, numbers: np.ndarray) -> None:
        """Compares all queries with points [M, D] that have these numbers [M]."""
        for rows in blocks(len(self.queries)):
            queries = self.queries[rows]
            block = squared_distances(queries, points)
            if self.own_numbers is not None:
                block[self.own_numbers[rows, np.newaxis] == numbers] = np.inf
            if self.skip_equal:  # rounding leaves about a millionth of the norm between equal vectors
                block[block <= 1e-5 * np.einsum("nd,nd->n", queries, queries)[:, np.newaxis]] = np.inf
            candidates = np.concatenate([self.distances[rows], block], axis=1)
            ids = np.concatenate([self.numbers[rows], np.broadcast_to(numbers, block.shape)], axis=1)
            nearest = np.argpartition(candidates, self.k - 1, axis=1)[:, : self.k]
            order = np.take_along_axis(nearest, np.argsort(np.take_along_axis(candidates, nearest, 1), axis=1, kind="stable"), 1)
            self.distances[rows] = np.take_along_axis(candidates, order, 1)
            self.numbers[rows] = np.take_along_axis(ids, order, 1)
