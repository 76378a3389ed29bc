"""The first of two passes over a source: every image is read, verified where asked, and its size, kind and hashes are kept."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from stylegan_tf.data.intake.decode import ALPHA, COLOUR, GREY, Decoded, decode_image_file, verify_image_file
from stylegan_tf.data.intake.dedupe import Fingerprint, fingerprint
from stylegan_tf.data.intake.glance import glance
from stylegan_tf.data.intake.label_values import Labels
from stylegan_tf.data.sources import Source, UnusableImage
from stylegan_tf.parallel import parallel_map
from stylegan_tf.progress_bar import track

KINDS = (GREY, COLOUR, ALPHA)


class Facts(NamedTuple):
    """What the check found out about one image: (height, width) as it will be used, its kind, notes, hashes if asked for."""

    size: tuple[int, int]
    kind: str
    notes: tuple[str, ...] = ()
    print: Fingerprint | None = None


class CheckedImages:
    """Result of the first pass: a few bytes for every usable image, and a line for every other.

    Attributes:
        indices: int64 [n], usable items of the source, ascending.
        heights, widths: int32 [n].
        kinds: uint8 [n], places in KINDS.
        prints: fingerprints of the usable images, or [].
        unusable: (item, reason, message) of the others.
        notes: how many images something was noted of.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[int, int, int, int]] = []
        self.prints: list[Fingerprint] = []
        self.unusable: list[tuple[int, str, str]] = []
        self.notes: Counter[str] = Counter()

    def add(self, index: int, facts: Facts | UnusableImage) -> None:
        """Takes the result of one image."""
        if isinstance(facts, UnusableImage):
            self.unusable.append((index, facts.reason, str(facts)))
            return
        self._rows.append((index, *facts.size, KINDS.index(facts.kind)))
        self.notes.update(facts.notes)
        if facts.print is not None:
            self.prints.append(facts.print)

    def finish(self) -> "CheckedImages":
        """Turns rows into arrays."""
        rows = np.array(self._rows, np.int64).reshape(-1, 4)
        self.indices, self.heights, self.widths, self.kinds = rows.T.copy()
        self._rows = []
        return self

    def drop(self, places: Sequence[int] | np.ndarray, reason: str, message: Callable[[int], str]) -> None:
        """Makes usable images unusable, by their places in `indices`; `message` gets the place."""
        self.lose([(int(self.indices[place]), reason, message(int(place))) for place in places])

    def lose(self, entries: Sequence[tuple[int, str, str]]) -> None:
        """Makes usable images unusable: (item, reason, message) of each."""
        self.unusable += entries
        keep = ~np.isin(self.indices, [index for index, _, _ in entries])
        self.indices, self.heights, self.widths, self.kinds = (a[keep] for a in (self.indices, self.heights, self.widths, self.kinds))
        if self.prints:
            self.prints = [kept for kept, is_kept in zip(self.prints, keep, strict=True) if is_kept]


def check_images(
    source: Source,
    indices: Sequence[int],
    labels: Labels,
    *,
    crop: Callable[[Decoded, str], Decoded] | None = None,
    with_prints: bool = False,
    decode_all: bool = True,
    workers: int | None = None,
) -> CheckedImages:
    """Reads and verifies images, showing progress.

    Args:
        source: of the images.
        indices: which of its items, ascending.
        labels: an image that has none where others do is unusable.
        crop: cuts the object out of an image; what it returns decides the size.
        with_prints: compute fingerprints for finding duplicates.
        decode_all: verify all of every file; else what `glance` knows is taken from the header.
        workers: threads; None takes one for each processor.
    """

    def check(index: int) -> Facts | UnusableImage:
        try:
            if not labels.has(index):
                raise UnusableImage("no label")
            content = source.read(index)
            shape = None if decode_all or not isinstance(content, bytes) else glance(content)
            return _facts_of_shape(shape) if shape else _facts(content, source.names[index], crop, with_prints)
        except UnusableImage as problem:
            return problem.with_traceback(None)  # a kept traceback would keep the image in memory

    checked = CheckedImages()
    results = parallel_map(check, indices, workers)
    for index, facts in zip(indices, track(results, len(indices), "Checking" if decode_all else "Looking through"), strict=True):
        checked.add(int(index), facts)
    return checked.finish()


def assume_checked(source: Source, indices: Sequence[int]) -> CheckedImages:
    """For a source of arrays of one shape: what the check would find, from the first image."""
    checked = CheckedImages()
    height, width, channels = source.read(int(indices[0])).shape
    kind = {1: GREY, 3: COLOUR, 4: ALPHA}[channels]
    for index in indices:
        checked.add(int(index), Facts((height, width), kind))
    return checked.finish()


def _facts(content: bytes | np.ndarray, name: str, crop: Callable | None, with_prints: bool) -> Facts:
    if not isinstance(content, bytes):
        decoded = from_array(content)
    elif crop is None and not with_prints:
        known = verify_image_file(content)
        if not isinstance(known, Decoded):
            return _facts_of_shape(known)
        decoded = known
    else:
        decoded = decode_image_file(content)
    if crop:
        decoded = crop(decoded, name)
    return Facts(decoded.size, decoded.kind, decoded.notes, fingerprint(decoded.pixels) if with_prints else None)


def _facts_of_shape(shape: tuple[int, int, int]) -> Facts:
    """Of a grey or colour image, opaque, of which nothing is to be noted."""
    return Facts(shape[:2], GREY if shape[2] == 1 else COLOUR)


def from_array(pixels: np.ndarray) -> Decoded:
    """A decoded image from pixels that need no decoding."""
    return Decoded(pixels, {1: GREY, 3: COLOUR, 4: ALPHA}[pixels.shape[2]], pixels.shape[:2])
