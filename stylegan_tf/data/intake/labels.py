"""Labels of the images of a source: class numbers, or vectors of numbers."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from stylegan_tf.errors import UserError

NO_CLASS = -1  # class number of an image without a label
_MAX_CLASSES = 100_000
_IMBALANCE = 10  # ratio of the largest class to the smallest from which the user is notified


@dataclasses.dataclass(frozen=True)
class Labels:
    """Labels of the items of a source.

    `values` is int64 [n] class numbers (NO_CLASS for a missing label), float32 [n, label_size] (NaN for a missing label),
    or None without labels.
    `origin` describes where they come from, for the report.
    """

    values: np.ndarray | None
    class_names: tuple[str, ...] = ()
    origin: str = "none"

    def has(self, index: int) -> bool:
        """True if item `index` has a label, or if there are no labels at all."""
        if self.values is None:
            return True
        return not np.isnan(self.values[index]).any() if self.values.ndim == 2 else self.values[index] != NO_CLASS

    def has_all(self) -> bool:
        """True if every item has a label, or if there are no labels at all."""
        if self.values is None:
            return True
        return not (np.isnan(self.values) if self.values.ndim == 2 else self.values == NO_CLASS).any()

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


def count_classes(labels: Labels, indices: Sequence[int]) -> dict[str, int]:
    """Number of images of every class among `indices`, in the order of classes; {} if labels are not classes."""
    if labels.values is None or not labels.class_names:
        return {}
    values = labels.values[np.asarray(indices, np.int64)]
    counts = np.bincount(values, minlength=len(labels.class_names)) if values.ndim == 1 else values.sum(axis=0)
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


def labels_of_array(values: np.ndarray, where: str) -> Labels:
    """Labels from class numbers [n], or vectors [n, label_size]."""
    if values.ndim == 1:
        return labels_of_numbers(values, where)
    vectors = values.astype(np.float32)
    if not np.isfinite(vectors).all():
        raise UserError(f"{where} contains NaN or infinity. Labels must be finite numbers.")
    return Labels(vectors, (), where)


def labels_of_numbers(values: np.ndarray, where: str) -> Labels:
    """Labels from class numbers; each class is named by its number."""
    values = np.asarray(values, np.float64)
    is_right = (values == np.floor(values)) & (values >= NO_CLASS) & (values < _MAX_CLASSES)
    if not is_right.all():
        raise UserError(f"{where}: class numbers must be integers from 0 to {_MAX_CLASSES - 1}. Received: {values[~is_right][0]:g}")
    numbers = values.astype(np.int64)
    if (numbers == NO_CLASS).all():
        raise UserError(f"{where}: none of the images has a class (all are {NO_CLASS}).")
    return Labels(numbers, tuple(map(str, range(int(numbers.max(initial=-1)) + 1))), where)


def labels_of_names(classes: list[str | None], where: str) -> Labels:
    """Labels from class names, None for a missing label."""
    class_names = in_order({name for name in classes if name is not None})
    numbers = {name: number for number, name in enumerate(class_names)}
    return Labels(np.array([NO_CLASS if name is None else numbers[name] for name in classes], np.int64), class_names, where)


def in_order(names: set[str]) -> tuple[str, ...]:
    """Class names sorted: by value if all are numbers, else alphabetically."""
    return tuple(sorted(names, key=int) if all(name.isascii() and name.isdigit() for name in names) else sorted(names))
