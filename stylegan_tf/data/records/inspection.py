"""Inspection of whole datasets: a search for damage, a comparison of two, and a table of properties."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.data.records.level import scan_offsets
from stylegan_tf.data.records.manifest import count_labels, label_ranges
from stylegan_tf.data.records.tfrecords import COPY_AGAIN
from stylegan_tf.display import visible
from stylegan_tf.errors import UserError
from stylegan_tf.parallel import parallel_map
from stylegan_tf.progress_bar import Progress, track


def check_records(dataset: Dataset, *, workers: int | None = None) -> None:
    """Reads every record of every level: checksums, decoding, shapes, labels, and the digest; shows progress.

    Args:
        workers: threads; None for one per processor.

    Raises:
        UserError: the first damage found; names the file and the record.
    """
    with Progress(dataset.num_images * len(dataset.resolutions), "Checking", unit="records") as progress:
        for resolution in reversed(dataset.resolutions):
            level = dataset.level(resolution)
            if not np.array_equal(scan_offsets(level.file.path), level.file.offsets):
                raise UserError(f"{level.file.path}: the index beside it belongs to another file. Delete the index.")
            for _ in parallel_map(level.read_image, range(dataset.num_images), workers):
                progress.advance()
    _check_labels(dataset)
    if dataset.manifest and dataset.measured_digest() != dataset.manifest.digest:
        raise UserError(f"{dataset.path}: images or labels are not those that the manifest describes (their digest differs). {COPY_AGAIN}")


class Comparison(NamedTuple):
    """Differences between two datasets; the first counts are over the images that exist in both."""

    num_compared: int
    identical_images: int
    identical_labels: int | None  # None if labels were ignored
    first_difference: int | None
    extra_images: int  # in the larger dataset

    @property
    def is_same(self) -> bool:
        """True if nothing differs."""
        labels_differ = self.identical_labels not in (None, self.num_compared)
        return self.first_difference is None and not self.extra_images and not labels_differ


def compare_datasets(a: Dataset, b: Dataset, *, ignore_labels: bool = False, workers: int | None = None) -> Comparison:
    """Compares pixels, whatever their encoding, and labels.

    Raises:
        UserError: images of different size, or a damaged record.
    """
    shapes = [(dataset.resolution, dataset.channels) for dataset in (a, b)]
    if shapes[0] != shapes[1]:
        (ra, ca), (rb, cb) = shapes
        raise UserError(f"{a.path} has images of {ra}x{ra}x{ca}, {b.path} of {rb}x{rb}x{cb}: they cannot be compared.")
    levels = a.level(a.resolution), b.level(b.resolution)
    count = min(a.num_images, b.num_images)

    def is_same(index: int) -> bool:
        return np.array_equal(levels[0].read_image(index), levels[1].read_image(index))

    identical, first_difference = 0, None
    for index, same in enumerate(track(parallel_map(is_same, range(count), workers), count, "Comparing")):
        identical += same
        if not same and first_difference is None:
            first_difference = index
    labels = None
    if not ignore_labels:
        fit = a.label_size == b.label_size
        labels = int((a.labels[:count] == b.labels[:count]).all(axis=1).sum()) if fit else 0
    return Comparison(count, identical, labels, first_difference, abs(a.num_images - b.num_images))


def describe_dataset(dataset: Dataset) -> dict[str, Any]:
    """Properties of a dataset; every value can be written as JSON."""
    manifest = dataset.manifest
    return {
        "name": dataset.name,
        "path": str(dataset.path),
        "images": dataset.num_images,
        "resolution": dataset.resolution,
        "channels": dataset.channels,
        "encoding": dataset.encoding,
        "levels": list(dataset.resolutions),
        "label_size": dataset.label_size,
        **_label_facts(dataset),
        "bytes": sum(file.stat().st_size for file in Path(dataset.path).iterdir() if file.is_file()),
        "raw_bytes": dataset.num_images * dataset.channels * sum(resolution**2 for resolution in dataset.resolutions),
        "digest": dataset.digest,
        "has_manifest": manifest is not None,
        "made_by": manifest.made_by if manifest else {},
    }


def format_facts(facts: dict[str, Any]) -> list[str]:
    """The properties from `describe_dataset` as lines."""
    shape = f"{facts['resolution']}x{facts['resolution']}x{facts['channels']}"
    levels = f"{facts['levels'][0]}x{facts['levels'][0]} to {facts['levels'][-1]}x{facts['levels'][-1]}"
    share = facts["bytes"] / facts["raw_bytes"]
    lines = {
        "dataset": f"{facts['name']} in {facts['path']}",
        "images": f"{facts['images']} of {shape}, {facts['encoding']}, levels {levels}",
        "disk": f"{facts['bytes'] / 1e6:.1f} MB, {share:.2f} of the raw pixels",
        "digest": facts["digest"],
        "labels": f"{facts['label_size']} numbers per image" if facts["label_size"] else "none",
        "made by": facts["made_by"].get("command")
        or ("the original release or a compatible program (no manifest)" if not facts["has_manifest"] else "unknown"),
    }
    classes = {visible(name, 60): count for name, count in facts["classes"].items()}
    numbers = {visible(name, 60): values for name, values in facts["label_ranges"].items()}
    width = max(map(len, [*lines, *classes, *numbers])) + 2
    text = [f"{name:<{width}}{visible(value, 2000)}" for name, value in lines.items()]
    text += [f"  {name:<{width}}{count}" for name, count in classes.items()]
    text += [f"  {name:<{width}}{least:g} to {most:g}, mean {mean:g}" for name, (least, most, mean) in numbers.items()]
    return text


def _label_facts(dataset: Dataset) -> dict[str, dict]:
    """Number of images of every class; least, largest and mean value of every number of labels that are not classes."""
    names = dataset.class_names or tuple(map(str, range(dataset.label_size)))
    classes = count_labels(dataset.labels, names) if dataset.label_size else {}
    return {"classes": classes, "label_ranges": label_ranges(dataset.labels, names)}


def _check_labels(dataset: Dataset) -> None:
    for first in range(0, dataset.num_images if dataset.label_size else 0, 4096):
        wrong = np.flatnonzero(~np.isfinite(dataset.labels[first : first + 4096]).all(axis=1))
        if len(wrong):
            raise UserError(f"{dataset.path}: the label of image {first + wrong[0]} contains NaN or infinity. {COPY_AGAIN}")
