"""Event files for TensorBoard."""

from pathlib import Path
from typing import Any

import tensorflow as tf


class EventWriter:
    """Writes scalars and histograms; the step is the number of real images shown.

    Args:
        folder: where a new event file goes.
    """

    def __init__(self, folder: Path):
        self._writer = tf.summary.create_file_writer(str(folder))

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

    def graph(self, concrete_function: Any) -> None:
        """Writes the graph of a traced function."""
        with self._writer.as_default():
            tf.summary.graph(concrete_function.graph)
        self._writer.flush()

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()
