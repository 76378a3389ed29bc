"""Finds the labels of a source: in the source itself, in a JSON, CSV or .npy file, or in the names of folders."""

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
from stylegan_tf.data.intake.labels import NO_CLASS, Labels, in_order, labels_of_array, labels_of_names, labels_of_numbers
from stylegan_tf.data.sources import Source
from stylegan_tf.errors import MissingFileError, UserError

LABELS_NAME = "dataset.json"  # beside the images, as stylegan2-ada writes it


def find_labels(source: Source, wanted: str = "auto") -> Labels:
    """Labels of a source.

    Args:
        source: labels have the order of its names.
        wanted: "auto" for the labels of the source, or else its dataset.json, or else the names of its folders; "none";
            "folders"; or the path of a .json, .csv or .npy file.

    Raises:
        UserError: a file that cannot be used, or "folders" for a source without sub-folders.
    """
    if wanted == "none":
        return Labels(None)
    if wanted == "auto":
        if source.labels is not None:
            return _from_source(source)
        content = source.side_file(LABELS_NAME)
        if content is not None and (labels := _read_json(source.names, content, f"{source.title}/{LABELS_NAME}")):
            return labels
        return _from_folders(source.names)
    if wanted == "folders":
        labels = _from_folders(source.names)
        if labels.values is None:
            raise UserError(f"{source.title} does not have one sub-folder per class, as --labels folders requires.")
        return labels
    path = Path(wanted)
    readers = {".json": _read_json, ".csv": _read_csv, ".tsv": _read_csv, ".npy": _read_npy}
    if path.suffix.lower() not in readers:
        raise UserError(f"Labels must be auto, none, folders, or a .json, .csv or .npy file. Received: {wanted}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise MissingFileError(f"Labels {path} cannot be read: {error.strerror}") from error
    labels = readers[path.suffix.lower()](source.names, content, str(path))
    if labels is None:
        raise UserError(f"{path} contains no labels (its `labels` is null).")
    return labels


def _from_source(source: Source) -> Labels:
    labels = labels_of_array(np.asarray(source.labels), f"The labels of {source.title}")
    size = labels.values.shape[1] if labels.values.ndim == 2 else len(labels.class_names)
    names = tuple(source.class_names)
    if labels.values.ndim == 1 and len(names) < size:
        names = labels.class_names
    return Labels(labels.values, names, "the source itself")


def _from_folders(names: Sequence[str]) -> Labels:
    """One class for each folder below the common parent of all images."""
    # There may be millions of images but only few folders: no string is kept for each image.
    numbers: dict[str, int] = {}
    folders = np.array([numbers.setdefault(name.rpartition("/")[0], len(numbers)) for name in names], np.int64)
    parents = list(numbers)
    if not parents or not all(parents):
        return Labels(None)  # images beside the folders: folders are not classes
    common = os.path.commonpath(parents)
    depth = len(common.split("/")) if common else 0
    if common in numbers:
        return Labels(None)
    classes = [parent.split("/")[depth] for parent in parents]
    class_names = in_order(set(classes))
    places = {name: number for number, name in enumerate(class_names)}
    return Labels(np.array([places[name] for name in classes], np.int64)[folders], class_names, "names of folders")


def _read_json(names: Sequence[str], content: bytes, where: str) -> Labels | None:
    """The format of stylegan2-ada: {"labels": [["00000/img00000000.png", 6], ...]}, a vector in place of 6, or null.

    Returns None for null, and for a dataset.json beside the images that has another format.
    """
    try:
        parsed = json.loads(content)
        rows = parsed["labels"]
        pairs = None if rows is None else [(str(name), value) for name, value in rows]
    except (ValueError, TypeError, KeyError, RecursionError):
        if where.endswith(f"/{LABELS_NAME}"):
            return None
        raise UserError(f'{where} must have the format {{"labels": [["name.png", 6], ...]}} of stylegan2-ada.') from None
    return None if pairs is None else _named(_matched(names, pairs, where), parsed.get("class_names"), where)


def _read_csv(names: Sequence[str], content: bytes, where: str) -> Labels:
    """Rows of name and label, or name and several numbers; the first row may be a heading."""
    try:
        text = content.decode("utf-8-sig")
        dialect = csv.Sniffer().sniff(text[:4096], delimiters=",;\t")
    except UnicodeDecodeError:
        raise UserError(f"{where} is not UTF-8 text. Save it with that encoding.") from None
    except csv.Error:
        dialect = csv.excel
    rows = [row for row in csv.reader(io.StringIO(text), dialect) if row]
    if not rows or len({len(row) for row in rows}) > 1 or len(rows[0]) < 2:
        raise UserError(f"{where} must have rows of the same length: the image's name, then its label (or several numbers).")
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
        raise UserError(f"{where}: if there are several columns beside the name, all must be numbers ({error}).") from None


def _read_npy(names: Sequence[str], content: bytes, where: str) -> Labels:
    """An array in the sorted order of the images: class numbers [n], or float [n, label_size]."""
    try:
        values = read_npy_bytes(content, where)
    except UserError as error:
        raise UserError(f"{where} is not a .npy array of numbers: {error}") from None
    if values.dtype.kind not in "biuf" or values.ndim not in (1, 2) or len(values) != len(names):
        raise UserError(
            f"{where} must contain {len(names)} labels, one for each image in sorted order: [n] class numbers or [n, label_size]. "
            f"Received: {values.dtype} {list(values.shape)}"
        )
    return labels_of_array(values, where)


def _named(labels: Labels, class_names: object, where: str) -> Labels:
    """Labels with the class names that `extract` writes beside them; there may be classes without images."""
    if class_names is None:
        return labels
    size = labels.values.shape[1] if labels.values.ndim == 2 else len(labels.class_names)
    is_list = isinstance(class_names, list) and all(isinstance(name, str) for name in class_names)
    if not is_list or len(set(class_names)) < len(class_names) or len(class_names) < size:
        raise UserError(f"{where}: `class_names` must be {size} or more different names. Received: {str(class_names)[:80]}")
    if labels.values.ndim == 2 and len(class_names) != size:
        raise UserError(f"{where} has {len(class_names)} class names, but labels of {size} numbers.")
    return dataclasses.replace(labels, class_names=tuple(class_names))


def _by_name(names: Sequence[str]) -> dict[str, int]:
    """Number of an image by its path, or by the last part of it if that is unique."""
    bases = Counter(name.rpartition("/")[2] for name in names)
    places = {name.rpartition("/")[2]: index for index, name in enumerate(names) if bases[name.rpartition("/")[2]] == 1}
    places.update((name, index) for index, name in enumerate(names))
    return places


def _matched(names: Sequence[str], pairs: list[tuple], where: str) -> Labels:
    """Labels in the order of `names`; images without a label have NO_CLASS or NaN, which the check reports."""
    places = _by_name(names)
    found = {
        places[name]: value
        for name, value in ((name.replace("\\", "/").removeprefix("./"), value) for name, value in pairs)
        if name in places
    }
    if not found:
        raise UserError(
            f"{where} contains no label of these images. Its first name is {pairs[0][0]!r}, the first image is {names[0]!r}."
            if pairs and len(names)
            else f"{where} contains no label of these images."
        )
    if all(isinstance(value, list) for value in found.values()):
        return _vectors(len(names), found, where)
    if any(isinstance(value, list | dict) or value is None for value in found.values()):
        raise UserError(f"{where} must contain either classes only, or vectors of the same length only.")
    if all(_is_integer(value) for value in found.values()):
        if any(len(str(value)) > 15 for value in found.values()):
            raise UserError(f"{where} contains class numbers of more than 15 digits.")
        return labels_of_numbers(np.array([int(found.get(index, NO_CLASS)) for index in range(len(names))]), where)
    return labels_of_names([str(found[index]) if index in found else None for index in range(len(names))], where)


def _vectors(count: int, found: dict[int, list], where: str) -> Labels:
    sizes = {len(vector) for vector in found.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise UserError(f"{where} must contain vectors of the same length. Received lengths: {sorted(sizes)}")
    wrong = next((cell for vector in found.values() for cell in vector if not isinstance(cell, int | float)), None)
    if wrong is not None:
        raise UserError(f"{where} must contain vectors of numbers. Received: {str(wrong)[:60]!r}")
    values = np.full((count, sizes.pop()), np.nan, np.float32)
    try:
        for index, vector in found.items():
            values[index] = vector
    except OverflowError:
        raise UserError(f"{where} contains a number that is too large for a float32 label.") from None
    if not np.isfinite(values[list(found)]).all():
        raise UserError(f"{where} contains NaN or infinity. Labels must be finite numbers.")
    return Labels(values, (), where)


def _is_integer(value: object) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) < 9
    return isinstance(value, int | np.integer) or (isinstance(value, float | np.floating) and float(value).is_integer())
