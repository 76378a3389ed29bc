"""From a source of images to a dataset: find, check, decide, estimate, write, report."""

import dataclasses
import errno
import functools
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf.data.check_images import CheckedImages, assume_checked, check_images, from_array
from stylegan_tf.data.decode import Decoded, decode_image_file, to_channels
from stylegan_tf.data.dedupe import find_duplicates
from stylegan_tf.data.disk import check_disk
from stylegan_tf.data.encoding import Encoder, Item
from stylegan_tf.data.fit import fit_image
from stylegan_tf.data.labels import Labels, count_classes, describe_imbalance, find_labels
from stylegan_tf.data.partial import clear_leftovers
from stylegan_tf.data.plan import Plan, decide
from stylegan_tf.data.prepare_options import PrepareOptions
from stylegan_tf.data.report import Report, write_report
from stylegan_tf.data.sources import Source, UnusableImage
from stylegan_tf.data.sources.base import printable
from stylegan_tf.data.writer import DatasetWriter
from stylegan_tf.errors import UserError
from stylegan_tf.files import write_text
from stylegan_tf.progress_bar import Progress, format_sec

SHUFFLE_SEED = 123  # the original's
_NUM_SAMPLES = 12  # images that disk and time are measured on before writing


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A source after the first pass: what will be written, and what will not."""

    source: Source
    options: PrepareOptions
    labels: Labels
    checked: CheckedImages
    plan: Plan
    crop: Callable[[Decoded, str], Decoded] | None

    def load(self, index: int) -> Item:
        """Image `index` of the source as it goes into the dataset.

        Raises:
            UnusableImage: it cannot be used after all (the file changed since it was checked).
        """
        content = self.source.read(index)
        decoded = decode_image_file(content, verify=False) if isinstance(content, bytes) else from_array(content)
        if self.crop:
            decoded = self.crop(decoded, self.source.names[index])
        plan, options = self.plan, self.options
        background = options.background_rgb()
        pixels = to_channels(decoded, plan.channels, background)
        fill = _fill(plan.channels, background)
        image = fit_image(pixels, plan.resolution, options.fit, fill=fill, wide_height=options.wide_height)
        passes = decoded.is_plain and image.shape == decoded.pixels.shape and decoded.size == image.shape[:2]
        return Item(image, self.labels.of(index), content if passes else None)


def build_dataset(source: Source, target_dir: str | Path, options: PrepareOptions, *, made_by: dict[str, Any], say=print) -> Report:
    """Makes a dataset of a source.

    Args:
        source: of the images.
        target_dir: see `DatasetWriter`.
        options: what is wanted.
        made_by: goes into the manifest, such as the command line.
        say: gets lines for the user.

    Raises:
        UserError: nothing usable, an unusable image with on_error "stop", an existing target, or a disk too small. Nothing
            is left behind.
    """
    ready_target(target_dir, options.overwrite, say=say)
    prepared = prepare(source, options, say=say)
    indices = writing_order(prepared.checked.indices, options.shuffle)
    plan = prepared.plan
    size, seconds = estimate(prepared, indices)
    shape = f"{plan.resolution}x{plan.resolution}x{plan.channels}"
    say(f"{len(indices)} images of {shape} as {options.encoding}: about {max(size / 1e6, 1):.0f} MB, {format_sec(seconds)}.")
    check_disk(Path(target_dir), int(1.1 * size))

    report = _write(prepared, indices, target_dir, made_by)
    say(f"{report.num_written} images in {target_dir}; what became of every file: {Path(target_dir) / 'report.html'}")
    return report


def prepare(source: Source, options: PrepareOptions, *, say=print) -> Prepared:
    """The first pass: labels, check of every image, duplicates, channels, resolution; writes nothing.

    Raises:
        UserError: nothing usable, or an unusable image with on_error "stop".
    """
    if not len(source):
        found = f" ({source.strangers.total} other files were left aside)" if source.strangers.total else ""
        raise UserError(f"{source.title} holds no images{found}.")
    labels = _renamed(find_labels(source, options.labels), options.class_names)
    say(describe_source(source, labels))
    crop = source.crop or _crop_function(options)
    indices = candidates(len(source), options)
    with_prints = options.dedupe != "none"
    if source.is_checked and not crop and not with_prints:
        checked = assume_checked(source, indices)
    else:
        checked = check_images(source, indices, labels, crop=crop, with_prints=with_prints, workers=options.workers)
    _drop_duplicates(checked, source, options)
    plan = decide(checked, options)
    _report_unusable(checked, source, options, say)
    if imbalance := describe_imbalance(count_classes(labels, checked.indices)):
        say(f"Note: {imbalance}")
    for sentence in plan.remarks:
        say(f"Note: {sentence}")
    return Prepared(source, options, labels, checked, plan, crop)


def candidates(count: int, options: PrepareOptions) -> np.ndarray:
    """Items that are looked at: all, or `max_images` of them: spread over the source where shuffled, the first otherwise."""
    if options.max_images is None or options.max_images >= count:
        return np.arange(count)
    return np.sort(writing_order(np.arange(count), options.shuffle)[: options.max_images])


def writing_order(indices: np.ndarray, shuffle: bool) -> np.ndarray:
    """The order of records: the original's RandomState(123), or the source's own."""
    order = np.arange(len(indices))
    if shuffle:
        np.random.RandomState(SHUFFLE_SEED).shuffle(order)
    return np.asarray(indices)[order]


def ready_target(target_dir: str | Path, overwrite: bool, *, say=print) -> None:
    """Clears what killed builds left; raises UserError for an existing target, before hours are spent on checking."""
    for sentence in clear_leftovers(Path(target_dir)):
        say(sentence)
    if Path(target_dir).exists() and not overwrite:
        raise UserError(f"{target_dir} exists. Take another name, or --overwrite to replace it.")


def describe_source(source: Source, labels: Labels) -> str:
    """One sentence on what was found."""
    text = f"{source.title}: {len(source)} images"
    if source.strangers.total:
        text += f", {source.strangers.total} other files left aside"
    if labels.values is None:
        return f"{text}, no labels."
    size = f"{len(labels.class_names)} classes" if labels.class_names else f"vectors of {labels.values.shape[1]}"
    return f"{text}; labels from {labels.origin}: {size}."


def estimate(prepared: Prepared, indices: np.ndarray) -> tuple[float, float]:
    """Bytes on disk and seconds that writing will take, measured on a few images."""
    encoder = _encoder(prepared)
    workers = prepared.options.workers or os.cpu_count() or 1
    samples = indices[np.linspace(0, len(indices) - 1, min(len(indices), _NUM_SAMPLES)).astype(int)]
    start, size, count = time.monotonic(), 0, 0
    for place, index in enumerate([samples[0], *samples]):
        if place == 1:  # once for nothing: the first image waits for what is imported and cached on the way
            start, size, count = time.monotonic(), 0, 0
        try:
            levels = encoder.encode([prepared.load(int(index))])
        except UnusableImage:
            continue
        size += sum(len(record) for level in levels for record in level.framed)
        count += 1
    share = len(indices) / max(count, 1)
    labels = prepared.labels
    label_size = labels.values.shape[1] if labels.values is not None and labels.values.ndim == 2 else len(labels.class_names)
    index_bytes = 8 * len(encoder.resolutions) * len(indices)
    return size * share + 4 * label_size * len(indices) + index_bytes, (time.monotonic() - start) * share / workers


def _write(prepared: Prepared, indices: np.ndarray, target_dir: str | Path, made_by: dict) -> Report:
    """The second pass: loads and writes images, then the report, before the dataset gets its name."""
    start = time.monotonic()
    lost: list[tuple[int, str, str]] = []
    options, plan = prepared.options, prepared.plan
    class_names = prepared.labels.class_names
    writer = DatasetWriter(
        target_dir,
        resolution=plan.resolution,
        channels=plan.channels,
        encoding=options.encoding,
        quality=options.quality,
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
            name = printable(prepared.source.names[index])
            if options.on_error == "stop":
                raise UserError(f"{name}: {problem} (it changed since it was checked). Nothing was written.") from None
            lost.append((index, problem.reason, f"{problem} (changed since it was checked)"))
            return None

    try:
        with writer:
            with Progress(len(indices), "Writing") as progress:
                writer.add_many((functools.partial(load, int(index)) for index in indices), options.workers)
            if not writer.num_images:
                raise UserError("No image could be read again for writing. Nothing was written.")
            dataset = writer.complete()
            missing = {index for index, _, _ in lost}
            written = [int(index) for index in indices if int(index) not in missing]
            report = Report.of(prepared, Path(target_dir).name, written, lost, time.monotonic() - start)
            write_report(report, prepared, dataset)
            for name, text in prepared.source.tables().items():
                write_text(dataset.path / name, text)
            return report
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise UserError(
            f"{target_dir} cannot be written: {error.strerror}. Nothing was left behind; make room and start again."
        ) from None


def _drop_duplicates(checked: CheckedImages, source: Source, options: PrepareOptions) -> None:
    if options.dedupe == "none":
        return
    distance = options.dedupe_distance if options.dedupe == "near" else None
    duplicates = {duplicate.place: duplicate for duplicate in find_duplicates(checked.prints, max_distance=distance)}
    originals = {place: printable(source.names[int(checked.indices[d.of])]) for place, d in duplicates.items()}

    def message(place: int) -> str:
        distance = duplicates[place].distance
        return f"duplicate: {'the same pixels as' if not distance else f'{distance} bits from'} {originals[place]}"

    checked.drop(sorted(duplicates), "duplicate", message)
    checked.prints = []


def _report_unusable(checked: CheckedImages, source: Source, options: PrepareOptions, say) -> None:
    """Says what cannot be used; with on_error "stop", refuses."""
    faults = [entry for entry in checked.unusable if entry[1] != "duplicate"]
    lines = [f"{printable(source.names[index])}: {message}" for index, _, message in sorted(faults)[:10]]
    more = f"\n  and {len(faults) - 10} more" if len(faults) > 10 else ""
    listing = "\n  ".join(["", *lines]) + more
    total = len(checked.indices) + len(checked.unusable)  # fewer than in the source with `max_images`
    if not len(checked.indices):
        raise UserError(f"None of the {total} images of {source.title} can be used:{listing}")
    if faults and options.on_error == "stop":
        raise UserError(
            f"{len(faults)} of {total} images cannot be used, nothing was written (--on-error skip leaves them out):{listing}"
        )
    if faults:
        say(f"{len(faults)} of {total} images cannot be used and are skipped:{listing}")
    if duplicates := len(checked.unusable) - len(faults):
        say(f"{duplicates} duplicates are left out.")


def _crop_function(options: PrepareOptions) -> Callable[[Decoded, str], Decoded] | None:
    if options.crop == "none":
        return None
    from stylegan_tf.data.cut_out import SegmentCrop

    return SegmentCrop(options.margin, options.mask_dir)


def _renamed(labels: Labels, class_names: Sequence[str]) -> Labels:
    """Labels with the class names that the user gave."""
    if not class_names:
        return labels
    if labels.values is None:
        raise UserError("Class names were given, but there are no labels.")
    size = len(labels.class_names) or labels.values.shape[1]
    if len(class_names) != size:
        raise UserError(f"{len(class_names)} class names were given for {size} classes.")
    return dataclasses.replace(labels, class_names=tuple(class_names))


def _encoder(prepared: Prepared) -> Encoder:
    plan, options = prepared.plan, prepared.options
    return Encoder(resolution=plan.resolution, channels=plan.channels, encoding=options.encoding, quality=options.quality)


def _fill(channels: int, background: tuple[int, int, int]) -> tuple[int, ...]:
    """The background in the channels of the dataset; transparent where there is an alpha channel."""
    if channels == 1:
        return (round(0.299 * background[0] + 0.587 * background[1] + 0.114 * background[2]),)
    return background if channels == 3 else (*background, 0)
