"""Sets of images that are scored without a network, or scored against: datasets of records, folders and archives of pictures."""

import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from metrics.features.store import CHUNK
from metrics.options import Json, Options
from stylegan_tf import data
from stylegan_tf.data.intake.colour import to_channels
from stylegan_tf.data.intake.fit import fit_image
from stylegan_tf.display import visible
from stylegan_tf.errors import MissingFileError, UserError

if TYPE_CHECKING:
    import tensorflow as tf

ImageSet = data.Dataset | data.PictureSet

_ORDER = 7  # stream of random numbers; metrics/generated.py has 1 to 3, real_images.py 4 and 6, path lengths 5
_MIN_SIDE, _MAX_SIDE = 4, 2048


def open_image_set(path: str | os.PathLike, max_pixels: int | None = None) -> ImageSet:
    """A dataset where the folder holds records, otherwise a folder, zip or tar of pictures, see `PictureSet`.

    Raises:
        UserError: neither; the message names the path.
    """
    if not os.path.exists(path):
        raise MissingFileError(f"There is no dataset, folder or archive {visible(path)}.")
    if os.path.isdir(path) and any(Path(path).glob("*.tfrecords")):
        return data.open_dataset(path)
    return data.PictureSet(path, max_pixels)


def read_images(images: ImageSet, indices: Sequence[int] | np.ndarray, resolution: int, channels: int) -> np.ndarray:
    """uint8 [n, resolution, resolution, channels]: of the records of that size where there are such, otherwise resampled."""
    if isinstance(images, data.PictureSet):
        return images.read(indices, resolution, channels)
    is_level = resolution in images.resolutions
    found = data.read_images(images, indices, resolution if is_level else None)
    if is_level and channels == images.channels:
        return found
    fill = (255,) * channels  # no padding with this fit
    return np.stack([fit_image(to_channels(image, channels, (255, 255, 255)), resolution, "center-crop", fill=fill) for image in found])


@dataclasses.dataclass(frozen=True)
class ScoredImages:
    """Images from elsewhere in the place of a network's: all are read at one size and with the same number of channels."""

    images: ImageSet
    resolution: int  # side in pixels, of these and of the real images
    channels: int  # 1, 3 or 4
    nimg: int = 0

    @property
    def source(self) -> str:
        """Name in a result."""
        return str(self.images.path)

    @property
    def label_size(self) -> int:
        """Numbers in a label, 0 without labels."""
        return self.images.label_size

    @functools.cached_property
    def protocol(self) -> dict[str, Json]:
        """What a result says of the images."""
        found = {"images": self.images.digest, "resolution": self.resolution, "available": self.images.num_images}
        return found | _resampled(self.images, self.resolution, "images")


def choose(images: ImageSet, reals: ImageSet, resolution: int | None = None) -> ScoredImages:
    """Chooses the size and the channels at which two sets are compared.

    Args:
        images: to be scored.
        reals: to be scored against.
        resolution: side in pixels; None for the smaller of the two sets' usual sides.

    Raises:
        UserError: a resolution outside of the range.
    """
    side = min(usual_side(images), usual_side(reals)) if resolution is None else resolution
    if not _MIN_SIDE <= side <= _MAX_SIDE:
        raise UserError(f"Images are compared at {_MIN_SIDE} to {_MAX_SIDE} pixels a side. Received: {side}. Set it with --resolution.")
    datasets = [each for each in (reals, images) if isinstance(each, data.Dataset)]
    channels = datasets[0].channels if datasets else max(images.natural_channels, reals.natural_channels)
    return ScoredImages(images, side, channels)


def usual_side(images: ImageSet) -> int:
    """The resolution of a dataset; of pictures the shorter side that most of them have."""
    if isinstance(images, data.Dataset):
        return images.resolution
    sides, counts = np.unique(images.sides, return_counts=True)
    return int(sides[counts.argmax()])


def _resampled(images: ImageSet, resolution: int, name: str) -> dict[str, Json]:
    """How many images of a set have another size or shape than they are compared at."""
    if isinstance(images, data.Dataset):
        count = 0 if resolution in images.resolutions else images.num_images
    else:
        count = int(((images.sides != resolution) | ~images.is_square).sum())
    return {f"resampled_{name}": count} if count else {}


def notes(scored: ScoredImages, reals: ImageSet) -> tuple[str, ...]:
    """Sentences on what was done to the images of both sets before they were compared."""
    found = []
    for images in (scored.images, reals):
        if not isinstance(images, data.PictureSet):
            continue
        found += images.notes
        cropped, enlarged = int((~images.is_square).sum()), int((images.sides < scored.resolution).sum())
        if cropped:
            found.append(f"{cropped:,} pictures of {images.name} are not square: the central square of each is used")
        if enlarged:
            found.append(f"{enlarged:,} pictures of {images.name} were enlarged to {scored.resolution} pixels")
    return tuple(found)


def real_protocol(reals: ImageSet, resolution: int) -> dict[str, Json]:
    """What a result says of real images that are not the records of a dataset at that size."""
    return _resampled(reals, resolution, "reals")


class ImageBatches:
    """The images of a set in the order in which they are scored: the counterpart of `generated.Generated`.

    The order is random by seed, so that the first images are a sample of all, and parts for intervals are not classes.

    Args:
        scored: the images.
        options: seed and batch size.
        device: name, such as "/GPU:1".

    Attributes:
        advance: called with the number of images after each batch.
    """

    def __init__(self, scored: ScoredImages, options: Options, device: str):
        self.scored, self.device = scored, device
        self.batch_size = options.batch_size_for(scored.resolution)
        self.advance: Callable[[int], None] = lambda count: None
        self._order = np.random.default_rng([options.seed, _ORDER]).permutation(scored.images.num_images)

    def labels(self, chunk: int) -> np.ndarray | None:
        """float32 labels [up to CHUNK, label_size] of a chunk; None without labels."""
        labels = self.scored.images.labels
        return np.asarray(labels[self._order[chunk * CHUNK : (chunk + 1) * CHUNK]]) if self.scored.label_size else None

    def batches(self, chunk: int, count: int = CHUNK) -> Iterator[tuple[slice, "tf.Tensor"]]:
        """Yields (slice of the chunk, uint8 images [n, R, R, C]) for a chunk."""
        import tensorflow as tf

        for start in range(0, count, self.batch_size):
            rows = slice(start, min(start + self.batch_size, count))
            chosen = self._order[chunk * CHUNK + rows.start : chunk * CHUNK + rows.stop]
            yield rows, tf.convert_to_tensor(read_images(self.scored.images, chosen, self.scored.resolution, self.scored.channels))
            self.advance(rows.stop - rows.start)
