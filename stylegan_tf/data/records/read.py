"""Images of a dataset by number, for grids, metrics and display."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from stylegan_tf.data.records.codecs import decode_image
from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.data.records.level import Level
from stylegan_tf.data.records.tfrecords import COPY_AGAIN
from stylegan_tf.errors import UserError

_NUM_THREADS = min(8, os.cpu_count() or 1)


def read_images(dataset: Dataset, indices: Sequence[int], resolution: int | None = None) -> np.ndarray:
    """Reads images by their place in the records.

    Args:
        dataset: from `open_dataset`.
        indices: from 0 to num_images - 1, in any order, repeated at will.
        resolution: of the level to read; None is the largest.

    Returns:
        uint8 [n, R, R, C].

    Raises:
        UserError: an index outside the dataset, no such level, or a damaged record (names file and record).
    """
    level = dataset.level(dataset.resolution if resolution is None else resolution)
    indices = np.asarray(indices, np.int64).reshape(-1)
    outside = indices[(indices < 0) | (indices >= level.num_images)]
    if len(outside):
        raise UserError(f"{dataset.path} has images 0 to {level.num_images - 1}. Received: {outside[0]}")
    if level.encoding == "raw":
        return level.read_raw(indices)
    images = np.empty((len(indices), level.resolution, level.resolution, level.channels), np.uint8)
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        for place, image in enumerate(pool.map(lambda index: decode_record(level, int(index)), indices)):
            images[place] = image
    return images


def decode_record(level: Level, index: int) -> np.ndarray:
    """One image of a level, uint8 [R, R, C]; raises UserError naming file and record where it is damaged."""
    try:
        return decode_image(level.read_data(index), level.encoding, level.shape)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{level.where(index)} {error}. {COPY_AGAIN}") from error
