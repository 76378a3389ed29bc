"""Labels of the images of a source: class numbers or vectors, from the cells of any file or the names of folders."""

import dataclasses
import re
from collections.abc import Callable, Sequence

import numpy as np

from stylegan_tf.data.records.manifest import count_labels
from stylegan_tf.display import class_name, visible
from stylegan_tf.errors import UserError

NO_CLASS = -1  # class number of an image without a label
_NO_LABEL = frozenset({"", "nan", "+nan", "-nan", "null"})  # cells of images without a label, in any case
_NO_LABEL_AMONG_NUMBERS = frozenset({"na", "n/a", "#n/a", "<na>", "none"})  # as R, spreadsheets and Python write it; may be names too
_MAX_CLASSES = 100_000
_MAX_NAMES = 8  # of classes in a message
_MAX_FLOAT32 = float(np.finfo(np.float32).max)
_IMBALANCE = 10  # ratio of the largest class to the smallest from which the user is notified
_NUMBER = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf(inity)?)", re.ASCII | re.IGNORECASE)  # float() accepts more
_NOT_CLASSES = "A number that is not a class must be a vector, even of one number: [0.5] in JSON, or an .npy array [images, 1]."

Cell = str | int | float | list | None  # of a label file: a class, a vector, or no label


@dataclasses.dataclass(frozen=True)
class Labels:
    """Labels of the items of a source.

    `values` is int64 [n] class numbers (NO_CLASS for a missing label), float32 [n, label_size] (NaN for a missing label),
    or None without labels.
    `origin` describes where they come from, for the report. `num_unmatched` counts rows of a file that name no image.
    """

    values: np.ndarray | None
    class_names: tuple[str, ...] = ()
    origin: str = "none"
    num_unmatched: int = 0

    def is_missing(self) -> np.ndarray:
        """Which items have no label although others have one: bool [n], or [0] if there are no labels at all."""
        if self.values is None:
            return np.zeros(0, bool)
        return np.isnan(self.values).any(axis=1) if self.values.ndim == 2 else self.values == NO_CLASS

    def has(self, index: int) -> bool:
        """True if item `index` has a label, or if there are no labels at all."""
        if self.values is None:
            return True
        return not np.isnan(self.values[index]).any() if self.values.ndim == 2 else self.values[index] != NO_CLASS

    def renamed(self, class_names: Sequence[str]) -> "Labels":
        """The same labels with other class names.

        Raises:
            UserError: there are no labels, or another number of classes.
        """
        if self.values is None:
            raise UserError("Class names were given, but there are no labels.")
        size = len(self.class_names) or self.values.shape[1]
        if len(class_names) != size:
            raise UserError(f"{len(class_names)} class names were given for {size} classes.")
        return dataclasses.replace(self, class_names=tuple(class_names))

    def of(self, index: int) -> np.ndarray | int | None:
        """Label of item `index`: a vector, a class number, or None without labels."""
        if self.values is None:
            return None
        return self.values[index] if self.values.ndim == 2 else int(self.values[index])

    def describe(self) -> str:
        """A phrase such as "3 classes (elm, maple, oak) from cats/dataset.json, 2 images without a label"."""
        if self.values is None:
            return "none" if self.origin == "none" else f"none ({self.origin})"
        missing = int(self.is_missing().sum())
        text = f"{self._kind()} from {self.origin}"
        text += f", {_counted(missing, 'image')} without a label" if missing else ""
        return text + (f", {_counted(self.num_unmatched, 'label')} of images that are not there" if self.num_unmatched else "")

    def _kind(self) -> str:
        if self.values.ndim == 1:
            names = [visible(name, 40) for name in self.class_names[:_MAX_NAMES]]
            return f"{len(self.class_names)} classes ({', '.join(names)}{', ...' if len(self.class_names) > _MAX_NAMES else ''})"
        known = self.values[~self.is_missing()]
        size = known.shape[1]
        if size == 1 or not np.isin(known, (0, 1)).all():
            return f"vectors of {_counted(size, 'number')}"
        sums = known.sum(axis=1)
        return f"one-hot vectors of {size} classes" if (sums == 1).all() else f"multi-label vectors of {size} classes"


def count_classes(labels: Labels, indices: Sequence[int]) -> dict[str, int]:
    """Number of images of every class among `indices`, in the order of classes; {} if labels are not classes."""
    if labels.values is None or not labels.class_names:
        return {}
    values = labels.values[np.asarray(indices, np.int64)]
    if values.ndim == 2:
        return count_labels(np.nan_to_num(values), labels.class_names)
    counts = np.bincount(values, minlength=len(labels.class_names))
    return {name: int(count) for name, count in zip(labels.class_names, counts, strict=True)}


def describe_imbalance(counts: dict[str, int]) -> str | None:
    """A sentence on classes that are empty or much smaller than others; None if there are none."""
    if len(counts) < 2:
        return None
    empty = [name for name, count in counts.items() if count == 0]
    if empty:
        return f"{len(empty)} of {len(counts)} classes have no images, the first is {empty[0]!r}."
    smallest, largest = min(counts, key=counts.get), max(counts, key=counts.get)
    ratio = counts[largest] / counts[smallest]
    if ratio < _IMBALANCE:
        return None
    return (
        f"Class sizes differ: {counts[largest]} images of {largest!r}, {counts[smallest]} of {smallest!r} ({ratio:.0f} to 1). "
        'To balance them in training, set data.balance="sqrt" or "uniform".'
    )


def labels_of_cells(cells: Sequence[Cell], where: str, place: Callable[[int], str]) -> Labels:
    """Labels from what a file states for each image.

    Empty cells, nan, null and -1 mean "no label". If all others are numbers, they are class numbers; else they are names. Among
    numbers, NA and None mean "no label" as well.
    Lists are vectors.

    Args:
        cells: one for each image.
        where: the file, for messages.
        place: "line 3" and the like for an image, for messages.

    Raises:
        UserError: classes and vectors are mixed, vectors of several lengths, or a number that is not a class.
    """
    cells = _all_settled(cells)
    vectors = [index for index, cell in enumerate(cells) if isinstance(cell, list)]
    if vectors:
        scalar = next((index for index, cell in enumerate(cells) if cell is not None and not isinstance(cell, list)), None)
        if scalar is not None:
            raise UserError(
                f"{where} must contain either classes only, or vectors of the same length only. "
                f"Received: {visible(cells[scalar], 60)} ({place(scalar)}) and a vector ({place(vectors[0])})"
            )
        return _labels_of_vectors(cells, vectors, where, place)
    numbers = [_number(cell) for cell in cells]
    if all(number is not None or cell is None for number, cell in zip(numbers, cells, strict=True)):
        return labels_of_array(np.array([np.nan if number is None else number for number in numbers], np.float64), where, place)
    return labels_of_names([None if cell is None else str(cell) for cell in cells], where)


def labels_of_array(values: np.ndarray, where: str, place: Callable[[int], str] = "image {}".format) -> Labels:
    """Labels from class numbers [n] (-1 or NaN: no label), or vectors [n, label_size] (NaN throughout: no label).

    Raises:
        UserError: a number that is not a class, a vector with NaN or infinity, or no label at all.
    """
    if values.ndim == 2:
        _check_width(values.shape[1], where)
        with np.errstate(over="ignore", invalid="ignore"):  # numbers too large for float32 are refused below
            vectors = values.astype(np.float32)
        wrong = np.flatnonzero(~(np.isfinite(vectors).all(axis=1) | np.isnan(vectors).all(axis=1)))
        if len(wrong):
            raise UserError(f"{where} contains NaN or infinity ({place(int(wrong[0]))}). Labels must be finite numbers.")
        if np.isnan(vectors).all():
            raise UserError(f"{where}: none of the images has a label.")
        return Labels(vectors, (), where)
    values = np.asarray(values, np.float64)
    is_missing = np.isnan(values) | (values == NO_CLASS)
    wrong = np.flatnonzero(~is_missing & ~((values == np.floor(values)) & (values >= 0) & (values < _MAX_CLASSES)))
    if len(wrong):
        raise UserError(
            f"{where}: class numbers must be integers from 0 to {_MAX_CLASSES - 1} (-1 for no label). "
            f"Received: {values[wrong[0]]:g} ({place(int(wrong[0]))}). {_NOT_CLASSES}"
        )
    if is_missing.all():
        raise UserError(f"{where}: none of the images has a label.")
    numbers = np.where(is_missing, NO_CLASS, values).astype(np.int64)
    return Labels(numbers, tuple(map(str, range(int(numbers.max()) + 1))), where)


def labels_of_names(classes: Sequence[str | None], where: str) -> Labels:
    """Labels from class names, None for a missing label; classes are in the order of `in_order`.

    Raises:
        UserError: no label at all, or two names for the same number.
    """
    classes = [None if name is None else class_name(name) for name in _all_settled(classes)]
    names = in_order({name for name in classes if name is not None})
    if not names:
        raise UserError(f"{where}: none of the images has a label.")
    spellings: dict[float, str] = {}
    for name in names:
        number = _number(name)
        if number is not None and spellings.setdefault(number, name) != name:
            raise UserError(f"{where}: the classes {spellings[number]!r} and {name!r} are the same number. Rename one of them.")
    numbers = {name: number for number, name in enumerate(names)}
    return Labels(np.array([NO_CLASS if name is None else numbers[name] for name in classes], np.int64), names, where)


def in_order(names: set[str]) -> tuple[str, ...]:
    """Class names sorted: numbers by value, then words alphabetically."""
    return tuple(sorted(names, key=lambda name: (_number(name) is None, _number(name) or 0.0, name)))


def is_number_or_missing(cell: str) -> bool:
    """True for a text that is a number, or that means "no label"."""
    return _settled(cell) is None or _number(cell.strip()) is not None


def _all_settled(cells: Sequence[Cell]) -> list[Cell]:
    """The cells as `_settled` returns them; None also for words that mean "no label" if all other cells are numbers."""
    cells = [_settled(cell) for cell in cells]
    words = {cell for cell in cells if isinstance(cell, str) and _number(cell) is None}
    is_numeric = any(isinstance(cell, str | int | float) and cell not in words for cell in cells)
    if not is_numeric or not all(word.lower() in _NO_LABEL_AMONG_NUMBERS for word in words):
        return cells
    return [None if isinstance(cell, str) and cell in words else cell for cell in cells]


def _settled(cell: Cell) -> Cell:
    """The cell without surrounding spaces; None for every way to write that there is no label."""
    if isinstance(cell, str):
        cell = cell.strip()
        return None if cell.lower() in _NO_LABEL or _number(cell) == NO_CLASS else cell
    if isinstance(cell, list):
        return None if cell and all(part is None or part != part for part in cell) else cell
    return None if cell is None or cell != cell or cell == NO_CLASS else cell


def _number(cell: Cell) -> float | None:
    """The value of a number, however it is written; None for words and for None."""
    if cell is None or (isinstance(cell, str) and not _NUMBER.fullmatch(cell)):
        return None
    try:
        return float(cell)
    except OverflowError:
        return float("inf")


def _labels_of_vectors(cells: list[Cell], vectors: list[int], where: str, place: Callable[[int], str]) -> Labels:
    """Labels from lists of numbers; other cells are None."""
    size = len(cells[vectors[0]])
    _check_width(size, where)
    values = np.full((len(cells), size), np.nan, np.float32)
    for index in vectors:
        vector = cells[index]
        wrong = next((part for part in vector if not isinstance(part, int | float) and part is not None), None)
        if wrong is not None:
            raise UserError(f"{where} must contain vectors of numbers. Received: {visible(wrong, 60)!r} ({place(index)})")
        if len(vector) != size or not size:
            raise UserError(
                f"{where} must contain vectors of the same length. Received lengths: {size} ({place(vectors[0])}) and "
                f"{len(vector)} ({place(index)})"
            )
        numbers = [np.nan if part is None else _number(part) for part in vector]
        if not all(abs(number) <= _MAX_FLOAT32 for number in numbers):
            raise UserError(
                f"{where}: a vector contains NaN or infinity, no number, or one too large for float32 ({place(index)}). "
                "Labels must be finite numbers; an image without a label has only empty numbers."
            )
        values[index] = numbers
    return Labels(values, (), where)


def _check_width(size: int, where: str) -> None:
    if size > _MAX_CLASSES:
        raise UserError(f"{where}: labels may have {_MAX_CLASSES:,} numbers at most. Received: {size:,}")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
