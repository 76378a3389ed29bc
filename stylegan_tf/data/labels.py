"""Labels of images: from the names of their folders, from dataset.json as stylegan2-ada writes it, from CSV or .npy."""

import csv
import dataclasses
import io
import json
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylegan_tf.array_files import read_npy_bytes
from stylegan_tf.data.sources import Source
from stylegan_tf.errors import MissingFileError, UserError

NO_CLASS = -1  # class number of an image that has none
_MAX_CLASSES = 100_000
_IMBALANCE = 10  # the largest class against the smallest, from where on it is pointed out


@dataclasses.dataclass(frozen=True)
class Labels:
    """Labels of the items of a source.

    `values` is int64 [n] class numbers (NO_CLASS where there is none), float32 [n, label_size] (rows of NaN where there is none),
    or None without labels.
    `origin` says where they came from, in words for the report.
    """

    values: np.ndarray | None
    class_names: tuple[str, ...] = ()
    origin: str = "none"

    def has(self, index: int) -> bool:
        """True where item `index` has a label."""
        if self.values is None:
            return True
        return not np.isnan(self.values[index]).any() if self.values.ndim == 2 else self.values[index] != NO_CLASS

    def has_all(self) -> bool:
        """True where every item has a label, or none is to have one."""
        if self.values is None:
            return True
        return not (np.isnan(self.values) if self.values.ndim == 2 else self.values == NO_CLASS).any()

    def of(self, index: int):
        """What the dataset writer takes for item `index`."""
        if self.values is None:
            return None
        return self.values[index] if self.values.ndim == 2 else int(self.values[index])


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
        if content is not None and (labels := _from_json(source.names, content, f"{source.title}/dataset.json")):
            return labels
        return _from_folders(source.names)
    if wanted == "folders":
        labels = _from_folders(source.names)
        if labels.values is None:
            raise UserError(f"{source.title} has no sub-folder for each class: labels cannot come from folders.")
        return labels
    path = Path(wanted)
    readers = {".json": _from_json, ".csv": _from_csv, ".tsv": _from_csv, ".npy": _from_npy}
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
    labels = _from_array(np.asarray(source.labels), f"The labels of {source.title}")
    size = labels.values.shape[1] if labels.values.ndim == 2 else len(labels.class_names)
    names = tuple(source.class_names)
    if labels.values.ndim == 1 and len(names) < size:
        names = labels.class_names
    return Labels(labels.values, names, "the source itself")


def _from_array(values: np.ndarray, where: str) -> Labels:
    """Class numbers [n], or numbers [n, label_size]."""
    if values.ndim == 1:
        return _numbered(values, where)
    vectors = values.astype(np.float32)
    if not np.isfinite(vectors).all():
        raise UserError(f"{where} holds labels that are no numbers (NaN or infinity).")
    return Labels(vectors, (), where)


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
    class_names = _in_order(set(classes))
    places = {name: number for number, name in enumerate(class_names)}
    return Labels(np.array([places[name] for name in classes], np.int64)[folders], class_names, "names of folders")


def _from_json(names: Sequence[str], content: bytes, where: str) -> Labels | None:
    """The form of stylegan2-ada: {"labels": [["00000/img00000000.png", 6], ...]}, a vector in place of 6, or null."""
    try:
        parsed = json.loads(content)
        rows = parsed["labels"]
        pairs = None if rows is None else [(str(name), value) for name, value in rows]
    except (ValueError, TypeError, KeyError, RecursionError):
        if where.endswith("/dataset.json"):
            return None  # some other dataset.json that happens to lie beside the images
        raise UserError(f'{where} should read {{"labels": [["name.png", 6], ...]}} as stylegan2-ada writes it.') from None
    return None if pairs is None else _named(_matched(names, pairs, where), parsed.get("class_names"), where)


def _named(labels: Labels, class_names: object, where: str) -> Labels:
    """Labels with the class names that `extract` writes beside them; there may be classes without an image."""
    if class_names is None:
        return labels
    size = labels.values.shape[1] if labels.values.ndim == 2 else len(labels.class_names)
    is_list = isinstance(class_names, list) and all(isinstance(name, str) for name in class_names)
    if not is_list or len(set(class_names)) < len(class_names) or len(class_names) < size:
        raise UserError(f"{where}: `class_names` should be {size} names or more, each another. Received: {str(class_names)[:80]}")
    if labels.values.ndim == 2 and len(class_names) != size:
        raise UserError(f"{where}: {len(class_names)} class names for labels of {size} numbers.")
    return dataclasses.replace(labels, class_names=tuple(class_names))


def _from_csv(names: Sequence[str], content: bytes, where: str) -> Labels:
    """Rows of name and label, or name and several numbers; a heading may come first."""
    try:
        text = content.decode("utf-8-sig")
        dialect = csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
    except UnicodeDecodeError:
        raise UserError(f"{where} is not UTF-8 text.") from None
    except csv.Error:
        dialect = csv.excel
    rows = [row for row in csv.reader(io.StringIO(text), dialect) if row]
    if not rows or len({len(row) for row in rows}) > 1 or len(rows[0]) < 2:
        raise UserError(f"{where} should have rows of the same length: the image's name, then its label (or several numbers).")
    known = _by_name(names)
    if rows[0][0] not in known and len(rows) > 1 and rows[1][0] in known:
        rows = rows[1:]
    if len(rows[0]) == 2:
        return _matched(names, [(row[0], row[1].strip()) for row in rows], where)
    try:
        return _matched(names, [(row[0], [float(cell) for cell in row[1:]]) for row in rows], where)
    except ValueError as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{where}: with more than one column beside the name, all must be numbers ({error}).") from None


def _from_npy(names: Sequence[str], content: bytes, where: str) -> Labels:
    """An array in the sorted order of the images: class numbers [n], or float [n, label_size]."""
    try:
        values = read_npy_bytes(content, where)
    except UserError as error:
        raise UserError(f"{where} is no .npy array of numbers: {error}") from None
    if values.dtype.kind not in "biuf" or values.ndim not in (1, 2) or len(values) != len(names):
        raise UserError(
            f"{where} should hold {len(names)} labels, one for each image in sorted order: [n] class numbers or [n, label_size]. "
            f"Received: {values.dtype} {list(values.shape)}"
        )
    return _from_array(values, where)


def _by_name(names: Sequence[str]) -> dict[str, int]:
    """Where an image is, by its path or, where only one has it, by the last part of it."""
    bases = Counter(name.rpartition("/")[2] for name in names)
    places = {name.rpartition("/")[2]: index for index, name in enumerate(names) if bases[name.rpartition("/")[2]] == 1}
    places.update((name, index) for index, name in enumerate(names))
    return places


def _matched(names: Sequence[str], pairs: list[tuple], where: str) -> Labels:
    """Labels in the order of `names`; images without one keep NO_CLASS or NaN, which the check reports."""
    places = _by_name(names)
    found = {
        places[name]: value
        for name, value in ((name.replace("\\", "/").removeprefix("./"), value) for name, value in pairs)
        if name in places
    }
    if not found:
        raise UserError(
            f"{where} names none of the images. Its first name is {pairs[0][0]!r}, the first image is {names[0]!r}."
            if pairs and len(names)
            else f"{where} names none of the images."
        )
    if all(isinstance(value, list) for value in found.values()):
        return _vectors(len(names), found, where)
    if any(isinstance(value, list | dict) or value is None for value in found.values()):
        raise UserError(f"{where} must give every image a class or every image a vector of the same length.")
    if all(_is_integer(value) for value in found.values()):
        if any(len(str(value)) > 15 for value in found.values()):
            raise UserError(f"{where} holds class numbers of more than 15 digits.")
        return _numbered(np.array([int(found.get(index, NO_CLASS)) for index in range(len(names))]), where)
    return _classes([str(found[index]) if index in found else None for index in range(len(names))], where)


def _vectors(count: int, found: dict[int, list], where: str) -> Labels:
    sizes = {len(vector) for vector in found.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise UserError(f"{where} must give each image a vector of the same length. It has lengths {sorted(sizes)}.")
    wrong = next((cell for vector in found.values() for cell in vector if not isinstance(cell, int | float)), None)
    if wrong is not None:
        raise UserError(f"{where} must give each image a vector of numbers. Received: {str(wrong)[:60]!r}")
    values = np.full((count, sizes.pop()), np.nan, np.float32)
    try:
        for index, vector in found.items():
            values[index] = vector
    except OverflowError:
        raise UserError(f"{where} holds a number that is too large for a label.") from None
    if not np.isfinite(values[list(found)]).all():
        raise UserError(f"{where} holds labels that are no numbers (NaN or infinity).")
    return Labels(values, (), where)


def _is_integer(value: object) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) < 9
    return isinstance(value, int | np.integer) or (isinstance(value, float | np.floating) and float(value).is_integer())


def _numbered(values: np.ndarray, where: str) -> Labels:
    """Labels that are class numbers already; classes are named by their number."""
    values = np.asarray(values, np.float64)
    is_right = (values == np.floor(values)) & (values >= NO_CLASS) & (values < _MAX_CLASSES)
    if not is_right.all():
        raise UserError(f"{where}: class numbers are whole and from 0 to {_MAX_CLASSES - 1}. Received: {values[~is_right][0]:g}")
    numbers = values.astype(np.int64)
    if (numbers == NO_CLASS).all():
        raise UserError(f"{where}: not one image has a class (all are {NO_CLASS}).")
    return Labels(numbers, tuple(map(str, range(int(numbers.max(initial=-1)) + 1))), where)


def _classes(classes: list[str | None], where: str) -> Labels:
    """Class numbers of names."""
    class_names = _in_order({name for name in classes if name is not None})
    numbers = {name: number for number, name in enumerate(class_names)}
    return Labels(np.array([NO_CLASS if name is None else numbers[name] for name in classes], np.int64), class_names, where)


def _in_order(names: set[str]) -> tuple[str, ...]:
    """Class names sorted, by value where all are numbers."""
    return tuple(sorted(names, key=int) if all(name.isascii() and name.isdigit() for name in names) else sorted(names))
