"""Where the labels of a source come from, and how many images each class has."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylegan_tf.data.intake.label_files import read_csv, read_json, read_npy
from stylegan_tf.data.intake.label_values import Labels, in_order, labels_of_array
from stylegan_tf.data.sources import Source
from stylegan_tf.errors import MissingFileError, UserError

_IMBALANCE = 10  # the largest class against the smallest, from where on it is pointed out


def find_labels(source: Source, wanted: str = "auto") -> Labels:
    """Labels of a source.

    Args:
        source: its names decide the order.
        wanted: "auto" takes what comes with the source, then its dataset.json, then the names of its folders; "none";
            "folders"; or the path of a .json, .csv or .npy file.

    Raises:
        UserError: a file that cannot be used, or folders asked for where there are none.
    """
    if wanted == "none":
        return Labels(None)
    if wanted == "auto":
        if source.labels is not None:
            return _from_source(source)
        content = source.side_file("dataset.json")
        if content is not None and (labels := read_json(source.names, content, f"{source.title}/dataset.json")):
            return labels
        return _from_folders(source.names)
    if wanted == "folders":
        labels = _from_folders(source.names)
        if labels.values is None:
            raise UserError(f"{source.title} has no sub-folder for each class: labels cannot come from folders.")
        return labels
    path = Path(wanted)
    readers = {".json": read_json, ".csv": read_csv, ".tsv": read_csv, ".npy": read_npy}
    if path.suffix.lower() not in readers:
        raise UserError(f"Labels must be auto, none, folders, or a .json, .csv or .npy file. Received: {wanted}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingFileError(f"Labels {path} cannot be read: {error.strerror}") from error
    labels = readers[path.suffix.lower()](source.names, content, str(path))
    if labels is None:
        raise UserError(f"{path} holds no labels (its `labels` is null).")
    return labels


def count_classes(labels: Labels, indices: Sequence[int]) -> dict[str, int]:
    """Images of every class among `indices`, in the order of classes; {} where labels are no classes."""
    if labels.values is None or not labels.class_names:
        return {}
    values = labels.values[np.asarray(indices, np.int64)]
    counts = np.bincount(values, minlength=len(labels.class_names)) if values.ndim == 1 else values.sum(axis=0)
    return {name: int(count) for name, count in zip(labels.class_names, counts, strict=True)}


def describe_imbalance(counts: dict[str, int]) -> str | None:
    """A sentence on classes that are empty or far smaller than others; None where all is well."""
    if len(counts) < 2:
        return None
    empty = [name for name, count in counts.items() if count == 0]
    if empty:
        return f"{len(empty)} of {len(counts)} classes have no image, the first is {empty[0]!r}."
    smallest, largest = min(counts, key=counts.get), max(counts, key=counts.get)
    ratio = counts[largest] / counts[smallest]
    if ratio < _IMBALANCE:
        return None
    return (
        f"Classes are unequal: {counts[largest]} images of {largest!r}, {counts[smallest]} of {smallest!r} ({ratio:.0f} to 1). "
        'Training can draw them evenly: data.balance="sqrt" or "uniform".'
    )


def _from_source(source: Source) -> Labels:
    labels = labels_of_array(np.asarray(source.labels), f"The labels of {source.title}")
    size = labels.values.shape[1] if labels.values.ndim == 2 else len(labels.class_names)
    names = tuple(source.class_names)
    if labels.values.ndim == 1 and len(names) < size:
        names = labels.class_names
    return Labels(labels.values, names, "the source itself")


def _from_folders(names: Sequence[str]) -> Labels:
    """One class for each folder below what all images have in common."""
    # Folders are few, images may be millions: nothing here keeps a string for each image.
    numbers: dict[str, int] = {}
    folders = np.array([numbers.setdefault(name.rpartition("/")[0], len(numbers)) for name in names], np.int64)
    parents = list(numbers)
    if not parents or not all(parents):
        return Labels(None)  # images beside the folders: these are no classes
    common = os.path.commonpath(parents)
    depth = len(common.split("/")) if common else 0
    if common in numbers:
        return Labels(None)
    classes = [parent.split("/")[depth] for parent in parents]
    class_names = in_order(set(classes))
    places = {name: number for number, name in enumerate(class_names)}
    return Labels(np.array([places[name] for name in classes], np.int64)[folders], class_names, "names of folders")
