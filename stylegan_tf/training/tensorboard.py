"""Event files for TensorBoard: written during training, cut when a run is resumed."""

import contextlib
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.util.event_pb2 import Event

MAX_PICTURE_WIDTH = 1600  # pixels


class EventWriter:
    """Writes scalars, pictures, texts, histograms and graphs; the step is the number of real images shown.

    Args:
        folder: where a new event file is created.
    """

    def __init__(self, folder: Path):
        self._writer = tf.summary.create_file_writer(str(folder))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self._writer.as_default():
            yield
        self._writer.flush()

    def scalars(self, values: Mapping[str, float], nimg: int) -> None:
        """Writes scalars by tag."""
        with self._writing():
            for tag, value in values.items():
                tf.summary.scalar(tag, value, step=nimg)

    def picture(self, tag: str, image: np.ndarray, nimg: int) -> None:
        """Writes an image, uint8 [H, W, C]; one wider than 1,600 pixels is made smaller, or the file would grow by MBs a tick."""
        step = -(-image.shape[1] // MAX_PICTURE_WIDTH)
        with self._writing():
            tf.summary.image(tag, image[None, ::step, ::step], step=nimg)

    def text(self, tag: str, text: str, nimg: int) -> None:
        """Writes a text, shown with a fixed width."""
        with self._writing():
            tf.summary.text(tag, "\n".join(f"    {line}" for line in text.splitlines()), step=nimg)

    def histograms(self, values: Mapping[str, np.ndarray], nimg: int) -> None:
        """Writes histograms of arrays by tag."""
        with self._writing():
            for tag, value in values.items():
                tf.summary.histogram(tag, value, step=nimg)

    def graph(self, graph: tf.Graph) -> None:
        """Writes a graph."""
        with self._writing():
            tf.summary.graph(graph)

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()


def drop_events_after(folder: Path, nimg: int) -> list[str]:
    """Rewrites the event files of a run without the steps after `nimg`. Returns what was dropped, for the log."""
    dropped = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        records, is_whole = [], False
        _cut_after_last_record(path)
        with contextlib.suppress(tf.errors.DataLossError):  # the process was killed while it wrote the last record
            records.extend(record.numpy() for record in tf.data.TFRecordDataset(str(path)))
            is_whole = True
        kept = [record for record in records if _step(record) <= nimg]
        if len(kept) < len(records) or not is_whole:
            temporary = str(path) + ".partial"
            with tf.io.TFRecordWriter(temporary) as writer:
                for record in kept:
                    writer.write(record)
            os.replace(temporary, path)
            dropped.append(f"{len(records) - len(kept)} events")
    return dropped


def _cut_after_last_record(path: Path) -> None:
    """Cuts a file at the first record that does not end within it: TensorFlow would allocate whatever length such a record states."""
    size, end = path.stat().st_size, 0
    with open(path, "rb+") as file:
        while end < size:
            file.seek(end)
            header = file.read(8)
            next_end = end + 16 + int.from_bytes(header, "little")  # length, its checksum, content, its checksum
            if len(header) < 8 or next_end > size:
                file.truncate(end)
                return
            end = next_end


def _step(record: bytes) -> float:
    """Step of an event; infinity for a record that is not an event, which is dropped."""
    try:
        return Event.FromString(record).step
    except DecodeError:
        return math.inf
