"""Fréchet Inception distance: fid50k (the original's protocol), fid50k_full, and any other number."""

if __name__ == "__main__":  # before the imports of this package, which needs it
    import by_path

    by_path.run("fid50k", __doc__)

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from metrics.features.moments import FrechetReference, Moments
from metrics.intervals import jackknife
from metrics.metric import AgainstReals, Score
from metrics.options import Json
from stylegan_tf.progress_bar import track

if TYPE_CHECKING:
    from metrics.bench import Bench

FEATURES = 2048  # length of a feature vector: the covariance of fewer images is singular
NUM_PARTS = 10  # of the generated images, for the interval; 34 MB each


class FrechetInceptionDistance(AgainstReals):
    """Distance between the Gaussian distributions of generated and of real pool features.

    "fid50k" uses as many real images as generated ones. A smaller dataset is repeated, as in the original. From a larger one, a
    sample is used; the original uses the first records. "fid50k_full" uses each real image once.

    Source: Heusel et al. 2017, arXiv:1706.08500; protocol of Karras et al. 2019, arXiv:1812.04948, appendix A.
    """

    extrapolation: ClassVar[dict[str, Json]] = {}  # part of the protocol

    stem = "fid"
    repeats_reals = True
    examples = "fid50k, fid50k_full, fid5k"
    summary = "Fréchet Inception distance"
    scale = "below 50 the images resemble the photographs, above 200 they do not yet"
    protocol_summary = "as many real images as generated ones (a sample, or a smaller dataset repeated); _full: each real image once"

    def score(self, bench: "Bench") -> Score:
        selection = self.select(bench)
        reference = FrechetReference(bench.real_moments(selection))
        value, without = self.distances(reference, generated_parts(bench, self.num_images))
        protocol = {**self.shared_protocol(bench, selection), "num_distinct_reals": selection.num_distinct, "covariance": "unbiased"}
        estimate = jackknife(value, without, "generated images")
        return Score({self.name: estimate}, protocol | self.extrapolation, notes=size_notes(self.num_images))

    def distances(self, reference: FrechetReference, parts: list[Moments]) -> tuple[float, list[float]]:
        """The score of all parts of the generated images, and the scores with one part left out."""
        everything = sum(parts[1:], start=parts[0])
        return reference.distance(everything), [reference.distance(everything - part) for part in parts]


class ExtrapolatedFrechetDistance(FrechetInceptionDistance):
    """FID extrapolated to infinitely many generated images, by a straight line through FIDs over 1/number.

    The numbers are one tenth (if above 2,048, the length of a feature vector), two tenths, ... and all of the images.

    Source: Chong and Forsyth 2020, arXiv:1911.07023 (there fifteen numbers from 5,000 on, and images from a Sobol sequence).
    """

    extrapolation: ClassVar = {"extrapolation": "tenths"}

    suffix = suffix_pattern = "_inf"
    min_images = 2 * FEATURES
    examples = "fid50k_inf, fid50k_inf_full"
    summary = "Fréchet Inception distance extrapolated to infinitely many generated images"
    scale = "as fid, without its dependence on the number of images"
    protocol_summary = "a line through the distances of tenths of the generated images over 1/number; real images as for fid"

    def distances(self, reference: FrechetReference, parts: list[Moments]) -> tuple[float, list[float]]:
        chosen = [parts, *(parts[:part] + parts[part + 1 :] for part in range(NUM_PARTS))]
        value, *without = [extrapolated(reference, each) for each in track(chosen, len(chosen), f"{self.name}: lines", unit="lines")]
        return value, without


def extrapolated(reference: FrechetReference, parts: list[Moments]) -> float:
    """The distance at 1/number = 0 of the line through the distances of the first, the first two, ... parts.

    Numbers up to the length of a feature vector are omitted: their covariance is singular, so they are not on the line.
    """
    counts, distances, moments = [], [], None
    for part in parts:
        moments = part if moments is None else moments + part
        if moments.count > len(moments.total):
            counts.append(moments.count)
            distances.append(reference.distance(moments))
    slope_and_end = np.polyfit(1 / np.array(counts), distances, 1)
    return float(slope_and_end[1])


def size_notes(num_images: int) -> tuple[str, ...]:
    """A warning if the covariance of the generated images is singular."""
    if num_images >= FEATURES:
        return ()
    return (
        f"FID of {num_images:,} images, fewer than {FEATURES:,}, is far above that of many images: compare it with equal numbers only, "
        "or use kid or fid_inf",
    )


def generated_parts(bench: "Bench", total: int) -> list[Moments]:
    """Moments of the features of `total` generated images, in `NUM_PARTS` equal, consecutive parts."""
    bounds = [total * part // NUM_PARTS for part in range(NUM_PARTS + 1)]
    parts: list[Moments] = []
    for start, features in bench.generated_features(total):
        parts = parts or [Moments(features.shape[1]) for _ in range(NUM_PARTS)]
        for part, first, end in zip(parts, bounds, bounds[1:], strict=False):
            rows = features[max(first - start, 0) : max(end - start, 0)]
            if len(rows):
                part.add(rows)
    return parts
