"""A dataset on disk, opened for reading: its properties, labels, and images of every resolution."""

import functools
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylegan_tf.array_files import read_npy
from stylegan_tf.command_line import spelled
from stylegan_tf.data.records.level import Level, RecordFile
from stylegan_tf.data.records.manifest import (
    PARTIAL_SUFFIX,
    Manifest,
    are_classes,
    content_digest,
    file_name,
    labels_name,
    parse_file_name,
    read_manifest,
)
from stylegan_tf.data.records.tfrecords import COPY_AGAIN
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.parallel import parallel_map
from stylegan_tf.resolution import MAX_RESOLUTION, MIN_RESOLUTION, log2

_NUM_LABEL_EXAMPLES = 256
_NUM_THREADS = min(8, os.cpu_count() or 1)


class Dataset:
    """Images of one size, their copies at lower resolutions, and labels. Returned by `open_dataset`.

    Attributes:
        name: prefix of its file names.
        path: folder.
        num_images, resolution, channels: of the largest level.
        encoding: "png", "raw" or "jpeg".
        class_names: tuple of names, () if unknown.
        labels: float32 [num_images, label_size], in the order of the records (mapped from disk; label_size is 0 without labels).
        resolutions: all levels, from 4 up.
        manifest: written with the dataset; None for a dataset made by the original release.
    """

    def __init__(self, path: Path, files: dict[int, Path], manifest: Manifest | None, name: str, labels: np.ndarray | None):
        self.path, self.name, self.manifest = path, name, manifest
        self.resolutions = tuple(sorted(files))
        self.resolution = self.resolutions[-1]
        self._files = files
        self._levels: dict[int, Level] = {}
        top = Level(files[self.resolution], self.resolution)
        self._levels[self.resolution] = top
        self.num_images, self.channels, self.encoding = top.num_images, top.channels, top.encoding
        self.labels = np.zeros((self.num_images, 0), np.float32) if labels is None else labels
        self.class_names = manifest.class_names if manifest else ()

    @property
    def label_size(self) -> int:
        """Numbers in a label, 0 without labels."""
        return self.labels.shape[1]

    @functools.cached_property
    def digest(self) -> str:
        """Identifies images and labels: "sha256:...", from the manifest, or computed from the checksums in the records."""
        if self.manifest:
            return self.manifest.digest
        return self.measured_digest()

    def measured_digest(self) -> str:
        """The digest computed from the present records and labels."""
        return content_digest(
            channels=self.channels,
            resolution=self.resolution,
            encoding=self.encoding,
            checksums=self.level(self.resolution).file.checksums(),
            labels=self.labels if self.label_size else None,
        )

    def level(self, resolution: int) -> Level:
        """Records of one resolution, opened on first use.

        Raises:
            UserError: no such level, or its records do not match the dataset.
        """
        if resolution not in self._files:
            known = ", ".join(map(str, self.resolutions))
            raise UserError(f"{self.path} has no images of {resolution}x{resolution}. It has: {known}")
        if resolution not in self._levels:
            level = Level(self._files[resolution], resolution)
            facts = (level.num_images, level.channels, level.encoding)
            if facts != (self.num_images, self.channels, self.encoding):
                raise UserError(
                    f"{level.file.path} contains {facts[0]} images ({facts[1]} channels, {facts[2]}), but the largest level has "
                    f"{self.num_images} ({self.channels} channels, {self.encoding}). {COPY_AGAIN}"
                )
            self._levels[resolution] = level
        return self._levels[resolution]


def open_dataset(path: str | Path) -> Dataset:
    """Opens a folder of records, ours or the original's, and checks everything that can be checked without reading every image.

    Raises:
        MissingFileError: no such folder, no records in it, or a file or level is missing.
        UserError: a file is truncated, or labels or manifest do not match; the message names the file.
    """
    path = Path(path)
    if not path.is_dir():
        raise MissingFileError(
            f"There is no dataset {path}. Make one: "
            + spelled(f"python dataset_tool.py create_from_images {shlex.quote(str(path))} IMAGE_FOLDER")
        )
    if path.name.endswith(PARTIAL_SUFFIX):
        raise UserError(f"{path} is an unfinished dataset. Delete it, and make the dataset again.")
    return open_folder(path)


def open_folder(path: Path) -> Dataset:
    """`open_dataset` for any name of the folder: also for a dataset that is being written."""
    files, name = _find_levels(path)
    manifest = read_manifest(path)
    if manifest:
        _check_files(path, manifest)
    dataset = Dataset(path, files, manifest, name, _open_labels(path, manifest, name))
    if manifest:
        _check_manifest(dataset, manifest)
    if len(dataset.labels) != dataset.num_images:
        raise UserError(f"{path / labels_name(name)} contains {len(dataset.labels)} labels for {dataset.num_images} images. {COPY_AGAIN}")
    return dataset


def read_images(dataset: Dataset, indices: Sequence[int], resolution: int | None = None) -> np.ndarray:
    """Reads images by their place in the records, for grids, metrics and display.

    Args:
        indices: from 0 to num_images - 1, in any order, repeats allowed.
        resolution: of the level to read; None for the largest.

    Returns:
        uint8 [n, R, R, C].

    Raises:
        UserError: an index outside the dataset, no such level, or a damaged record (names the file and the record).
    """
    level = dataset.level(dataset.resolution if resolution is None else resolution)
    indices = np.asarray(indices, np.int64).reshape(-1)
    outside = indices[(indices < 0) | (indices >= level.num_images)]
    if len(outside):
        raise UserError(f"{dataset.path} has images 0 to {level.num_images - 1}. Received: {outside[0]}")
    images = np.empty((len(indices), level.resolution, level.resolution, level.channels), np.uint8)
    for place, image in enumerate(parallel_map(level.read_image, indices.tolist(), _NUM_THREADS)):
        images[place] = image
    return images


def label_examples(dataset: Dataset) -> np.ndarray | None:
    """Labels of images chosen at random, float32 [at most 256, label_size], to generate with; None where labels are classes."""
    if are_classes(dataset.labels):
        return None
    count = min(dataset.num_images, _NUM_LABEL_EXAMPLES)
    rows = np.sort(np.random.default_rng(0).choice(dataset.num_images, count, replace=False))
    return np.asarray(dataset.labels[rows], np.float32)


def _find_levels(path: Path) -> tuple[dict[int, Path], str]:
    """The record file of every resolution, and the name of the dataset."""
    parsed = {entry: parse_file_name(entry) for entry in path.iterdir()}
    found = {entry: parts for entry, parts in parsed.items() if parts and MIN_RESOLUTION <= parts[1] <= MAX_RESOLUTION}
    if not found and any(path.glob("*-r02-00000-of-*.tfrecords")):
        raise UserError(
            f"{path} was written with --shards by an earlier version: several files for a resolution, which are no longer read. "
            "Make the dataset again from its photographs."
        )
    if not found:
        raise MissingFileError(
            f"{path} contains no record files (NAME-r02.tfrecords and so on). "
            "Make a dataset from the images in it: "
            + spelled(f"python dataset_tool.py create_from_images NEW_FOLDER {shlex.quote(str(path))}")
        )
    names = sorted({name for name, _ in found.values()})
    if len(names) > 1:
        raise UserError(f"{path} contains records of more than one dataset ({', '.join(names)}). Move each into its own folder.")
    top = max(resolution for _, resolution in found.values())
    sides = [1 << exponent for exponent in range(log2(MIN_RESOLUTION), log2(top) + 1)]
    files = {side: path / file_name(names[0], side) for side in sides}
    missing = [file for file in files.values() if file not in found]
    if missing:
        raise MissingFileError(f"{missing[0]} is missing. {COPY_AGAIN}")
    return files, names[0]


def _check_files(path: Path, manifest: Manifest) -> None:
    """Raises UserError if a file listed in the manifest is missing or has another size."""
    for name, num_bytes in manifest.files.items():
        file = path / name
        if not file.is_file():
            raise MissingFileError(f"{file} is missing. {COPY_AGAIN}")
        if file.stat().st_size != num_bytes:
            if parse_file_name(file):
                RecordFile(file)  # for a truncated file, raises an error that names the record
            found = file.stat().st_size
            raise UserError(f"{file} has {found} bytes, expected {num_bytes} from the manifest. {COPY_AGAIN}")


def _check_manifest(dataset: Dataset, manifest: Manifest) -> None:
    """Raises UserError if manifest and records disagree."""
    facts = {
        "name": dataset.name,
        "num_images": dataset.num_images,
        "resolution": dataset.resolution,
        "channels": dataset.channels,
        "encoding": dataset.encoding,
        "label_size": dataset.label_size,
    }
    for key, found in facts.items():
        stated = getattr(manifest, key)
        if stated != found:
            raise UserError(f"{dataset.path}: {key} is {stated} in the manifest, but {found} in the files. {COPY_AGAIN}")
    if manifest.class_names and dataset.label_size not in (0, len(manifest.class_names)):
        raise UserError(
            f"{dataset.path}: the manifest names {len(manifest.class_names)} classes, but labels have "
            f"{dataset.label_size} numbers. {COPY_AGAIN}"
        )


def _open_labels(path: Path, manifest: Manifest | None, name: str) -> np.ndarray | None:
    """Labels mapped from disk, or None if the dataset has none."""
    file = path / labels_name(name)
    if not file.exists():
        if manifest and manifest.label_size:
            raise MissingFileError(f"{file} is missing, but the manifest has label_shape = {list(manifest.label_shape)}. {COPY_AGAIN}")
        return None
    try:
        labels = read_npy(file, is_mapped=True)
    except UserError as error:
        raise UserError(f"{file} is not a label file (a float32 .npy array [images, label_size]): {error}") from error
    if labels.ndim != 2 or labels.dtype != np.float32:
        raise UserError(f"{file} must contain a float32 array [images, label_size]. Received: {labels.dtype} {list(labels.shape)}")
    return labels
