"""Event files for TensorBoard: written during training, cut when a run is resumed."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.util.event_pb2 import Event


class EventWriter:
    """Writes scalars, histograms and graphs; the step is the number of real images shown.

    Args:
        folder: where a new event file is created.
    """

    def __init__(self, folder: Path):
        self._writer = tf.summary.create_file_writer(str(folder))

    def scalars(self, values: Mapping[str, float], nimg: int) -> None:
        """Writes scalars by tag."""
        with self._writer.as_default():
            for tag, value in values.items():
                tf.summary.scalar(tag, value, step=nimg)
        self._writer.flush()

    def histograms(self, values: Mapping[str, np.ndarray], nimg: int) -> None:
        """Writes histograms of arrays by tag."""
        with self._writer.as_default():
            for tag, value in values.items():
                tf.summary.histogram(tag, value, step=nimg)
        self._writer.flush()

    def graph(self, graph: tf.Graph) -> None:
        """Writes a graph."""
        with self._writer.as_default():
            tf.summary.graph(graph)
        self._writer.flush()

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()


def drop_events_after(folder: Path, nimg: int) -> list[str]:
    """Rewrites the event files of a run without the steps after `nimg`. Returns what was dropped, for the log."""
    dropped = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        records, is_whole = [], False
        with contextlib.suppress(tf.errors.DataLossError):  # the process was killed while it wrote the last record
            records.extend(record.numpy() for record in tf.data.TFRecordDataset(str(path)))
            is_whole = True
        kept = [record for record in records if Event.FromString(record).step <= nimg]
        if len(kept) < len(records) or not is_whole:
            temporary = str(path) + ".partial"
            with tf.io.TFRecordWriter(temporary) as writer:
                for record in kept:
                    writer.write(record)
            os.replace(temporary, path)
            dropped.append(f"{len(records) - len(kept)} events")
    return dropped
