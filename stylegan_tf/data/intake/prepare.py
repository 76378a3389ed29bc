"""The first pass over a source of images: find, check, decide. Writes nothing."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from stylegan_tf.data.intake.check_images import CheckedImages, assume_checked, check_images, from_array
from stylegan_tf.data.intake.cut_out import BoxCrop, SegmentCrop
from stylegan_tf.data.intake.decode import Decoded, decode_image_file, to_channels
from stylegan_tf.data.intake.dedupe import find_duplicates
from stylegan_tf.data.intake.fit import fit_image
from stylegan_tf.data.intake.label_values import Labels
from stylegan_tf.data.intake.labels import count_classes, describe_imbalance, find_labels
from stylegan_tf.data.intake.plan import Plan, decide
from stylegan_tf.data.intake.prepare_options import PrepareOptions
from stylegan_tf.data.records.encoding import Item
from stylegan_tf.data.sources import Source
from stylegan_tf.data.sources.base import printable
from stylegan_tf.errors import UserError

SHUFFLE_SEED = 123  # the original's


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A source after the first pass: what will be written, and what will not."""

    source: Source
    options: PrepareOptions
    labels: Labels
    checked: CheckedImages
    plan: Plan
    is_decoded: bool  # every image was decoded, not only looked at
    crop: Callable[[Decoded, str], Decoded] | None

    def load(self, index: int) -> Item:
        """Image `index` of the source as it goes into the dataset.

        Raises:
            UnusableImage: it cannot be used after all: damaged behind its header, or changed since it was checked.
        """
        content = self.source.read(index)
        decoded = decode_image_file(content) if isinstance(content, bytes) else from_array(content)
        if self.crop:
            decoded = self.crop(decoded, self.source.names[index])
        plan, options = self.plan, self.options
        background = options.background_rgb()
        pixels = to_channels(decoded, plan.channels, background)
        fill = _fill(plan.channels, background)
        image = fit_image(pixels, plan.resolution, options.fit, fill=fill, wide_height=options.wide_height)
        passes = decoded.is_plain and image.shape == decoded.pixels.shape and decoded.size == image.shape[:2]
        return Item(image, self.labels.of(index), content if passes else None)


def prepare(source: Source, options: PrepareOptions, *, decode_all: bool = True, max_listed: int | None = 10, say=print) -> Prepared:
    """The first pass: labels, check of every image, duplicates, channels, resolution; writes nothing.

    Args:
        source: of the images.
        options: what is wanted.
        decode_all: verify all of every file now; else most are only looked at (see `glance`), and `Prepared.load` verifies them.
        max_listed: unusable images that are told by name; None tells all.
        say: gets lines for the user.

    Raises:
        UserError: nothing usable, or an unusable image with on_error "stop".
    """
    if not len(source):
        found = f" ({source.strangers.total} other files were left aside)" if source.strangers.total else ""
        raise UserError(f"{source.title} holds no images{found}.")
    labels = _renamed(find_labels(source, options.labels), options.class_names)
    say(describe_source(source, labels))
    crop = _crop_function(source, options)
    indices = candidates(len(source), options)
    with_prints = options.dedupe != "none"
    decode_all = decode_all or bool(crop) or with_prints  # which need the pixels
    if source.is_checked and not crop and not with_prints and labels.has_all():
        checked = assume_checked(source, indices)
    else:
        checked = check_images(source, indices, labels, crop=crop, with_prints=with_prints, decode_all=decode_all, workers=options.workers)
    _drop_duplicates(checked, source, options)
    plan = decide(checked, options)
    _report_unusable(checked, source, options, say, max_listed)
    if imbalance := describe_imbalance(count_classes(labels, checked.indices)):
        say(f"Note: {imbalance}")
    for sentence in plan.remarks:
        say(f"Note: {sentence}")
    return Prepared(source, options, labels, checked, plan, decode_all, crop)


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


def describe_source(source: Source, labels: Labels) -> str:
    """One sentence on what was found."""
    text = f"{source.title}: {len(source)} images"
    if source.strangers.total:
        text += f", {source.strangers.total} other files left aside"
    if labels.values is None:
        return f"{text}, no labels."
    size = f"{len(labels.class_names)} classes" if labels.class_names else f"vectors of {labels.values.shape[1]}"
    return f"{text}; labels from {labels.origin}: {size}."


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


def _report_unusable(checked: CheckedImages, source: Source, options: PrepareOptions, say, max_listed: int | None) -> None:
    """Says what cannot be used; with on_error "stop", refuses."""
    faults = [entry for entry in checked.unusable if entry[1] != "duplicate"]
    listing = list_unusable(source, faults, max_listed)
    total = len(checked.indices) + len(checked.unusable)  # fewer than in the source with `max_images`
    if not len(checked.indices):
        raise UserError(f"None of the {total} images of {source.title} can be used:{listing}")
    if faults and options.on_error == "stop":
        raise UserError(f"{len(faults)} of {total} images cannot be used, nothing was written (--on-error skip leaves them out):{listing}")
    if faults:
        say(f"{len(faults)} of {total} images cannot be used and are skipped:{listing}")
    if duplicates := len(checked.unusable) - len(faults):
        say(f"{duplicates} duplicates are left out.")


def list_unusable(source: Source, entries: Sequence[tuple[int, str, str]], max_listed: int | None) -> str:
    """Lines that name images (item, reason, message), and how many more there are."""
    lines = [f"{printable(source.names[index])}: {message}" for index, _, message in sorted(entries)[:max_listed]]
    more = f"\n  and {len(entries) - len(lines)} more" if len(entries) > len(lines) else ""
    return "\n  ".join(["", *lines]) + more


def _crop_function(source: Source, options: PrepareOptions) -> Callable[[Decoded, str], Decoded] | None:
    if source.crop_box:
        return BoxCrop(source.crop_box)
    if options.crop == "none":
        return None
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


def _fill(channels: int, background: tuple[int, int, int]) -> tuple[int, ...]:
    """The background in the channels of the dataset; transparent where there is an alpha channel."""
    if channels == 1:
        return (round(0.299 * background[0] + 0.587 * background[1] + 0.114 * background[2]),)
    return background if channels == 3 else (*background, 0)
