"""The decisions before a dataset is written: labels, usable images, resolution and channels. Writes nothing."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from stylegan_tf.data.intake.check_images import DUPLICATE, KINDS, CheckedImages, assume_checked, check_images, drop_duplicates
from stylegan_tf.data.intake.colour import background_pixel, to_channels
from stylegan_tf.data.intake.crop import BoxCrop, Crop, SegmentCrop
from stylegan_tf.data.intake.decode import ALPHA, GREY, decode_image_file
from stylegan_tf.data.intake.find_labels import find_labels
from stylegan_tf.data.intake.fit import fit_image, used_side
from stylegan_tf.data.intake.labels import Labels, count_classes, describe_imbalance
from stylegan_tf.data.intake.options import PrepareOptions
from stylegan_tf.data.records.writing import Item
from stylegan_tf.data.sources.base import Source
from stylegan_tf.display import say, visible
from stylegan_tf.errors import UserError
from stylegan_tf.resolution import MAX_RESOLUTION, MIN_RESOLUTION, is_power_of_two

SHUFFLE_SEED = 123  # as in the original release
_REACHED_BY = 0.95  # share of the images that need not be enlarged at the resolution chosen for them


@dataclasses.dataclass(frozen=True)
class Plan:
    """Shape of the images to be written; `remarks` are sentences for the user."""

    resolution: int
    channels: int
    remarks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A source after the first pass, with everything needed to write its images."""

    source: Source
    options: PrepareOptions
    labels: Labels
    checked: CheckedImages
    plan: Plan
    crop: Crop | None

    def load(self, index: int) -> Item:
        """Image `index` of the source as it is written to the dataset.

        Raises:
            UnusableImage: it changed since the first pass.
        """
        content = self.source.read(index)
        decoded = decode_image_file(content, self.options.max_pixels)
        if self.crop:
            decoded = self.crop(decoded, self.source.names[index])
        plan, options = self.plan, self.options
        background = options.background_rgb()
        pixels = to_channels(decoded.pixels, plan.channels, background)
        fill = background_pixel(plan.channels, background)
        image = fit_image(pixels, plan.resolution, options.fit, fill=fill, wide_height=options.wide_height)
        is_unchanged = decoded.is_plain and image.shape == decoded.pixels.shape and decoded.size == image.shape[:2]
        return Item(image, self.labels.of(index), content if is_unchanged else None)


def prepare(
    source: Source,
    options: PrepareOptions,
    *,
    max_listed: int | None = 10,
    say: Callable[[str], None] = say,
) -> Prepared:
    """The first pass: labels, check of every image, duplicates, channels, resolution; writes nothing.

    Args:
        max_listed: maximum number of unusable images listed by name; None for all.

    Raises:
        UserError: no usable images, or an unusable image with on_error "stop".
    """
    if not len(source):
        found = f"; {source.other_files.describe()}" if source.other_files.total else ""
        raise UserError(f"{source.title} contains no images{found}. Give a folder, zip or tar of image files.")
    labels = find_labels(source, options.labels)
    if options.class_names:
        labels = labels.renamed(options.class_names)
    say(describe_source(source, labels))
    crop = _crop(source, options)
    indices = candidates(len(source), options)
    with_prints = options.dedupe != "none"
    if source.is_checked and not crop and not with_prints and not labels.is_missing().any():
        checked = assume_checked(source, indices)
    else:
        limits = {"max_pixels": options.max_pixels, "workers": options.workers}
        checked = check_images(source, indices, labels, crop=crop, with_prints=with_prints, **limits)
    if with_prints:
        drop_duplicates(checked, source, max_distance=options.dedupe_distance if options.dedupe == "near" else None)
    plan = decide(checked, options)
    _report_unusable(checked, source, options, say, max_listed)
    if imbalance := describe_imbalance(count_classes(labels, checked.indices)):
        say(f"Note: {imbalance}")
    for sentence in plan.remarks:
        say(f"Note: {sentence}")
    return Prepared(source, options, labels, checked, plan, crop)


def candidates(count: int, options: PrepareOptions) -> np.ndarray:
    """Items to check: all, or `max_images` of them, spread over the source if shuffled, the first ones otherwise."""
    if options.max_images is None or options.max_images >= count:
        return np.arange(count)
    return np.sort(writing_order(np.arange(count), options.shuffle)[: options.max_images])


def writing_order(indices: np.ndarray, shuffle: bool) -> np.ndarray:
    """The order of records: shuffled by RandomState(123) as in the original, or that of the source."""
    order = np.arange(len(indices))
    if shuffle:
        np.random.RandomState(SHUFFLE_SEED).shuffle(order)
    return np.asarray(indices)[order]


def describe_source(source: Source, labels: Labels) -> str:
    """One sentence on images and labels of a source."""
    text = f"{source.title}: {len(source)} images"
    if source.other_files.total:
        text += f", {source.other_files.total} other files ignored"
    return f"{text}; labels: {labels.describe()}."


def list_unusable(source: Source, entries: Sequence[tuple[int, str, str]], max_listed: int | None) -> list[str]:
    """Lines that name images (item, reason, message), and how many more there are."""
    lines = [f"  {visible(source.names[index])}: {message}" for index, _, message in sorted(entries)[:max_listed]]
    return [*lines, *([f"  and {len(entries) - len(lines)} more"] if len(entries) > len(lines) else [])]


def decide(checked: CheckedImages, options: PrepareOptions) -> Plan:
    """Chooses resolution and channels if the options do not, and drops images that are too small (or do not fit, with fit "exact").

    Raises:
        UserError: all images are smaller than 4x4.
    """
    if not len(checked.indices):
        return Plan(options.resolution or MIN_RESOLUTION, options.channels or 3)
    remarks = []
    sides = used_side(checked.heights, checked.widths, options.fit)
    resolution = options.resolution or _choose_resolution(sides, options)
    if options.resolution is None:
        share = (sides >= resolution).mean()
        reach = "all images reach" if share == 1 else f"{share:.0%} of the images reach"
        option = "--set data.resolution=N" if options.max_resolution else "--resolution"  # of train.py, of dataset_tool.py
        remarks.append(f"resolution {resolution} was chosen: {reach} it. Set it with {option}.")
    _drop_unfit(checked, resolution, options)
    sides = used_side(checked.heights, checked.widths, options.fit)
    enlarged = int((sides < resolution).sum())
    if enlarged:
        remarks.append(
            f"{enlarged} images are smaller than {resolution}x{resolution} and will be enlarged. Skip them with --min-size {resolution}."
        )
    channels = options.channels or _choose_channels(checked, options)
    kinds = Counter(KINDS[kind] for kind in checked.kinds)
    if options.channels is None and len(kinds) > 1:
        listing = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        remarks.append(f"images are of several kinds ({listing}): all become {channels}-channel. Set it with --channels.")
    return Plan(resolution, channels, tuple(remarks))


def _choose_channels(checked: CheckedImages, options: PrepareOptions) -> int:
    """By majority: 1 if more than half are grey, 4 if more than half are transparent (JPEG has no alpha), else 3."""
    shares = {kind: float((checked.kinds == number).mean()) if len(checked.kinds) else 0.0 for number, kind in enumerate(KINDS)}
    if shares[GREY] > 0.5:
        return 1
    return 4 if shares[ALPHA] > 0.5 and options.encoding != "jpeg" else 3


def _choose_resolution(sides: np.ndarray, options: PrepareOptions) -> int:
    """The largest power of two that nearly all images reach."""
    usable = sides[sides >= max(options.min_size or 0, 3)]
    if not len(usable):
        raise UserError(f"All images are too small: the largest has a side of {sides.max()} pixels, at least {MIN_RESOLUTION} are needed.")
    reached = int(np.sort(usable)[int((1 - _REACHED_BY) * len(usable))])
    return 1 << min(max(reached, MIN_RESOLUTION), options.max_resolution or MAX_RESOLUTION).bit_length() - 1


def _drop_unfit(checked: CheckedImages, resolution: int, options: PrepareOptions) -> None:
    """Marks images as unusable that would be enlarged too much or, with fit "exact", have another size."""
    sides = used_side(checked.heights, checked.widths, options.fit)
    least = options.min_size or max(resolution // 2, 1)

    def message(place: int) -> str:
        return f"too small: {checked.widths[place]}x{checked.heights[place]}, the side must have {least} pixels or more"

    checked.drop(np.flatnonzero(sides < least), "too small", message)
    if options.fit == "exact":
        is_square = (checked.heights == checked.widths) & (checked.heights % resolution == 0)
        fits = is_square & np.array([is_power_of_two(int(factor)) for factor in checked.heights // resolution], bool)

        def misfit(place: int) -> str:
            return (
                f"size does not fit: {checked.widths[place]}x{checked.heights[place]} is neither {resolution}x{resolution} "
                "nor a power-of-two multiple of it. Try --fit center-crop"
            )

        checked.drop(np.flatnonzero(~fits), "size does not fit", misfit)


def _report_unusable(
    checked: CheckedImages, source: Source, options: PrepareOptions, say: Callable[[str], None], max_listed: int | None
) -> None:
    """Lists what cannot be used; with on_error "stop", raises UserError for it."""
    unusable = [entry for entry in checked.unusable if entry[1] != DUPLICATE]
    listing = list_unusable(source, unusable, max_listed)
    total = len(checked.indices) + len(checked.unusable)  # fewer than in the source with `max_images`
    if not len(checked.indices):
        raise UserError(f"None of the {total} images of {source.title} can be used:", *listing)
    if unusable and options.on_error == "stop":
        raise UserError(
            f"{len(unusable)} of {total} images cannot be used, nothing was written (skip them with --on-error skip):", *listing
        )
    if unusable:
        for line in [f"{len(unusable)} of {total} images cannot be used and are skipped:", *listing]:
            say(line)
    if duplicates := len(checked.unusable) - len(unusable):
        say(f"{duplicates} duplicates are skipped.")


def _crop(source: Source, options: PrepareOptions) -> Crop | None:
    if source.crop_box:
        return BoxCrop(source.crop_box)
    return None if options.crop == "none" else SegmentCrop(options.margin, options.mask_dir, options.max_pixels)
