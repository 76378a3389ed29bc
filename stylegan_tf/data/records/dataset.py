"""A dataset on disk, opened: its facts, its labels, and the records of every resolution."""

import functools
from pathlib import Path

import numpy as np

from stylegan_tf.array_files import read_npy
from stylegan_tf.data.records.level import Level
from stylegan_tf.data.records.manifest import Manifest, content_digest, read_manifest
from stylegan_tf.data.records.record_file import RecordFile
from stylegan_tf.data.records.tfrecords import COPY_AGAIN, FileName, file_name, labels_name, parse_file_name
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.resolution import MAX_RESOLUTION, MIN_RESOLUTION, log2

PARTIAL_SUFFIX = ".partial"  # of a folder that is still being written


class Dataset:
    """Images of one size with their smaller levels, and labels. Made by `open_dataset`.

    Attributes:
        name: word in front of its file names.
        path: folder.
        num_images, resolution, channels: of the largest level.
        encoding: "png", "raw" or "jpeg".
        class_names: tuple of names, empty where unknown.
        labels: float32 [num_images, label_size], in the order of the records (mapped from disk; label_size 0 without labels).
        resolutions: all levels, from 4 up.
        manifest: facts as written with the dataset, None for one made by the original.
    """

    def __init__(self, path: Path, files: dict[int, list[Path]], manifest: Manifest | None, name: str, labels: np.ndarray | None):
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
        """Stands for images and labels: "sha256:...", from the manifest or else from the checksums in the records."""
        if self.manifest:
            return self.manifest.digest
        return self.measured_digest()

    def measured_digest(self) -> str:
        """The digest computed from the records and labels as they are now."""
        return content_digest(
            channels=self.channels,
            resolution=self.resolution,
            encoding=self.encoding,
            checksums=self.level(self.resolution).checksums(),
            labels=self.labels if self.label_size else None,
        )

    def level(self, resolution: int) -> Level:
        """Records of one resolution, opened when first asked for.

        Raises:
            UserError: no such level, or its records do not fit the dataset.
        """
        if resolution not in self._files:
            known = ", ".join(map(str, self.resolutions))
            raise UserError(f"{self.path} has no images of {resolution}x{resolution}. It has: {known}")
        if resolution not in self._levels:
            level = Level(self._files[resolution], resolution)
            facts = (level.num_images, level.channels, level.encoding)
            if facts != (self.num_images, self.channels, self.encoding):
                raise UserError(
                    f"{level.files[0].path} holds {facts[0]} images ({facts[1]} channels, {facts[2]}) where the largest level holds "
                    f"{self.num_images} ({self.channels} channels, {self.encoding}). {COPY_AGAIN}"
                )
            self._levels[resolution] = level
        return self._levels[resolution]


def open_dataset(path: str | Path) -> Dataset:
    """Opens a folder of records, ours or the original's, and checks what can be seen without reading every image.

    Raises:
        MissingFileError: no such folder, or no records in it, or a file of it is missing.
        UserError: a level is missing, a file is cut, labels or manifest do not fit; the message names the file.
    """
    path = Path(path)
    if not path.is_dir():
        raise MissingFileError(f"There is no dataset {path}. Make one: python dataset_tool.py create_from_images {path} IMAGE_FOLDER")
    if path.name.endswith(PARTIAL_SUFFIX):
        raise UserError(f"{path} is a dataset whose making was cut off. Delete it, and make it anew.")
    return open_folder(path)


def open_folder(path: Path) -> Dataset:
    """`open_dataset` without a look at the folder's name: for what is being made."""
    files, name = _find_levels(path)
    manifest = read_manifest(path)
    if manifest:
        _check_files(path, manifest)
    dataset = Dataset(path, files, manifest, name, _open_labels(path, manifest, name))
    if manifest:
        _check_manifest(dataset, manifest)
    if len(dataset.labels) != dataset.num_images:
        raise UserError(f"{path / labels_name(name)} holds {len(dataset.labels)} labels for {dataset.num_images} images")
    return dataset


def _find_levels(path: Path) -> tuple[dict[int, list[Path]], str]:
    """Record files of every resolution in the order of shards, and the name of the dataset."""
    found: dict[FileName, Path] = {}
    for entry in sorted(path.iterdir()):
        parsed = parse_file_name(entry)
        if parsed and MIN_RESOLUTION <= parsed.resolution <= MAX_RESOLUTION:
            found[parsed] = entry
    if not found:
        raise MissingFileError(
            f"{path} holds no record files (NAME-r02.tfrecords and so on). "
            f"Make a dataset of the images in it: python dataset_tool.py create_from_images NEW_FOLDER {path}"
        )
    names = sorted({parsed.name for parsed in found})
    num_shards = sorted({parsed.num_shards for parsed in found})
    if len(names) > 1 or len(num_shards) > 1:
        raise UserError(f"{path} holds records of more than one dataset ({', '.join(names)}). Move each into its own folder.")
    top = max(parsed.resolution for parsed in found)
    files = {}
    for exponent in range(log2(MIN_RESOLUTION), log2(top) + 1):
        wanted = [FileName(names[0], 1 << exponent, shard, num_shards[0]) for shard in range(num_shards[0])]
        missing = [parsed for parsed in wanted if parsed not in found]
        if missing:
            raise MissingFileError(f"{path / file_name(*missing[0])} is missing. {COPY_AGAIN}")
        files[1 << exponent] = [found[parsed] for parsed in wanted]
    return files, names[0]


def _check_files(path: Path, manifest: Manifest) -> None:
    """Raises where a file that the manifest lists is missing or has another size."""
    for name, num_bytes in manifest.files.items():
        file = path / name
        if not file.is_file():
            raise MissingFileError(f"{file} is missing. {COPY_AGAIN}")
        if file.stat().st_size != num_bytes:
            # Opening it names the record where it was cut; a file that is whole but another one is named here.
            if parse_file_name(file):
                RecordFile(file)
            found = file.stat().st_size
            raise UserError(f"{file} has {found} bytes where the manifest says {num_bytes}. {COPY_AGAIN}")


def _check_manifest(dataset: Dataset, manifest: Manifest) -> None:
    """Raises where the manifest says something else than the records."""
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
            raise UserError(f"{dataset.path}: the manifest says {key} = {stated}, the files say {found}. {COPY_AGAIN}")
    if manifest.class_names and dataset.label_size not in (0, len(manifest.class_names)):
        raise UserError(f"{dataset.path}: the manifest names {len(manifest.class_names)} classes, labels have {dataset.label_size} numbers")


def _open_labels(path: Path, manifest: Manifest | None, name: str) -> np.ndarray | None:
    """Labels mapped from disk, or None where the dataset has none."""
    file = path / labels_name(name)
    if not file.exists():
        if manifest and manifest.label_size:
            raise MissingFileError(f"{file} is missing, but the manifest says label_shape = {list(manifest.label_shape)}.")
        return None
    try:
        labels = read_npy(file, is_mapped=True)
    except UserError as error:
        raise UserError(f"{file} is not a label file (a float32 .npy array [images, label_size]): {error}") from error
    if labels.ndim != 2 or labels.dtype != np.float32:
        raise UserError(f"{file} must hold a float32 array [images, label_size]. Received: {labels.dtype} {list(labels.shape)}")
    return labels
