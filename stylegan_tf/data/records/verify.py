"""Reads a whole dataset and looks for damage: checksums, decoding, shapes, labels, and the digest."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.data.records.level import Level
from stylegan_tf.data.records.read import decode_record
from stylegan_tf.data.records.record_file import scan_offsets
from stylegan_tf.data.records.tfrecords import COPY_AGAIN
from stylegan_tf.errors import UserError

_CHUNK_BYTES = 4 << 20


def check_records(dataset: Dataset, on_progress: Callable[[int, int], None] | None = None, *, workers: int | None = None) -> None:
    """Reads every record of every level; returns where all is well.

    Args:
        dataset: from `open_dataset`.
        on_progress: called now and then with the records checked so far and all there are.
        workers: threads; None takes one for each processor.

    Raises:
        UserError: the first damage found; names file and record.
    """
    total, done = dataset.num_images * len(dataset.resolutions), 0
    for resolution in reversed(dataset.resolutions):
        level = dataset.level(resolution)
        for file in level.files:
            if not np.array_equal(scan_offsets(file.path), file.offsets):
                raise UserError(f"{file.path}: the index beside it belongs to another file. Delete the index.")
        with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            for count in pool.map(lambda rows, level=level: _check_rows(level, *rows), _row_ranges(level)):
                done += count
                if on_progress:
                    on_progress(done, total)
    _check_labels(dataset)
    if dataset.manifest and dataset.measured_digest() != dataset.manifest.digest:
        raise UserError(f"{dataset.path}: images or labels are not those the manifest was written for (their digest differs). {COPY_AGAIN}")


def _row_ranges(level: Level) -> Iterator[tuple[int, int, int]]:
    """Shard, first and last record (exclusive) of pieces of a few megabytes."""
    for shard, file in enumerate(level.files):
        first = 0
        while first < len(file):
            stop = int(np.searchsorted(file.offsets, file.offsets[first] + _CHUNK_BYTES))
            stop = min(len(file), max(first + 1, stop))
            yield shard, first, stop
            first = stop


def _check_rows(level: Level, shard: int, first: int, stop: int) -> int:
    """Checks some records of one file: their checksums, then every image."""
    file = level.files[shard]
    rows = range(first, stop)
    file.check_payloads(rows, [file.read_payload(row) for row in rows])
    for row in rows:
        decode_record(level, row * len(level.files) + shard)
    return stop - first


def _check_labels(dataset: Dataset) -> None:
    for first in range(0, dataset.num_images if dataset.label_size else 0, 4096):
        wrong = np.flatnonzero(~np.isfinite(dataset.labels[first : first + 4096]).all(axis=1))
        if len(wrong):
            raise UserError(f"{dataset.path}: the label of image {first + wrong[0]} holds a number that is not finite.")
