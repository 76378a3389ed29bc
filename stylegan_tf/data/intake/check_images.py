"""The first of two passes over a source: reads every image, keeps its size, kind and hashes, and sorts out unusable ones."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stylegan_tf.data.intake.crop import Crop
from stylegan_tf.data.intake.decode import ALPHA, COLOUR, GREY, decode_image_file
from stylegan_tf.data.intake.dedupe import Fingerprint, find_duplicates, fingerprint
from stylegan_tf.data.intake.labels import Labels
from stylegan_tf.data.intake.pillow_files import MAX_PIXELS
from stylegan_tf.data.sources.base import Source, UnusableImage
from stylegan_tf.display import visible
from stylegan_tf.parallel import parallel_map
from stylegan_tf.progress_bar import track

KINDS = (GREY, COLOUR, ALPHA)
DUPLICATE = "duplicate"  # reason for skipping an image


class Facts(NamedTuple):
    """Result for one image: (height, width) as it will be used, its kind, notes for the report, and hashes if requested."""

    size: tuple[int, int]
    kind: str
    notes: tuple[str, ...] = ()
    print: Fingerprint | None = None


class CheckedImages:
    """Result of the first pass: a few bytes for every usable image, and a message for every other.

    Attributes:
        indices: int64 [n], usable items of the source, ascending.
        heights, widths: int32 [n].
        kinds: uint8 [n], places in KINDS.
        prints: fingerprints of the usable images, or [].
        unusable: (item, reason, message) of the others.
        notes: number of images by note.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, int]] = []
        self.prints: list[Fingerprint] = []
        self.unusable: list[tuple[int, str, str]] = []
        self.notes: Counter[str] = Counter()

    def add(self, index: int, facts: Facts | UnusableImage) -> None:
        """Adds the result of one image."""
        if isinstance(facts, UnusableImage):
            self.unusable.append((index, facts.reason, str(facts)))
            return
        self._rows.append((index, *facts.size, KINDS.index(facts.kind)))
        self.notes.update(facts.notes)
        if facts.print is not None:
            self.prints.append(facts.print)

    def finish(self) -> "CheckedImages":
        """Converts the results to arrays."""
        rows = np.array(self._rows, np.int64).reshape(-1, 4)
        self.indices, self.heights, self.widths, self.kinds = rows.T.copy()
        self._rows = []
        return self

    def drop(self, places: Sequence[int] | np.ndarray, reason: str, message: Callable[[int], str]) -> None:
        """Marks usable images as unusable, by their places in `indices`; `message` is called with the place."""
        self.unusable += [(int(self.indices[place]), reason, message(int(place))) for place in places]
        keep = np.ones(len(self.indices), bool)
        keep[places] = False
        self.indices, self.heights, self.widths, self.kinds = (a[keep] for a in (self.indices, self.heights, self.widths, self.kinds))
        if self.prints:
            self.prints = [kept for kept, is_kept in zip(self.prints, keep, strict=True) if is_kept]


def check_images(
    source: Source,
    indices: Sequence[int],
    labels: Labels,
    *,
    crop: Crop | None = None,
    with_prints: bool = False,
    max_pixels: int = MAX_PIXELS,
    workers: int | None = None,
) -> CheckedImages:
    """Reads and verifies images, showing progress.

    Args:
        indices: items of the source, ascending.
        labels: an image without a label is unusable if others have one.
        crop: applied to every image; the result determines the size.
        with_prints: compute fingerprints for finding duplicates.
        max_pixels: larger images are unusable, see `pillow_files.check_size`.
        workers: threads; None for one per processor.
    """

    def check(index: int) -> Facts | UnusableImage:
        try:
            if not labels.has(index):
                raise UnusableImage("no label")
            content = source.read(index)
            decoded = decode_image_file(content, max_pixels)
            if crop:
                decoded = crop(decoded, source.names[index])
            return Facts(decoded.size, decoded.kind, decoded.notes, fingerprint(decoded.pixels) if with_prints else None)
        except UnusableImage as problem:
            return problem.with_traceback(None)  # a traceback would keep the image in memory

    checked = CheckedImages()
    results = parallel_map(check, indices, workers)
    for index, facts in zip(indices, track(results, len(indices), "Checking"), strict=True):
        checked.add(int(index), facts)
    return checked.finish()


def assume_checked(source: Source, indices: Sequence[int]) -> CheckedImages:
    """The result of `check_images` for a source of arrays of one shape, from its first image."""
    checked = CheckedImages()
    first = decode_image_file(source.read(int(indices[0])))
    for index in indices:
        checked.add(int(index), Facts(first.size, first.kind))
    return checked.finish()


def drop_duplicates(checked: CheckedImages, source: Source, *, max_distance: int | None) -> None:
    """Marks images as unusable that repeat an earlier one; `max_distance` as in `find_duplicates`."""
    duplicates = {duplicate.place: duplicate for duplicate in find_duplicates(checked.prints, max_distance=max_distance)}
    originals = {place: visible(source.names[int(checked.indices[d.of])]) for place, d in duplicates.items()}

    def message(place: int) -> str:
        distance = duplicates[place].distance
        return f"duplicate: {'the same pixels as' if not distance else f'{distance} bits from'} {originals[place]}"

    checked.drop(sorted(duplicates), DUPLICATE, message)
    checked.prints = []
