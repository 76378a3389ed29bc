"""Compares two datasets image by image."""

from typing import NamedTuple

import numpy as np

from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.data.records.read import decode_record
from stylegan_tf.errors import UserError
from stylegan_tf.parallel import parallel_map
from stylegan_tf.progress_bar import track


class Comparison(NamedTuple):
    """How two datasets compare; counts are over the images that both have places for."""

    num_compared: int
    identical_images: int
    identical_labels: int | None  # None where labels were left alone
    first_difference: int | None
    extra_images: int  # that the longer one has beyond the shorter

    @property
    def is_same(self) -> bool:
        """True where nothing differs."""
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
        return np.array_equal(decode_record(levels[0], index), decode_record(levels[1], index))

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
