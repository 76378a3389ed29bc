"""A folder or archive of pictures, read as the images of a dataset are, without writing records."""

import functools
import hashlib
import os
from collections.abc import Sequence

import numpy as np

from stylegan_tf.data.intake.check_images import KINDS, check_images
from stylegan_tf.data.intake.colour import background_pixel, to_channels
from stylegan_tf.data.intake.decode import GREY, decode_image_file
from stylegan_tf.data.intake.find_labels import find_labels
from stylegan_tf.data.intake.fit import fit_image
from stylegan_tf.data.intake.labels import Labels
from stylegan_tf.data.intake.pillow_files import MAX_PIXELS
from stylegan_tf.data.intake.prepare import list_unusable
from stylegan_tf.data.sources import UnusableImage, open_images
from stylegan_tf.display import visible
from stylegan_tf.errors import UserError
from stylegan_tf.parallel import parallel_map
from stylegan_tf.progress_bar import track

_WHITE = (255, 255, 255)  # behind transparent pixels, as `read_picture` has it
_HINT = "Correct the file, or remove it."  # these programs have no option for labels
_MAX_LISTED = 5  # unusable pictures in a message


class PictureSet:
    """Pictures of any sizes and formats, brought to one size and one number of channels when they are read.

    All files are decoded once here, so that a damaged one is found before any slow work. It is left out, and `notes` says so.

    Args:
        path: folder, zip or tar.
        max_pixels: larger pictures are left out, see `pillow_files.check_size`; None for 128 million.

    Attributes:
        name: of the folder or archive.
        num_images: usable pictures.
        sides: int [num_images], the shorter side of each.
        is_square: bool [num_images].
        natural_channels: 1 if all pictures are grey, otherwise 3.
        labels: float32 [num_images, label_size] from the names of subfolders; label_size is 0 without them.
        class_names: of the labels.
        notes: sentences on pictures left out.

    Raises:
        MissingFileError: no such path.
        UserError: not a folder or archive, or no usable picture in it; the message names the files.
    """

    def __init__(self, path: str | os.PathLike, max_pixels: int | None = None):
        self._max_pixels = max_pixels or MAX_PIXELS
        self.path, self.name = path, visible(os.path.basename(os.path.normpath(path)))
        self._source = open_images(path)
        if not len(self._source):
            found = f"; {self._source.other_files.describe()}" if self._source.other_files.total else ""
            raise UserError(f"{visible(path)} contains no pictures{found}.")
        checked = check_images(self._source, range(len(self._source)), Labels(None), max_pixels=self._max_pixels)
        listing = " ".join(line.strip() for line in list_unusable(self._source, checked.unusable, _MAX_LISTED))
        if not len(checked.indices):
            raise UserError(f"None of the {len(self._source)} pictures of {visible(path)} can be used: {listing}")
        self.notes = (
            (f"{len(checked.unusable)} of {len(self._source)} pictures of {self.name} cannot be used and are left out: {listing}",)
            if checked.unusable
            else ()
        )
        self._items, self.num_images = checked.indices, len(checked.indices)
        self.sides, self.is_square = np.minimum(checked.heights, checked.widths), checked.heights == checked.widths
        self.natural_channels = 1 if bool((checked.kinds == KINDS.index(GREY)).all()) else 3
        self.labels, self.class_names = self._find_labels()

    @property
    def label_size(self) -> int:
        """Numbers in a label, 0 without labels."""
        return self.labels.shape[1]

    def _find_labels(self) -> tuple[np.ndarray, tuple[str, ...]]:
        """Classes by the names of subfolders, where every picture lies in one."""
        found = find_labels(self._source, hint=_HINT)
        if found.values is None or found.values.ndim != 1 or (found.values[self._items] < 0).any():
            return np.zeros((self.num_images, 0), np.float32), ()
        return np.eye(len(found.class_names), dtype=np.float32)[found.values[self._items]], found.class_names

    @functools.cached_property
    def digest(self) -> str:
        """Identifies the pictures and their order by the content of the files: "pictures:" and 24 hexadecimal digits."""

        def of(item: int) -> bytes:
            content = self._content(item)
            return hashlib.sha256(content if isinstance(content, bytes) else content.tobytes()).digest()

        parts = track(parallel_map(of, self._items.tolist()), self.num_images, "Reading files")
        return f"pictures:{hashlib.sha256(b''.join(parts)).hexdigest()[:24]}"

    def _content(self, item: int) -> bytes | np.ndarray:
        try:
            return self._source.read(item)
        except UnusableImage as problem:
            raise self._changed(item, problem) from None

    def _changed(self, item: int, problem: UnusableImage) -> UserError:
        return UserError(f"{visible(self._source.names[item])} of {visible(self.path)} has changed since it was checked: {problem}.")

    def read(self, indices: Sequence[int] | np.ndarray, resolution: int, channels: int) -> np.ndarray:
        """Pictures by number: the largest square in the middle, resampled where its side is not `resolution`.

        Args:
            indices: from 0 to num_images - 1.
            resolution: side in pixels.
            channels: 1, 3 or 4.

        Returns:
            uint8 [n, resolution, resolution, channels].
        """

        def load(index: int) -> np.ndarray:
            item = int(self._items[index])
            content = self._content(item)
            try:
                decoded = decode_image_file(content, self._max_pixels)
            except UnusableImage as problem:
                raise self._changed(item, problem) from None
            pixels = to_channels(decoded.pixels, channels, _WHITE)
            return fit_image(pixels, resolution, "center-crop", fill=background_pixel(channels, _WHITE))

        return np.stack(list(parallel_map(load, np.asarray(indices).tolist())))
