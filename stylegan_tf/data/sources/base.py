"""The interface of every source of images: named items in a fixed order, each readable on its own and from any thread."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stylegan_tf.display import visible
from stylegan_tf.errors import UserError

MAX_FILE_BYTES = 512 << 20  # of one image file; larger ones are not read
LABELS_NAME = "dataset.json"  # beside the images, as stylegan2-ada writes it
HIDDEN, NOT_AN_IMAGE = "hidden file", "not an image file"  # reasons for ignoring a file
_NUM_EXAMPLES = 20
MAX_UNPACKED_BYTES = 2 << 30  # of a file that is read into memory as a whole
MAX_ITEMS = 10_000_000  # images of one source; each takes about 300 bytes of memory
_BOMB_BYTES = 64 << 20  # more must not be unpacked than _BOMB_RATIO times the packed size: images are never that repetitive
_BOMB_RATIO = 200


class UnusableImage(Exception):  # noqa: N818 - not an error of the program: it becomes a line of the report
    """One item cannot be used. `reason` is one of a few phrases that reports count; the message may add details."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


@dataclasses.dataclass
class OtherFiles:
    """Files that are not images: how many for each reason, with some of their names.

    `label_files`: names of all files called dataset.json that are not hidden, each with its reason.
    """

    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    examples: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    label_files: dict[str, str] = dataclasses.field(default_factory=dict)

    def add(self, name: str, reason: str) -> None:
        """Counts a file that is ignored."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        if name.rpartition("/")[2] == LABELS_NAME and reason != HIDDEN:
            self.label_files[name] = reason
        examples = self.examples.setdefault(reason, [])
        if len(examples) < _NUM_EXAMPLES:
            examples.append(visible(name))

    def describe(self) -> str:
        """A phrase such as "12 other files ignored: 10 not an image file, 2 hidden file"."""
        reasons = sorted(self.counts.items(), key=lambda item: -item[1])
        return f"{self.total} other files ignored: {', '.join(f'{count} {reason}' for reason, count in reasons)}"

    @property
    def total(self) -> int:
        """Number of all these files."""
        return sum(self.counts.values())


def is_bomb(num_bytes: int, packed_bytes: int) -> bool:
    """Whether data unpacks to so many times its size that it cannot consist of images."""
    return num_bytes > _BOMB_BYTES and num_bytes > _BOMB_RATIO * max(packed_bytes, 1)


def check_unpacked(path: Path, num_bytes: int) -> None:
    """Raises UserError for a file whose data are larger than is supported, or expand to more than 200 times its size."""
    packed = path.stat().st_size
    if num_bytes > MAX_UNPACKED_BYTES or is_bomb(num_bytes, packed):
        raise UserError(
            f"{path} unpacks to {num_bytes:,} bytes or more. At most {MAX_UNPACKED_BYTES:,} are read, and at most {_BOMB_RATIO} times "
            f"the {packed:,} bytes of the file."
        )


def check_items(count: int, title: object) -> None:
    """Raises UserError for more images than one source may have."""
    if count > MAX_ITEMS:
        raise UserError(f"{title} has more than {MAX_ITEMS:,} images. Divide it into several datasets.")


class CropBox(NamedTuple):
    """The square of `side` pixels around (centre_x, centre_y)."""

    centre_x: int
    centre_y: int
    side: int


class Source:
    """Images in a fixed order.

    Attributes:
        title: name in messages, in most cases its path.
        names: of the items, "/" between folders, in the original's order (sorted).
        other_files: files found beside the images.
        labels: [n] class numbers or float [n, label_size] that come with the source, or None.
        class_names: of these labels, or ().
        crop_box: square to crop out of every image, or None.
        is_checked: True if the items are arrays of one known shape, so that nothing needs to be verified.
    """

    title: str = ""
    names: Sequence[str] = ()
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    crop_box: CropBox | None = None
    is_checked = False

    def __init__(self) -> None:
        self.other_files = OtherFiles()

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> bytes | np.ndarray:
        """The bytes of an image file, or a decoded uint8 [H, W, C].

        Raises:
            UnusableImage: it cannot be read.
        """
        raise NotImplementedError

    def side_file(self, name: str) -> bytes | None:
        """Content of a file beside the images, such as dataset.json; None if there is none."""
        return None

    def tables(self) -> dict[str, str]:
        """Texts to be written to the dataset folder beside the records, by file name."""
        return {}

    def close(self) -> None:
        """Closes open files."""

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ArraySource(Source):
    """An array of images of one shape.

    Args:
        title: see `Source`.
        images: uint8 [n, H, W, C].
        labels, class_names: see `Source`.
    """

    is_checked = True

    def __init__(self, title: str, images: np.ndarray, *, labels: np.ndarray | None = None, class_names: Sequence[str] = ()):
        super().__init__()
        self.title, self.images, self.labels, self.class_names = title, images, labels, tuple(class_names)
        self.names = numbered_names(len(images))

    def read(self, index: int) -> np.ndarray:
        """Image `index`, uint8 [H, W, C]."""
        return np.asarray(self.images[index])


def numbered_names(count: int) -> list[str]:
    """Names for images without one: img00000000, img00000001, ..."""
    return [f"img{index:08d}" for index in range(count)]
