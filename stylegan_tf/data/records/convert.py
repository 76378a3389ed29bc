"""Copies a dataset into another encoding: the original's raw records to ours, and back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.data.records.disk import estimate_bytes
from stylegan_tf.data.records.encoding import Item
from stylegan_tf.data.records.read import decode_record
from stylegan_tf.data.records.target import FACTORS_NAME, ready_target
from stylegan_tf.data.records.writer import DatasetWriter
from stylegan_tf.files import write_text
from stylegan_tf.progress_bar import Progress


def convert_dataset(
    dataset: Dataset, target_dir: str | Path, *, made_by: dict[str, Any], workers: int | None = None, say=print, **output: Any
) -> None:
    """Writes the images of a dataset anew, in the same order, with their labels.

    Args:
        dataset: from `open_dataset`.
        target_dir: see `DatasetWriter`.
        made_by: see `DatasetWriter`.
        workers: threads; None takes one for each processor.
        say: gets lines for the user.
        output: encoding, quality, num_shards and overwrite of `DatasetWriter`.

    Raises:
        UserError: a damaged record, an existing target, or a disk too small; nothing is left behind.
    """
    ready_target(target_dir, output.get("overwrite", False), sources=[dataset.path], say=say)
    level = dataset.level(dataset.resolution)
    writer = DatasetWriter(
        target_dir,
        resolution=dataset.resolution,
        channels=dataset.channels,
        class_names=dataset.class_names or None,
        expected_images=dataset.num_images,
        made_by=made_by,
        **output,
    )
    encoding = output.get("encoding", "png")
    facts = {"resolution": dataset.resolution, "channels": dataset.channels, "encoding": encoding, "label_size": dataset.label_size}
    size = estimate_bytes(dataset.num_images, **facts)
    shape = f"{dataset.resolution}x{dataset.resolution}x{dataset.channels}"
    say(f"{dataset.num_images} images of {shape} as {encoding}: about {max(size / 1e6, 1):.0f} MB.")
    with writer, Progress(dataset.num_images, "Converting") as progress:

        def load(index: int) -> Callable[[], Item]:
            def item() -> Item:
                progress.advance()
                encoded = bytes(level.read_data(index)) if dataset.encoding == encoding else None
                label = dataset.labels[index] if dataset.label_size else None
                return Item(decode_record(level, index), label, encoded)

            return item

        writer.add_many(map(load, range(dataset.num_images)), workers)
        target = writer.complete().path
        if (dataset.path / FACTORS_NAME).is_file():
            write_text(target / FACTORS_NAME, (dataset.path / FACTORS_NAME).read_text(encoding="utf-8"))
