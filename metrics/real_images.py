"""The real images of a score: how often each counts, and which are mirrored."""

import dataclasses
import hashlib

import numpy as np

from metrics.image_sets import ImageSet, read_images
from metrics.options import Json

_MIRROR, _SAMPLE = 4, 6  # streams of random numbers; metrics/generated.py has 1 to 3, path lengths 5, image_sets.py 7


@dataclasses.dataclass(frozen=True)
class RealSelection:
    """Real images of a score."""

    indices: np.ndarray  # int [n], number in the dataset
    is_mirrored: np.ndarray  # bool [n]
    counts: np.ndarray  # int [n], how often each counts
    num_distinct: int  # different photographs among them
    is_sampled: bool = False  # whether they are a random sample of a larger dataset

    @property
    def keys(self) -> np.ndarray:
        """int [n], ascending: twice the number in the dataset, plus 1 where mirrored."""
        return self.indices * 2 + self.is_mirrored

    @property
    def total(self) -> int:
        """Images, repetitions counted."""
        return int(self.counts.sum())

    @property
    def protocol(self) -> dict[str, Json]:
        """What a protocol says of a sample; nothing where all images of the dataset count."""
        return {"reals": "sampled by seed"} if self.is_sampled else {}

    @property
    def digest(self) -> str:
        """Digest of the selection."""
        parts = (self.indices.astype("<i8"), self.is_mirrored.astype("?"), self.counts.astype("<i8"))
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:24]


def select(num_in_dataset: int, num_images: int | None, *, is_mirrored: bool, seed: int, repeat: bool = False) -> RealSelection:
    """Chooses real images.

    Args:
        num_in_dataset: size of the dataset.
        num_images: this many, sampled from the whole dataset where it has more (records may be sorted); None: each once.
        is_mirrored: every image is mirrored with probability one half, independently each time it occurs.
        seed: of the sample and of the mirroring.
        repeat: a dataset below `num_images` is repeated, as in the original's fid50k.
    """
    total = num_in_dataset if num_images is None else (num_images if repeat else min(num_images, num_in_dataset))
    is_sampled = total < num_in_dataset
    if is_sampled:
        indices = np.sort(np.random.default_rng([seed, _SAMPLE]).choice(num_in_dataset, total, replace=False))
    else:
        indices = np.arange(total) % num_in_dataset
    coins = np.random.default_rng([seed, _MIRROR]).random(total) < 0.5 if is_mirrored else np.zeros(total, bool)
    keys, counts = np.unique(indices * 2 + coins, return_counts=True)
    return RealSelection(keys // 2, keys % 2 == 1, counts, min(total, num_in_dataset), is_sampled)


def read(dataset: ImageSet, keys: np.ndarray, resolution: int, channels: int) -> np.ndarray:
    """uint8 [n, R, R, C] of some `keys` of a selection."""
    images = read_images(dataset, keys // 2, resolution, channels)
    mirrored = keys % 2 == 1
    images[mirrored] = images[mirrored, :, ::-1]
    return images
