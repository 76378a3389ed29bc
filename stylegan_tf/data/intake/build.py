"""The build of a dataset from a source of images, or from another dataset: first pass, estimate of size, records, report."""

import functools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf.data.intake.options import PrepareOptions
from stylegan_tf.data.intake.prepare import Prepared, prepare, writing_order
from stylegan_tf.data.intake.report import Report, write_report
from stylegan_tf.data.records.codecs import JPEG_QUALITY
from stylegan_tf.data.records.dataset import Dataset
from stylegan_tf.data.records.manifest import FACTORS_NAME
from stylegan_tf.data.records.target import check_disk, ready_target
from stylegan_tf.data.records.writer import DatasetWriter
from stylegan_tf.data.records.writing import Encoder, Item
from stylegan_tf.data.sources.base import Source, UnusableImage, numbered_names
from stylegan_tf.display import say, visible
from stylegan_tf.errors import UserError
from stylegan_tf.files import read_bounded, write_text
from stylegan_tf.progress_bar import Progress

_MAX_FACTORS_BYTES = 1 << 30
_NUM_SAMPLES = 12  # images that the size is estimated from


def build_dataset(
    source: Source,
    target_dir: str | Path,
    options: PrepareOptions,
    *,
    made_by: dict[str, Any],
    sources: Sequence[str] = (),
    say: Callable[[str], None] = say,
) -> Report:
    """Makes a dataset from a source.

    Args:
        target_dir: see `DatasetWriter`.
        made_by: for the manifest, such as the command line.
        sources: files and folders that the images come from: never overwritten.

    Raises:
        UserError: no usable images, an unusable image with on_error "stop", an existing target, too little disk space, or an image
            that changed after it was checked. Nothing is left at the target.
    """
    ready_target(target_dir, options.overwrite, sources=sources, say=say)
    prepared = prepare(source, options, say=say)
    indices = writing_order(prepared.checked.indices, options.shuffle)
    plan = prepared.plan
    size = estimate(prepared, indices)
    shape = f"{plan.resolution}x{plan.resolution}x{plan.channels}"
    say(f"{len(indices)} images of {shape} as {options.encoding}: about {max(size / 1e6, 1):.0f} MB.")
    check_disk(Path(target_dir), int(1.1 * size))
    report = _write(prepared, indices, target_dir, made_by)
    say(f"Labels: {report.labels}.")
    say(f"{report.num_written} images in {target_dir}; report on every file: {Path(target_dir) / 'report.html'}")
    return report


def estimate(prepared: Prepared, indices: np.ndarray) -> float:
    """Bytes on disk, extrapolated from a few images."""
    plan, options, labels = prepared.plan, prepared.options, prepared.labels
    encoder = Encoder(
        resolution=plan.resolution, channels=plan.channels, encoding=options.encoding, quality=options.quality or JPEG_QUALITY
    )
    samples = indices[np.linspace(0, len(indices) - 1, min(len(indices), _NUM_SAMPLES)).astype(int)]
    levels = encoder.encode([_load(prepared, int(index)) for index in samples])
    size = sum(len(record) for level in levels for record in level.framed) / len(samples)
    label_size = labels.values.shape[1] if labels.values is not None and labels.values.ndim == 2 else len(labels.class_names)
    return (size + 4 * label_size + 8 * len(levels)) * len(indices)  # a label, and an entry in the index of each level


def _load(prepared: Prepared, index: int) -> Item:
    try:
        return prepared.load(index)
    except UnusableImage as problem:
        name = visible(prepared.source.names[index])
        raise UserError(f"{name}: {problem} (it changed since it was checked). Nothing was written.") from None


def _write(prepared: Prepared, indices: np.ndarray, target_dir: str | Path, made_by: dict) -> Report:
    """The second pass: loads and writes images, then the report; the dataset is renamed to its target last."""
    start = time.monotonic()
    options, plan = prepared.options, prepared.plan
    writer = DatasetWriter(
        target_dir,
        resolution=plan.resolution,
        channels=plan.channels,
        encoding=options.encoding,
        quality=options.quality or JPEG_QUALITY,
        class_names=prepared.labels.class_names or None,
        overwrite=options.overwrite,
        made_by=made_by,
    )

    def load(index: int) -> Item:
        progress.advance()
        return _load(prepared, index)

    with writer:
        with Progress(len(indices), "Writing") as progress:
            writer.add_many((functools.partial(load, int(index)) for index in indices), options.workers)
        dataset = writer.complete()
        report = Report.of(prepared, dataset, Path(target_dir).name, time.monotonic() - start)
        write_report(report, prepared, dataset)
        for name, text in prepared.source.tables().items():
            write_text(dataset.path / name, text)
    return report


class DatasetSource(Source):
    """Images and labels of a dataset, ours or the original's, in the order of its records."""

    is_checked = True

    def __init__(self, dataset: Dataset):
        super().__init__()
        self.title, self.names, self.class_names = str(dataset.path), numbered_names(dataset.num_images), dataset.class_names
        self.labels = dataset.labels if dataset.label_size else None
        self._dataset, self._level = dataset, dataset.level(dataset.resolution)

    def read(self, index):
        """Image `index`, uint8 [R, R, C]; UserError for a damaged record."""
        return self._level.read_image(index)

    def tables(self) -> dict[str, str]:
        """The table of factors, if there is one."""
        path = self._dataset.path / FACTORS_NAME
        return {FACTORS_NAME: read_bounded(path, _MAX_FACTORS_BYTES).decode("utf-8", "backslashreplace")} if path.is_file() else {}
