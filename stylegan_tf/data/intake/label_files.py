"""Files of labels: dataset.json as stylegan2-ada writes it, CSV, and .npy."""

import csv
import dataclasses
import io
import json
from collections import Counter
from collections.abc import Sequence

import numpy as np

from stylegan_tf.array_files import read_npy_bytes
from stylegan_tf.data.intake.label_values import NO_CLASS, Labels, labels_of_array, labels_of_names, labels_of_numbers
from stylegan_tf.errors import UserError


def read_json(names: Sequence[str], content: bytes, where: str) -> Labels | None:
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


def read_csv(names: Sequence[str], content: bytes, where: str) -> Labels:
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


def read_npy(names: Sequence[str], content: bytes, where: str) -> Labels:
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
    return labels_of_array(values, where)


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
        return labels_of_numbers(np.array([int(found.get(index, NO_CLASS)) for index in range(len(names))]), where)
    return labels_of_names([str(found[index]) if index in found else None for index in range(len(names))], where)


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
