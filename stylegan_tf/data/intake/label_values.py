"""Labels of images in memory: class numbers, or vectors of numbers."""

import dataclasses

import numpy as np

from stylegan_tf.errors import UserError

NO_CLASS = -1  # class number of an image that has none
_MAX_CLASSES = 100_000


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


def labels_of_array(values: np.ndarray, where: str) -> Labels:
    """Class numbers [n], or numbers [n, label_size]."""
    if values.ndim == 1:
        return labels_of_numbers(values, where)
    vectors = values.astype(np.float32)
    if not np.isfinite(vectors).all():
        raise UserError(f"{where} holds labels that are no numbers (NaN or infinity).")
    return Labels(vectors, (), where)


def labels_of_numbers(values: np.ndarray, where: str) -> Labels:
    """Labels that are class numbers already; classes are named by their number."""
    values = np.asarray(values, np.float64)
    is_right = (values == np.floor(values)) & (values >= NO_CLASS) & (values < _MAX_CLASSES)
    if not is_right.all():
        raise UserError(f"{where}: class numbers are whole and from 0 to {_MAX_CLASSES - 1}. Received: {values[~is_right][0]:g}")
    numbers = values.astype(np.int64)
    if (numbers == NO_CLASS).all():
        raise UserError(f"{where}: not one image has a class (all are {NO_CLASS}).")
    return Labels(numbers, tuple(map(str, range(int(numbers.max(initial=-1)) + 1))), where)


def labels_of_names(classes: list[str | None], where: str) -> Labels:
    """Class numbers of names."""
    class_names = in_order({name for name in classes if name is not None})
    numbers = {name: number for number, name in enumerate(class_names)}
    return Labels(np.array([NO_CLASS if name is None else numbers[name] for name in classes], np.int64), class_names, where)


def in_order(names: set[str]) -> tuple[str, ...]:
    """Class names sorted, by value where all are numbers."""
    return tuple(sorted(names, key=int) if all(name.isascii() and name.isdigit() for name in names) else sorted(names))
