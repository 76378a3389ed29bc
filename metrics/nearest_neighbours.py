"""Nearest training images of generated images: memorisation, as a figure and as a test against held-out images."""

if __name__ == "__main__":  # before the imports of this package, which needs it
    import by_path

    by_path.run("memorisation", __doc__)

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from metrics import real_images
from metrics.features.pairwise import NearestSearch
from metrics.features.store import CHUNK
from metrics.image_sets import read_images
from metrics.intervals import Estimate, proportion
from metrics.metric import MIN_IMAGES, Metric, Need, Score, Value
from metrics.options import Json
from metrics.real_images import RealSelection
from stylegan_tf.data.intake.fit import fit_image
from stylegan_tf.sheets import MIN_SHOWN_SIDE, sheet

if TYPE_CHECKING:
    from metrics.bench import Bench

NUM_SHOWN = 3  # neighbours a row of the figure, by pixels and by features
PIXEL_SIDE = 32  # pixels are compared at this size: a shift by one pixel must not hide a copy
_RESAMPLES = 1000
_ROWS = 8  # of the figure


class Memorisation(Metric):
    """Probability that a generated image is nearer to the training set than a photograph that is not in the set.

    0.5: as far away as new photographs. 1: nearer than any new photograph, as copies are. Below 0.5: far from the data.
    Distances are to the nearest training image, by Inception features and by pixels; if training mirrored images, mirrored
    ones count as well. The new photographs are the held-out dataset; without one, training images are compared with all
    others ("leave one out"; exact duplicates do not count as neighbours).

    A few copies among poor images do not change this probability. "copies" is therefore the share of generated images that are
    nearer to a training image, mirrored or not, than any new photograph is, by either distance: noise changes features much
    and pixels little, a shift does the reverse.

    Source: the test of Meehan et al. 2020, arXiv:2004.05675, over the whole space.
    """

    stem = "memorisation"
    default_images = 1_000
    is_default_named = False
    aliases: ClassVar = {"nn": "memorisation"}
    examples = "memorisation, nn"
    summary = "nearest training images, as a figure and as a test"
    scale = "the figure shows whether generated images equal their nearest training images"
    protocol_summary = "distances by features and by pixels, against held-out images or training images left out one at a time"
    needs = frozenset({Need.FEATURES, Need.REALS})
    # Copies have the highest values, and networks far from the data the lowest.
    values = tuple(Value(part, lower_is_better=None) for part in ("features", "pixels", "copies", "copies_features", "copies_pixels"))
    uses_held_out = True
    least_reals = MIN_IMAGES

    def score(self, bench: "Bench") -> Score:
        fakes = generated_set(bench, self.num_images)
        unseen = unseen_set(bench, self.num_images)
        values, nearest, copies = {}, {}, {}
        for kind in ("features", "pixels"):
            fake_search = NearestSearch(getattr(fakes, kind), NUM_SHOWN)
            other_search = NearestSearch(getattr(unseen, kind), 1, skip_equal=True, own_numbers=unseen.own_numbers)
            # Where training did not mirror, mirrored copies are found by mirroring the images: they are fewer than the training set.
            flipped = [] if bench.is_mirrored else [
                NearestSearch(getattr(fakes.flipped, kind), 1),
                NearestSearch(getattr(unseen.flipped, kind), 1, skip_equal=True, own_numbers=unseen.own_numbers),
            ]  # fmt: skip
            for is_mirrored in (False, True) if bench.is_mirrored else (False,):
                for numbers, batch in training_set(bench, kind, is_mirrored=is_mirrored):
                    for search in (fake_search, other_search, *flipped):
                        search.add(batch, numbers)
            nearest[kind] = fake_search
            to_fakes, to_others = fake_search.distances[:, 0], other_search.distances[:, 0]
            if flipped:
                to_fakes, to_others = (np.minimum(d, s.distances[:, 0]) for d, s in zip((to_fakes, to_others), flipped, strict=True))
            copies[kind] = to_fakes < to_others.min()
            values[f"{self.name}_{kind}"] = nearness(fake_search.distances[:, 0], other_search.distances[:, 0], seed=bench.options.seed)
        shares = {"copies": copies["features"] | copies["pixels"], **{f"copies_{kind}": found for kind, found in copies.items()}}
        values |= {f"{self.name}_{part}": proportion(found, ", held-out images fixed") for part, found in shares.items()}
        side = min(PIXEL_SIDE, bench.resolution)
        protocol = {
            **bench.feature_protocol(), "num_fakes": self.num_images, "num_held_out": len(unseen.features),
            "held_out": unseen.origin, "num_reals": bench.dataset.num_images, "mirrored_reals": bench.is_mirrored,
            "pixels": f"{side}x{side}",
        }  # fmt: skip
        return Score(values, protocol | self.request(bench), figure(bench, nearest))

    @classmethod
    def cost(cls) -> str:
        return "a generated image and two passes of Inception (mirrored images, too); once, a pass for each training image"

    def request(self, bench: "Bench") -> dict[str, Json]:
        return {"copies": "nearer than any held-out image, mirrored or not"}


def nearness(fakes: np.ndarray, others: np.ndarray, *, seed: int) -> Estimate:
    """Probability that a fake's distance is the smaller one, ties counted half, from distances [N] and [M]."""
    rng = np.random.default_rng([seed, 0x22])
    others = np.sort(others)

    def probability(sample: np.ndarray, sorted_others: np.ndarray) -> float:
        above = len(sorted_others) - np.searchsorted(sorted_others, sample, side="right")
        equal = len(sorted_others) - np.searchsorted(sorted_others, sample, side="left") - above
        return float(np.mean(above + equal / 2) / len(sorted_others))

    draws = [probability(rng.choice(fakes, len(fakes)), np.sort(rng.choice(others, len(others)))) for _ in range(_RESAMPLES)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return Estimate(probability(fakes, others), float(low), float(high), f"bootstrap of both sets, {_RESAMPLES:,} draws")


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """A set of images as features and as small pixels."""

    features: np.ndarray  # float32 [N, 2048]
    pixels: np.ndarray  # float32 [N, S * S * C] in [0, 1]
    own_numbers: np.ndarray | None  # int [N], numbers in the training set, None for other images
    origin: str  # its name in a protocol
    flipped: "ImageSet | None" = None  # the same images mirrored, None where the training set is mirrored instead


def small_pixels(images: np.ndarray) -> np.ndarray:
    """uint8 [N, R, R, C] to means of areas [N, S * S * C] in [0, 1], S at most 32."""
    count, side, _, _ = images.shape
    small = min(side, PIXEL_SIDE)
    edges = np.arange(small + 1) * (side / small)
    pixels = np.arange(side)
    # The share of each pixel in each area: not blocks of whole pixels for sides that 32 does not divide.
    shares = np.clip(np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels), 0, 1) * (small / side)  # [S, R]
    means = np.einsum("sr,nrqc,tq->nstc", shares.astype(np.float32), images.astype(np.float32), shares.astype(np.float32), optimize=True)
    return means.reshape(count, -1) / 255


def generated_set(bench: "Bench", num_images: int) -> ImageSet:
    """The generated images."""
    features = bench.all_generated_features(num_images)
    pixels = bench.of_images("pixels", {"side": PIXEL_SIDE}, num_images, lambda _, images: small_pixels(images.numpy()), "fakes, pixels")
    flipped = None
    if not bench.is_mirrored:
        protocol = bench.feature_protocol()
        rows = bench.of_images(
            "flipped", protocol, num_images, lambda worker, images: worker.features(images[:, :, ::-1]), "fakes, mirrored"
        )
        flipped = ImageSet(rows, flip_pixels(pixels, bench.channels), None, "generated")
    return ImageSet(features, pixels, None, "generated", flipped)


def flip_pixels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Mirrors rows of `small_pixels`."""
    side = round((pixels.shape[1] / channels) ** 0.5)
    return pixels.reshape(-1, side, side, channels)[:, :, ::-1].reshape(pixels.shape)


def unseen_set(bench: "Bench", num_images: int) -> ImageSet:
    """Photographs that were not used in training; without a held-out dataset, some training images, each compared with all others."""
    dataset = bench.held_out or bench.dataset
    chosen = _spread(dataset.num_images, num_images)
    if bench.held_out:
        own_numbers, origin = None, f"{dataset.name}/{dataset.digest}"
        features = features_once(bench, chosen)
    else:
        own_numbers, origin = chosen, "leave one out"  # their features are part of those of the training set
        features = np.concatenate([rows[np.isin(numbers, chosen)] for numbers, rows in training_set(bench, "features", is_mirrored=False)])
    parts = [chosen[start : start + CHUNK] for start in range(0, len(chosen), CHUNK)]
    pixels = np.concatenate([small_pixels(read_images(dataset, part, bench.resolution, bench.channels)) for part in parts])
    flipped = None
    if not bench.is_mirrored:
        mirrored = features_once(bench, chosen, is_mirrored=True)
        flipped = ImageSet(mirrored, flip_pixels(pixels, bench.channels), own_numbers, origin)
    return ImageSet(features, pixels, own_numbers, origin, flipped)


def features_once(bench: "Bench", chosen: np.ndarray, *, is_mirrored: bool = False) -> np.ndarray:
    """float32 [n, 2048] of held-out images by number, or, without a held-out dataset, of training images."""
    return np.concatenate([rows for _, rows in bench.real_features(_each_once(chosen, is_mirrored), bench.held_out)])


def _spread(num_in_dataset: int, num_images: int) -> np.ndarray:
    """Numbers of up to `num_images` images, evenly spread, because records may be sorted by class."""
    return np.unique(np.linspace(0, num_in_dataset - 1, min(num_images, num_in_dataset)).astype(np.int64))


def _each_once(numbers: np.ndarray, is_mirrored: bool = False) -> RealSelection:
    count = len(numbers)
    return RealSelection(numbers, np.full(count, is_mirrored), np.ones(count, int), count)


def training_set(bench: "Bench", kind: str, *, is_mirrored: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields (image numbers, rows) of the whole training set, as features or as pixels."""
    count = bench.dataset.num_images
    selection = _each_once(np.arange(count), is_mirrored)
    if kind == "features":
        chunks = bench.real_features(selection)
    else:
        rows = [slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
        read = (real_images.read(bench.dataset, selection.keys[part], bench.resolution, bench.channels) for part in rows)
        chunks = ((part.start, small_pixels(images)) for part, images in zip(rows, read, strict=True))
    for start, batch in chunks:
        yield np.arange(start, start + len(batch)), batch


def figure(bench: "Bench", nearest: dict[str, NearestSearch]) -> np.ndarray:
    """uint8 [H, W, C]: the generated images nearest to the training set, each with its neighbours by pixels and by features."""
    side, pictures = min(bench.resolution, MIN_SHOWN_SIDE), []
    for row in np.argsort(nearest["features"].distances[:, 0], kind="stable")[:_ROWS]:
        numbers = [*nearest["pixels"].numbers[row], *nearest["features"].numbers[row]]
        generated = fit_image(_generated_image(bench, int(row)), side, "center-crop", fill=(255,) * bench.channels)
        pictures += [generated, *read_images(bench.dataset, numbers, side, bench.channels)]
    names = ["generated"]
    for kind in ("pixels", "features"):
        names += [f"nearest by {kind}", *[""] * (NUM_SHOWN - 1)]
    return sheet(np.stack(pictures), len(names), column_names=names)


def _generated_image(bench: "Bench", number: int) -> np.ndarray:
    """One generated image, generated again."""
    chunk, place = divmod(number, CHUNK)
    for rows, images in bench.workers[0].generated.batches(chunk):
        if rows.start <= place < rows.stop:
            return images[place - rows.start].numpy()
    raise ValueError(f"No generated image {number}")
