"""Finds the labels of a source: in the source itself, in a JSON, CSV or .npy file, or in the names of folders."""

import dataclasses
import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from stylegan_tf.array_files import read_npy
from stylegan_tf.data.intake.label_files import MAX_LABEL_BYTES, LabelRow, LabelRows, read_label_csv, read_label_json
from stylegan_tf.data.intake.labels import Labels, is_number_or_missing, labels_of_array, labels_of_cells, labels_of_names
from stylegan_tf.data.sources import Source, UnusableImage
from stylegan_tf.data.sources.base import HIDDEN, NOT_AN_IMAGE
from stylegan_tf.data.sources.file_names import has_image_ending
from stylegan_tf.display import class_name, visible
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.files import read_bounded

_CHOOSE = "Name a file with --labels FILE, or choose --labels folders or --labels none."
_AMBIGUOUS = -1
_ENDINGS = (".json", ".csv", ".tsv", ".npy")  # of label files
_LABEL_NAMES = re.compile(r"(dataset|label|metadata|annotation|class)[^/]*", re.IGNORECASE)  # of such files, with any ending
_MAX_UNREAD = 3  # more are the notes of a program on each image


def find_labels(source: Source, wanted: str = "auto", hint: str = _CHOOSE) -> Labels:
    """Labels of a source.

    Args:
        source: labels have the order of its names.
        wanted: "auto" for the labels of the source, or else its dataset.json, or else the names of its folders; "none";
            "folders"; or the path of a .json, .csv or .npy file.
        hint: what to try where the dataset.json of the source cannot be used.

    Raises:
        UserError: a file that cannot be used, or "folders" for a source without subfolders.
    """
    if wanted == "none":
        return Labels(None)
    if wanted == "auto":
        if source.labels is not None:
            return _from_source(source)
        if not source.other_files.label_files:
            return _with_unread_files(_from_folders(source.names), source)
        try:
            return _from_dataset_json(source)
        except UserError as error:
            raise UserError(f"{error} {hint}") from None
    if wanted == "folders":
        labels = _from_folders(source.names)
        if labels.values is None:
            raise UserError(f"{source.title} does not have one subfolder per class, as --labels folders requires.")
        return labels
    path = Path(wanted).expanduser()
    ending = path.suffix.lower()
    if ending not in _ENDINGS:
        raise UserError(f"Labels must be auto, none, folders, or a .json, .csv or .npy file. Received: {wanted}")
    if not path.exists():
        raise MissingFileError(f"There is no label file {path}.")
    if ending == ".npy":
        return _from_npy(source.names, path)
    read = read_label_json if ending == ".json" else read_label_csv
    return _from_rows(source.names, read(read_bounded(path, MAX_LABEL_BYTES), str(path)), str(path))


def _from_source(source: Source) -> Labels:
    labels = labels_of_array(np.asarray(source.labels), f"The labels of {source.title}")
    size = labels.values.shape[1] if labels.values.ndim == 2 else len(labels.class_names)
    names = tuple(map(class_name, source.class_names))
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
    common = _common_folder(parents)
    depth = len(common.split("/")) if common else 0
    if common in numbers:
        return Labels(None)
    labels = labels_of_names([parent.split("/")[depth] for parent in parents], "names of folders")
    return dataclasses.replace(labels, values=labels.values[folders])


def _with_unread_files(labels: Labels, source: Source) -> Labels:
    """The labels; their origin names a file beside the images that may contain labels and was not read."""
    examples = source.other_files.examples
    files = [(name, name.rpartition("/")[2]) for reason, names in examples.items() if reason != HIDDEN for name in names]
    found = [name for name, base in files if base.lower().endswith(_ENDINGS) or _LABEL_NAMES.match(base)]
    if not 1 <= len(found) <= _MAX_UNREAD:
        return labels
    origin = f"{labels.origin}; " if labels.values is not None else ""
    how = "name it with --labels" if found[0].lower().endswith(_ENDINGS) else f"--labels reads {', '.join(_ENDINGS)} files"
    return dataclasses.replace(labels, origin=f"{origin}{found[0]} was not read; {how}")


def _from_dataset_json(source: Source) -> Labels:
    """The dataset.json of the folder that contains all images, or of one above it: other labels are not used if it is unusable."""
    files = source.other_files.label_files
    common = _common_folder({name.rpartition("/")[0] for name in source.names})
    above = {name: reason for name, reason in files.items() if _is_below(common, name.rpartition("/")[0])}
    shown = f"{source.title}/{visible(min(above or files, key=len))}"
    if not above:
        raise UserError(f"{shown} was found, but not all images are in its folder, so that it cannot be their label file.")
    if len(above) > 1:
        raise UserError(f"{shown} and {visible(max(above, key=len))} were both found in {source.title}.")
    ((name, reason),) = above.items()
    try:
        content = source.side_file(name) if reason == NOT_AN_IMAGE else None
    except UnusableImage as problem:
        content, reason = None, str(problem)
    if content is None:
        raise UserError(f"{shown} cannot be read ({reason}).")
    rows = read_label_json(content, shown)
    folder = name.rpartition("/")[0]
    names = [image.removeprefix(f"{folder}/") for image in source.names] if folder else source.names
    return _from_rows(names, rows, shown)


def _from_npy(names: Sequence[str], path: Path) -> Labels:
    """An array in the sorted order of the images: class numbers [n], or float [n, label_size]."""
    try:
        values = read_npy(path)
    except UserError as error:
        raise UserError(f"{path} is not a .npy array of numbers: {error}") from None
    if values.ndim not in (1, 2) or len(values) != len(names) or 0 in values.shape:
        raise UserError(
            f"{path} must contain {len(names)} labels, one for each image in sorted order: [n] class numbers or [n, label_size]. "
            f"Received: {values.dtype} {list(values.shape)}"
        )
    return labels_of_array(values, str(path))


def _from_rows(names: Sequence[str], read: LabelRows, where: str) -> Labels:
    if read.rows is None:
        return Labels(None, (), f"{where} contains null")
    if read.class_names is None:
        return _matched(names, read.rows, where)
    known = _checked_class_names(read.class_names, where)
    return _named(_matched(names, [_numbered(row, known, where) for row in read.rows], where), known, where)


def _checked_class_names(class_names: object, where: str) -> tuple[str, ...]:
    """The names that `extract` writes beside the labels, as they are stored."""
    is_list = isinstance(class_names, list) and all(isinstance(name, str) for name in class_names)
    names = tuple(map(class_name, class_names)) if is_list else ()
    if not is_list or len(set(names)) < len(names):
        raise UserError(f"{where}: `class_names` must be different names. Received: {visible(class_names, 80)}")
    return names


def _numbered(row: LabelRow, class_names: tuple[str, ...], where: str) -> LabelRow:
    """The row with the number of its class in place of the name."""
    if not isinstance(row.cell, str) or is_number_or_missing(row.cell):
        return row
    name = class_name(row.cell)
    if name not in class_names:
        raise UserError(f"{where}, {row.place}: {name!r} is not among the `class_names` of the file.")
    return row._replace(cell=class_names.index(name))


def _named(labels: Labels, class_names: tuple[str, ...], where: str) -> Labels:
    """Labels with names for their classes; there may be classes without images."""
    size = labels.values.shape[1] if labels.values.ndim == 2 else len(labels.class_names)
    if len(class_names) < size or (labels.values.ndim == 2 and len(class_names) != size):
        raise UserError(f"{where}: `class_names` must be {size} different names, one for each class. Received: {len(class_names)}")
    return dataclasses.replace(labels, class_names=class_names)


def _matched(names: Sequence[str], rows: list[LabelRow], where: str) -> Labels:
    """Labels in the order of `names`.

    A row belongs to an image if both paths end alike, down to the last part of the shorter one; the ending of the file may be
    left out.

    Raises:
        UserError: no row names an image, or two rows name the same one, or one row names several.
    """
    places = _Places(names)
    matched = [places.find(row.name) for row in rows]
    found: dict[int, LabelRow] = {}
    for row, index in zip(rows, matched, strict=True):
        if index is None:
            continue
        if index == _AMBIGUOUS:
            raise UserError(f"{where}, {row.place}: {visible(row.name)!r} may be any of several images. Give names with their folders.")
        if index in found:
            raise UserError(
                f"{where} has two labels for {visible(names[index])!r} ({found[index].place} and {row.place}). Keep one; "
                "an image with several labels needs a vector of 0 and 1, one number for each label."
            )
        found[index] = row
    if not found:
        first = next((row for row in rows if has_image_ending(row.name)), rows[0] if rows else None)
        if first is None:
            raise UserError(f"{where} contains no label.")
        raise UserError(
            f"{where} contains no label of these images. Its first name is {visible(first.name)!r}, the first image is "
            f"{visible(names[0])!r}."
        )
    labels = labels_of_cells(
        [found[index].cell if index in found else None for index in range(len(names))], where, lambda index: found[index].place
    )
    heading = matched[0] is None and not has_image_ending(rows[0].name)
    return dataclasses.replace(labels, num_unmatched=matched.count(None) - heading)


class _Places:
    """Finds images by the end of their paths."""

    def __init__(self, names: Sequence[str]):
        self._names = names
        self._exact = {name: index for index, name in enumerate(names)}
        self._by_base: dict[str, list[int]] = {}  # last parts of the names, with and without the ending
        for index, name in enumerate(names):
            base = _composed(name.rpartition("/")[2])
            for key in {base, os.path.splitext(base)[0]}:
                self._by_base.setdefault(key, []).append(index)

    def find(self, name: str) -> int | None:
        """Number of the image, None if there is none, _AMBIGUOUS if there are several."""
        name = name.strip() if name not in self._exact else name
        index = self._exact.get(name)
        if index is not None:
            return index
        parts = _parts(name)
        found = [index for index in self._by_base.get(parts[-1], ()) if self._ends_alike(index, parts)] if parts else []
        if len(found) > 1:  # a.jpg and a.png for "a", or one path below another
            exact = [index for index in found if _parts(self._names[index]) == parts]
            found = exact or found
        return _AMBIGUOUS if len(found) > 1 else found[0] if found else None

    def _ends_alike(self, index: int, parts: list[str]) -> bool:
        image = _parts(self._names[index])
        if image[-1] != parts[-1]:
            image[-1] = os.path.splitext(image[-1])[0]
        length = min(len(image), len(parts))
        return image[-length:] == parts[-length:]


def _parts(name: str) -> list[str]:
    """Parts of a path in composed Unicode, whatever system wrote it."""
    return [part for part in _composed(name).replace("\\", "/").split("/") if part not in ("", ".")]


def _composed(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _common_folder(folders: Sequence[str] | set[str]) -> str:
    """The deepest folder that contains all of these, "" for the source itself."""
    return os.path.commonpath(folders) if all(folders) and folders else ""


def _is_below(folder: str, above: str) -> bool:
    return not above or folder == above or folder.startswith(f"{above}/")
