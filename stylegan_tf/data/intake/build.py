"""The build of a dataset from a source of images: first pass, estimate of size and time, records, report."""

import errno
import functools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf.data.intake.options import PrepareOptions
from stylegan_tf.data.intake.prepare import Prepared, choose_channels, list_unusable, prepare, writing_order
from stylegan_tf.data.intake.report import Report, write_report
from stylegan_tf.data.records.codecs import JPEG_QUALITY
from stylegan_tf.data.records.encoding import Encoder, Item, estimate_bytes
from stylegan_tf.data.records.target import check_disk, ready_target
from stylegan_tf.data.records.writer import DatasetWriter
from stylegan_tf.data.sources.base import Source, UnusableImage
from stylegan_tf.display import say, visible
from stylegan_tf.errors import UserError
from stylegan_tf.files import write_text
from stylegan_tf.progress_bar import Progress, format_sec

_NUM_SAMPLES = 12  # images that size and time are estimated from
_MAX_LISTED = 10  # unusable images listed by name


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
        source: of the images.
        target_dir: see `DatasetWriter`.
        options: of the dataset.
        made_by: for the manifest, such as the command line.
        sources: files and folders that the images come from: never overwritten.
        say: receives lines for the user.

    Raises:
        UserError: no usable images, an unusable image with on_error "stop", an existing target, or too little disk space.
            Nothing is left at the target.
    """
    ready_target(target_dir, options.overwrite, sources=sources, say=say)
    decode_all = options.on_error == "stop" or options.resolution is None  # damaged files must not influence the resolution
    try:
        report = _build(source, target_dir, options, made_by, decode_all, say)
    except _ChannelsChangedError:
        say("Without the damaged images, the majority is of another kind. Starting again, decoding all images first.")
        report = _build(source, target_dir, options, made_by, True, say)
    say(f"Labels: {report.labels}.")
    say(f"{report.num_written} images in {target_dir}; report on every file: {Path(target_dir) / 'report.html'}")
    return report


class _ChannelsChangedError(Exception):
    """The number of channels was chosen from images some of which turned out to be damaged."""


def _build(
    source: Source, target_dir: str | Path, options: PrepareOptions, made_by: dict, decode_all: bool, say: Callable[[str], None]
) -> Report:
    prepared = prepare(source, options, decode_all=decode_all, max_listed=_MAX_LISTED, say=say)
    indices = writing_order(prepared.checked.indices, options.shuffle)
    plan = prepared.plan
    size, seconds = estimate(prepared, indices)
    shape = f"{plan.resolution}x{plan.resolution}x{plan.channels}"
    say(f"{len(indices)} images of {shape} as {options.encoding}: about {max(size / 1e6, 1):.0f} MB, {format_sec(seconds)}.")
    check_disk(Path(target_dir), int(1.1 * size))

    return _write(prepared, indices, target_dir, made_by, say)


def estimate(prepared: Prepared, indices: np.ndarray) -> tuple[float, float]:
    """Bytes on disk and seconds that writing will take, extrapolated from a few images."""
    encoder = _encoder(prepared)
    workers = prepared.options.workers or os.cpu_count() or 1
    samples = indices[np.linspace(0, len(indices) - 1, min(len(indices), _NUM_SAMPLES)).astype(int)]
    start, size, count = time.monotonic(), 0, 0
    for place, index in enumerate([samples[0], *samples]):
        if place == 1:  # the first image is encoded twice: the first time includes imports and filling caches
            start, size, count = time.monotonic(), 0, 0
        try:
            levels = encoder.encode([prepared.load(int(index))])
        except UnusableImage:
            continue
        size += sum(len(record) for level in levels for record in level.framed)
        count += 1
    if not count:  # all samples are damaged
        plan, encoding = prepared.plan, prepared.options.encoding
        return estimate_bytes(len(indices), resolution=plan.resolution, channels=plan.channels, encoding=encoding), 0.0
    share = len(indices) / len(samples)
    labels = prepared.labels
    label_size = labels.values.shape[1] if labels.values is not None and labels.values.ndim == 2 else len(labels.class_names)
    index_bytes = 8 * len(encoder.resolutions) * len(indices)
    return size * share + 4 * label_size * len(indices) + index_bytes, (time.monotonic() - start) * share / workers


def _write(prepared: Prepared, indices: np.ndarray, target_dir: str | Path, made_by: dict, say: Callable[[str], None]) -> Report:
    """The second pass: loads, verifies and writes images, then the report; the dataset is renamed to its target last."""
    start = time.monotonic()
    lost: list[tuple[int, str, str]] = []
    options, plan = prepared.options, prepared.plan
    class_names = prepared.labels.class_names
    writer = DatasetWriter(
        target_dir,
        resolution=plan.resolution,
        channels=plan.channels,
        encoding=options.encoding,
        quality=options.quality or JPEG_QUALITY,
        class_names=class_names or None,
        num_shards=options.num_shards,
        overwrite=options.overwrite,
        made_by=made_by,
    )

    def load(index: int) -> Item | None:
        progress.advance()
        try:
            return prepared.load(index)
        except UnusableImage as problem:
            name = visible(prepared.source.names[index])
            if options.on_error == "stop":
                raise UserError(f"{name}: {problem} (it changed since it was checked). Nothing was written.") from None
            lost.append((index, problem.reason, f"{problem} (changed since it was checked)" if prepared.is_decoded else str(problem)))
            return None

    try:
        with writer:
            with Progress(len(indices), "Writing") as progress:
                writer.add_many((functools.partial(load, int(index)) for index in indices), options.workers)
            if lost:
                listing = list_unusable(prepared.source, lost, _MAX_LISTED)
                if not writer.num_images:
                    raise UserError(f"None of the {len(indices)} images can be used, nothing was written:", *listing)
                prepared.checked.drop_items(lost)
                if not prepared.is_decoded and options.channels is None and choose_channels(prepared.checked, options) != plan.channels:
                    raise _ChannelsChangedError
                problem = f"{len(lost)} of {len(indices)} images could not be decoded when they were written, and are skipped:"
                for line in [problem, *listing]:
                    say(line)
            dataset = writer.complete()
            written = indices[np.isin(indices, prepared.checked.indices)].tolist()
            report = Report.of(prepared, Path(target_dir).name, written, time.monotonic() - start)
            write_report(report, prepared, dataset)
            for name, text in prepared.source.tables().items():
                write_text(dataset.path / name, text)
            return report
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise UserError(
            f"{target_dir} cannot be written: {error.strerror}. Nothing was left there. Free some disk space and try again."
        ) from None


def _encoder(prepared: Prepared) -> Encoder:
    plan, options = prepared.plan, prepared.options
    return Encoder(resolution=plan.resolution, channels=plan.channels, encoding=options.encoding, quality=options.quality or JPEG_QUALITY)
