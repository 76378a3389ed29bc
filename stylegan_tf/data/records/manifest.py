"""The files of a dataset folder: their names, and the manifest (dataset.json) that describes and lists them."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf.data.records.codecs import ENCODINGS
from stylegan_tf.display import class_name
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.files import read_json, write_text
from stylegan_tf.resolution import check_resolution, log2

MANIFEST_NAME = "dataset.json"
FACTORS_NAME = "factors.csv"  # what each image of `create_leaves` was drawn from
REPORT_NAMES = ("report.json", "report.html")
PARTIAL_SUFFIX = ".partial"  # of a folder that is still being written
FORMAT = "stylegan_tf dataset"
FORMAT_VERSION = 1
_MAX_BYTES = 16 << 20  # of a manifest; names of 100,000 classes

_RECORD_FILE_NAME = re.compile(r"(?P<name>.+)-r(?P<log2>\d\d)\.tfrecords")


def file_name(name: str, resolution: int) -> str:
    """NAME-r05.tfrecords for 32x32."""
    return f"{name}-r{log2(resolution):02d}.tfrecords"


def parse_file_name(path: Path) -> tuple[str, int] | None:
    """Name of the dataset and resolution in a record file's name; None for any other file."""
    match = _RECORD_FILE_NAME.fullmatch(path.name)
    return (match["name"], 1 << int(match["log2"])) if match else None


def labels_name(name: str) -> str:
    """Name of the label file: a float32 .npy array [images, label_size] in the order of the records."""
    return f"{name}-rxx.labels"


def index_path(record_path: Path) -> Path:
    """The file beside a record file with its record offsets: an int64 .npy array [records + 1], the last one being the file's size."""
    return record_path.with_suffix(".index")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Description of a dataset.

    `label_shape` is (label_size,), or () without labels; `files` maps every file to its size in bytes; `made_by` describes how
    the dataset was made (any JSON object); `class_counts` is the number of images by class name, {} where labels are not classes
    (sums in manifests of earlier versions) or where it was not recorded; `digest` identifies images and labels, see `content_digest`.
    """

    name: str
    num_images: int
    channels: int
    resolution: int
    encoding: str
    label_shape: tuple[int, ...]
    class_names: tuple[str, ...]
    digest: str
    files: dict[str, int]
    made_by: dict[str, Any]
    class_counts: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def label_size(self) -> int:
        """Numbers in a label, 0 without labels."""
        return self.label_shape[0] if self.label_shape else 0


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes the manifest into the folder of its dataset."""
    values = {"format": FORMAT, "format_version": FORMAT_VERSION, **dataclasses.asdict(manifest)}
    write_text(folder / MANIFEST_NAME, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


def read_manifest(folder: Path) -> Manifest | None:
    """Reads the manifest of a dataset; None if there is none (datasets made by the original release).

    Raises:
        UserError: it cannot be read, is newer than this library, or lacks a value.
    """
    path = folder / MANIFEST_NAME
    try:
        values = read_json(path, _MAX_BYTES)
    except MissingFileError:
        return None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise UserError(f"{path} is not the manifest of a dataset (expected: format = {FORMAT!r}).")
    version = values.get("format_version")
    if version != FORMAT_VERSION:
        raise UserError(
            f"{path} has format version {version}, this library reads {FORMAT_VERSION}. Update the library, or make the dataset again."
        )
    return _checked(values, path)


def content_digest(*, channels: int, resolution: int, encoding: str, checksums: np.ndarray, labels: np.ndarray | None) -> str:
    """Digest of images and labels, computed from the checksums in the records: fast even for millions of images.

    Args:
        resolution: of the largest level.
        encoding: of the records. The same images in another encoding have another digest.
        checksums: uint32 [num_images], masked CRC-32C of every record of the largest level.
        labels: float32 [num_images, label_size] or None.

    Returns:
        "sha256:" and 64 hexadecimal digits.
    """
    digest = hashlib.sha256(f"{channels} {resolution} {encoding} {len(checksums)}\n".encode())
    digest.update(np.ascontiguousarray(checksums, "<u4").data)
    if labels is not None:
        digest.update(f"labels {labels.shape[1]}\n".encode())
        for first in range(0, len(labels), 4096):
            digest.update(np.ascontiguousarray(labels[first : first + 4096], "<f4").data)
    return f"sha256:{digest.hexdigest()}"


def count_labels(labels: np.ndarray, names: Sequence[str]) -> dict[str, int]:
    """Number of images of every class from labels [num_images, label_size]; {} without names, or where labels are not classes."""
    if not names or not are_classes(labels):
        return {}
    counts = np.zeros(len(names))
    for first in range(0, len(labels), 4096):
        counts += np.asarray(labels[first : first + 4096]).sum(axis=0, dtype=np.float64)
    return {name: round(float(count)) for name, count in zip(names, counts, strict=True)}


def label_ranges(labels: np.ndarray, names: Sequence[str]) -> dict[str, list[float]]:
    """[least, largest, mean] of every number of labels [num_images, label_size]; {} where labels are classes, or without labels."""
    if not labels.shape[1] or are_classes(labels):
        return {}
    finite = np.where(np.isfinite(labels), labels, 0)
    values = np.stack([finite.min(axis=0), finite.max(axis=0), finite.mean(axis=0, dtype=np.float64)], axis=1)
    return dict(zip(names or map(str, range(labels.shape[1])), values.tolist(), strict=True))


def are_classes(labels: np.ndarray) -> bool:
    """Whether labels [num_images, label_size] are one class of several each; rows of zeros are images without a label."""
    for first in range(0, len(labels), 4096):
        rows = np.asarray(labels[first : first + 4096])
        is_class = ((rows != 0).sum(axis=1) == 1) & (rows.max(axis=1) == 1)
        is_missing = ~rows.any(axis=1) & (rows.shape[1] > 1)
        if not (is_class | is_missing).all():
            return False
    return True


def _checked(values: dict[str, Any], path: Path) -> Manifest:
    """Manifest from parsed JSON; raises UserError for a value that is missing or of the wrong type."""

    def is_count(value: object) -> bool:
        return type(value) is int and value >= 0

    checks = {
        "name": lambda value: isinstance(value, str) and value == Path(value).name != "",
        "num_images": lambda value: is_count(value) and value > 0,
        "channels": lambda value: is_count(value) and value > 0,
        "resolution": is_count,
        "encoding": lambda value: value in tuple(ENCODINGS),
        "label_shape": lambda value: isinstance(value, list) and len(value) <= 1 and all(map(is_count, value)),
        "class_names": lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value),
        "digest": lambda value: isinstance(value, str),
        "files": lambda value: isinstance(value, dict) and all(Path(name).name == name and is_count(n) for name, n in value.items()),
        "made_by": lambda value: isinstance(value, dict),
    }
    for key, is_valid in checks.items():
        if not is_valid(values.get(key)):
            raise UserError(f"{path}: `{key}` is missing or wrong. Received: {str(values.get(key))[:80]}")
    counts = values.get("class_counts", {})
    if not isinstance(counts, dict) or not all(map(is_count, counts.values())) or (counts and set(counts) != set(values["class_names"])):
        raise UserError(f"{path}: `class_counts` is wrong. Received: {str(counts)[:80]}")
    check_resolution(values["resolution"])
    shown = {name: class_name(name) for name in values["class_names"]}
    if len(set(shown.values())) < len(shown):  # names that differ only in what cannot be shown
        shown = {name: f"{name} {number}" for number, name in enumerate(shown.values())}
    more = {"class_names": tuple(shown[name] for name in values["class_names"]), "label_shape": tuple(values["label_shape"])}
    more["class_counts"] = {shown[name]: count for name, count in counts.items()}
    return Manifest(**{**{key: values[key] for key in checks}, **more})
