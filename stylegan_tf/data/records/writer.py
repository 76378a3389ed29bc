"""Writes a dataset from images: record files of every resolution, labels and manifest; or nothing at all if there is an error."""

import errno
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from stylegan_tf.data.records.codecs import JPEG_QUALITY, check_encoding
from stylegan_tf.data.records.dataset import Dataset, open_folder
from stylegan_tf.data.records.manifest import Manifest, content_digest, count_labels, labels_name, write_manifest
from stylegan_tf.data.records.target import PartialFolder, check_target
from stylegan_tf.data.records.writing import Encoder, Item, LabelWriter, LevelWriter, Records
from stylegan_tf.display import class_name
from stylegan_tf.errors import UserError
from stylegan_tf.parallel import parallel_map
from stylegan_tf.resolution import check_resolution

_CHUNK_BYTES = 4 << 20  # pixels encoded at once by one thread: enough to hide NumPy's cost per call

# What `DatasetWriter.add_many` accepts.
ImageOrItem = np.ndarray | tuple | Item | None


class DatasetWriter:
    """Builds a dataset under a temporary name and renames it when the `with` block ends without an error.

        with DatasetWriter("datasets/cats", resolution=256, channels=3) as writer:
            writer.add(image)                      # one by one, or
            writer.add_many(items, workers=2)      # in parallel, in the order given

    Memory use does not depend on the number of images. A killed process leaves a hidden folder `.NAME-xxxxxxxxxxxx.partial`,
    which `open_dataset` refuses and `target.clear_leftovers` removes.

    Args:
        target_dir: folder to make; its last part becomes the name of the dataset.
        resolution: side of the images, a power of two from 4 to 1024.
        channels: 1, 3 or 4 (JPEG: 1 or 3).
        encoding: "png" (lossless), "raw" (the original's records), or "jpeg".
        quality: of JPEG, 1 to 100; with the default, all levels together take less than twice the size of typical photographs.
        class_names: names of the classes; labels can then be class numbers.
        overwrite: replace an existing dataset when the new one is complete; anything else at that place is left unchanged.
        made_by: how this dataset was made, for the manifest; any JSON object.

    Raises:
        UserError: invalid values, a target that exists without `overwrite` or is not a dataset, or a full disk.
    """

    def __init__(
        self,
        target_dir: str | os.PathLike,
        *,
        resolution: int,
        channels: int,
        encoding: str = "png",
        quality: int = JPEG_QUALITY,
        class_names: Sequence[str] | None = None,
        overwrite: bool = False,
        made_by: dict[str, Any] | None = None,
    ):
        check_resolution(resolution)
        check_encoding(encoding, channels, quality)
        self.target_dir = Path(os.path.abspath(target_dir))
        self.name = self.target_dir.name
        self.num_images = 0
        self.class_names = tuple(map(class_name, class_names or ()))
        self._encoder = Encoder(resolution=resolution, channels=channels, encoding=encoding, quality=quality)
        self._chunk_size = min(256, max(1, _CHUNK_BYTES // self._encoder.image_bytes))
        self._overwrite, self._made_by = overwrite, dict(made_by or {})
        check_target(self.target_dir, overwrite)
        self._partial = PartialFolder(self.target_dir)
        self._levels: list[LevelWriter] = []
        self._labels = LabelWriter(self._partial.path / labels_name(self.name), len(self.class_names))
        self._completed: Dataset | None = None

    def __enter__(self) -> "DatasetWriter":
        try:
            self._partial.make()
            for resolution in self._encoder.resolutions:
                self._levels.append(LevelWriter(self._partial.path, self.name, resolution))
        except OSError as error:
            self._partial.remove()
            raise UserError(f"{self.target_dir} cannot be created: {error.strerror}") from error
        return self

    def __exit__(self, error_type: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            if error_type is None:
                self.complete()
                check_target(self.target_dir, self._overwrite)
                self._partial.publish()
        except OSError as late_error:
            error = late_error
            raise
        finally:
            for level in self._levels:
                level.close()
            self._labels.close()
            self._partial.remove()
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise UserError(
                    f"The disk of {self.target_dir} is full. Nothing was left there. Free some disk space and try again."
                ) from error

    def add(self, image: np.ndarray, label: np.ndarray | int | None = None, encoded: bytes | None = None) -> None:
        """Adds one image.

        Args:
            image: uint8 [R, R, C].
            label: float [label_size], a class number (with `class_names`), or None; the same kind for every image.
            encoded: the file this image was decoded from, with exactly the pixels of `image`. If it is a JPEG and the dataset holds
                JPEGs, its compressed image becomes the largest level, so that it does not lose quality once more.

        Raises:
            UserError: an image of another shape or type, or a label of another size than those before.
        """
        self._append(*self._encode_chunk([Item(image, label, encoded)]))

    def add_many(self, items: Iterable[ImageOrItem | Callable[[], ImageOrItem]], workers: int | None = None) -> int:
        """Adds images in the order given, encoded by several threads.

        Args:
            items: each an image, a tuple (image, label) or (image, label, encoded) with the arguments of `add`, or a function
                without arguments that returns one of these, called in a worker thread; None is skipped.
            workers: threads; None for one per processor.

        Returns:
            How many images were added.
        """
        before = self.num_images
        for encoded in parallel_map(self._encode_chunk, _chunked(items, self._chunk_size), workers, at_once=1):
            self._append(*encoded)
        return self.num_images - before

    def _encode_chunk(self, chunk: list[ImageOrItem | Callable[[], ImageOrItem]]) -> tuple[list[Item], list[Records]]:
        items = [item for item in map(_as_item, chunk) if item is not None]
        return items, self._encoder.encode(items)

    def _append(self, items: list[Item], levels: list[Records]) -> None:
        """Writes encoded records of every level, and the labels."""
        for item in items:
            self._labels.add(item.label)
        for writer, records in zip(self._levels, levels, strict=True):
            writer.append(records)
        self.num_images += len(items)

    def complete(self) -> Dataset:
        """Writes records, labels and manifest to the disk; nothing can be added to them after that.

        Returns:
            The dataset, in the hidden folder that is renamed when the `with` block ends. Until then, other files, such as a
            report, can be written there.
        """
        if self._completed:
            return self._completed
        if not self.num_images:
            raise UserError(f"No images were added to {self.target_dir}: nothing was written.")
        for level in self._levels:
            level.finish()
        labels = self._labels.finish(self.num_images)
        files = {entry.name: entry.stat().st_size for entry in sorted(self._partial.path.iterdir())}
        top = self._levels[0]
        encoding = self._encoder.encoding
        facts = {"channels": self._encoder.channels, "resolution": top.resolution, "encoding": encoding}
        manifest = Manifest(
            name=self.name,
            num_images=self.num_images,
            label_shape=() if labels is None else labels.shape[1:],
            class_names=self.class_names,
            digest=content_digest(checksums=top.checksums(), labels=labels, **facts),
            files=files,
            class_counts={} if labels is None else count_labels(labels, self.class_names),
            made_by={**self._made_by, **({"quality": self._encoder.quality} if encoding == "jpeg" else {})},
            **facts,
        )
        write_manifest(self._partial.path, manifest)
        self._completed = open_folder(self._partial.path)
        return self._completed


def _as_item(item: ImageOrItem | Callable[[], ImageOrItem]) -> Item | None:
    """What `add_many` accepts, as an Item; None for what is skipped."""
    if callable(item):
        item = item()
    if item is None or isinstance(item, Item):
        return item
    return Item(*item) if isinstance(item, tuple) else Item(item)


def _chunked(items: Iterable, size: int) -> Iterator[list]:
    """Lists of up to `size` items."""
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk
