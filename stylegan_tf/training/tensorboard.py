"""Event files for TensorBoard."""

from pathlib import Path
from typing import Any

import tensorflow as tf


class EventWriter:
    """Writes scalars and histograms; the step is the number of real images shown.

    Args:
        folder: where the event files go.
        suffix: end of the file's name, with the image count it starts at, so that a resumed run can tell what is newer.
    """

    def __init__(self, folder: Path, suffix: str):
        self._writer = tf.summary.create_file_writer(str(folder), filename_suffix=suffix)

    def scalars(self, values: dict[str, float], nimg: int) -> None:
        """Writes scalars by tag."""
        with self._writer.as_default():
            for tag, value in values.items():
                tf.summary.scalar(tag, value, step=nimg)
        self._writer.flush()

    def histograms(self, values: dict[str, Any], nimg: int) -> None:
        """Writes histograms of arrays by tag."""
        with self._writer.as_default():
            for tag, value in values.items():
                tf.summary.histogram(tag, value, step=nimg)
        self._writer.flush()

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()
