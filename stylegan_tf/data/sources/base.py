"""What every source of images offers: a fixed order of named items, each read on its own and from any thread."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MAX_FILE_BYTES = 512 << 20  # one image file; nothing larger is read into memory
_NUM_EXAMPLES = 20


class UnusableImage(Exception):  # noqa: N818 - not a fault of the program: it becomes a line of the report
    """Why one item cannot be used. `reason` is one of a few phrases that reports count; the message may say more."""

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


@dataclasses.dataclass
class Strangers:
    """Files that are no images: how many for each reason, with some of their names."""

    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    examples: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def add(self, name: str, reason: str) -> None:
        """Counts a file that is left aside."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < _NUM_EXAMPLES:
            examples.append(printable(name))

    @property
    def total(self) -> int:
        """Number of all strangers."""
        return sum(self.counts.values())


class CropBox(NamedTuple):
    """The square of `side` pixels around (centre_x, centre_y)."""

    centre_x: int
    centre_y: int
    side: int


class Source:
    """Images in a fixed order.

    Attributes:
        title: what is said of it in messages, mostly its path.
        names: of the items, "/" between folders, in the original's order (sorted).
        strangers: what was found beside the images.
        labels: [n] class numbers or float [n, label_size] that come with the source, or None.
        class_names: of these labels, or ().
        crop_box: square to crop out of every image, or None.
        is_checked: True where the items are arrays of one known shape, so that nothing needs to be verified.
    """

    title: str = ""
    names: Sequence[str] = ()
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    crop_box: CropBox | None = None
    is_checked = False

    def __init__(self) -> None:
        self.strangers = Strangers()

    def __len__(self) -> int:
        return len(self.names)

    def read(self, index: int) -> bytes | np.ndarray:
        """The bytes of an image file, or a decoded uint8 [H, W, C].

        Raises:
            UnusableImage: it cannot be read.
        """
        raise NotImplementedError

    def side_file(self, name: str) -> bytes | None:
        """Content of a file that lies beside the images, such as dataset.json; None where there is none."""
        return None

    def tables(self) -> dict[str, str]:
        """Texts that go into the dataset beside the records, by file name."""
        return {}

    def close(self) -> None:
        """Lets go of open files."""

    def __enter__(self) -> "Source":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ArraySource(Source):
    """Images of one shape that can be indexed, such as an array in memory or in a HDF5 file.

    Args:
        title: see `Source`.
        images: uint8, [n, H, W, C] where indexed with an int gives [H, W, C].
        labels, class_names: see `Source`.
        pad: pixels of zeros put around every image.
    """

    is_checked = True

    def __init__(self, title: str, images: Sequence, *, labels: np.ndarray | None = None, class_names: Sequence[str] = (), pad: int = 0):
        super().__init__()
        self.title, self.images, self.labels, self.class_names, self.pad = title, images, labels, tuple(class_names), pad
        self.names = _Numbered(len(images))

    def read(self, index: int) -> np.ndarray:
        """Image `index`, uint8 [H, W, C]."""
        image = np.asarray(self.images[index])
        return np.pad(image, [(self.pad, self.pad), (self.pad, self.pad), (0, 0)]) if self.pad else image


class _Numbered(Sequence):
    """Names of images that have none: img00000000, img00000001, ..."""

    def __init__(self, count: int):
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < self._count:
            raise IndexError(index)
        return f"img{index:08d}"


def printable(name: str) -> str:
    """A file name that can be printed and stored as UTF-8, whatever bytes it holds."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8").replace("\n", "\\n").replace("\r", "\\r")
