"""Kernel Inception distance: kid50k, kid50k_full, and any other number; unbiased, over all pairs at once."""

if __name__ == "__main__":  # before the imports of this package, which needs it
    import by_path

    by_path.run("kid50k_full", __doc__)

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from metrics.features.pairwise import blocks
from metrics.intervals import Estimate, jackknife
from metrics.metric import AgainstReals, Score

if TYPE_CHECKING:
    from metrics.bench import Bench

NUM_PARTS = 10


class KernelInceptionDistance(AgainstReals):
    """Unbiased squared maximum mean discrepancy of generated and real pool features with a cubic kernel.

    Each real image counts once, because repetitions would bias the estimate. "kid50k" uses a sample of at most 50,000.

    Source: Bińkowski et al. 2018, arXiv:1801.01401.
    """

    stem = "kid"
    aliases: ClassVar = {"kid": "kid_full"}
    examples = "kid50k_full, kid5k"
    summary = "Kernel Inception distance"
    scale = "0: as similar as two sets of photographs; below 0.05 the images resemble them"
    protocol_summary = "cubic kernel, unbiased, over all pairs; as many real images as generated ones (a sample) at most; _full: all"

    def score(self, bench: "Bench") -> Score:
        selection = self.select(bench)
        reals = bench.all_real_features(selection)
        fakes = bench.all_generated_features(self.num_images)
        protocol = {**self.shared_protocol(bench, selection), "kernel": "(x y / D + 1)^3", "blocks": 1}
        return Score({self.name: kernel_distance(fakes, reals)}, protocol)


def kernel_distance(fakes: np.ndarray, reals: np.ndarray) -> Estimate:
    """Unbiased squared MMD between float32 features [N, D] and [M, D], N and M above 1.

    The interval comes from leaving out tenths of the fakes.
    """
    num_parts = min(NUM_PARTS, len(fakes) // 2)
    parts = np.array_split(np.asarray(fakes, np.float32), num_parts)
    reals = np.asarray(reals, np.float32)
    sizes = np.array([len(part) for part in parts])
    within = np.zeros((num_parts, num_parts))  # sums over pairs of two parts, no image with itself
    for row in range(num_parts):
        for column in range(row, num_parts):
            within[row, column] = within[column, row] = _kernel_sum(parts[row], parts[column], is_same=row == column)
    across = np.array([_kernel_sum(part, reals) for part in parts])
    real_mean = _kernel_sum(reals, reals, is_same=True) / (len(reals) * (len(reals) - 1))

    def estimate(chosen: np.ndarray) -> float:
        count = sizes[chosen].sum()
        fake_mean = within[np.ix_(chosen, chosen)].sum() / (count * (count - 1))
        return float(fake_mean + real_mean - 2 * across[chosen].sum() / (count * len(reals)))

    everything = np.arange(num_parts)
    value = estimate(everything)
    if num_parts < 3:
        return Estimate(value)
    return jackknife(value, [estimate(np.delete(everything, part)) for part in everything], "generated images")


def _kernel_sum(first: np.ndarray, second: np.ndarray, *, is_same: bool = False) -> float:
    """Sum of (x y / D + 1)^3 over all pairs; of a set with itself, without the pairs of an image with itself."""
    total = 0.0
    for rows in blocks(len(first)):
        for columns in blocks(len(second)):
            kernel = (first[rows] @ second[columns].T / np.float32(first.shape[1]) + 1) ** 3
            total += kernel.sum(dtype=np.float64)
            if is_same and rows == columns:
                total -= np.trace(kernel, dtype=np.float64)
    return total
