"""Decides resolution and channels from what the check found, and sets aside what is too small for them."""

import dataclasses
from collections import Counter

import numpy as np

from stylegan_tf.data.intake.check_images import KINDS, CheckedImages
from stylegan_tf.data.intake.decode import ALPHA, GREY
from stylegan_tf.data.intake.fit import used_side
from stylegan_tf.data.intake.prepare_options import PrepareOptions
from stylegan_tf.errors import UserError
from stylegan_tf.resolution import MAX_RESOLUTION, MIN_RESOLUTION, is_power_of_two

_REACHED_BY = 0.95  # of the images: these need not be enlarged at the resolution that is chosen for them


@dataclasses.dataclass(frozen=True)
class Plan:
    """What will be written; `remarks` are sentences that the user should read."""

    resolution: int
    channels: int
    remarks: tuple[str, ...] = ()


def decide(checked: CheckedImages, options: PrepareOptions) -> Plan:
    """Chooses what the options leave open, and drops images that are too small (or with fit "exact" do not fit).

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
        remarks.append(f"resolution {resolution} was chosen: {reach} it. Set it with --resolution.")
    _drop_unfit(checked, resolution, options)
    sides = used_side(checked.heights, checked.widths, options.fit)
    enlarged = int((sides < resolution).sum())
    if enlarged:
        remarks.append(
            f"{enlarged} images are smaller than {resolution}x{resolution} and will be enlarged. --min-size {resolution} leaves them out."
        )
    channels = options.channels or choose_channels(checked, options)
    kinds = Counter(KINDS[kind] for kind in checked.kinds)
    if options.channels is None and len(kinds) > 1:
        listing = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        remarks.append(f"images are of several kinds ({listing}): all become {channels}-channel. Set it with --channels.")
    return Plan(resolution, channels, tuple(remarks))


def _choose_resolution(sides: np.ndarray, options: PrepareOptions) -> int:
    """The largest power of two that nearly all images reach."""
    usable = sides[sides >= max(options.min_size or 0, 3)]
    if not len(usable):
        raise UserError(f"All images are too small: the largest has a side of {sides.max()} pixels, {MIN_RESOLUTION} are needed.")
    reached = int(np.sort(usable)[int((1 - _REACHED_BY) * len(usable))])
    return 1 << min(max(reached, MIN_RESOLUTION), MAX_RESOLUTION).bit_length() - 1


def _drop_unfit(checked: CheckedImages, resolution: int, options: PrepareOptions) -> None:
    """Makes images unusable that would be enlarged too much, or do not fit exactly."""
    sides = used_side(checked.heights, checked.widths, options.fit)
    least = options.min_size or max(resolution // 2, 1)

    def message(place: int) -> str:
        return f"too small: {checked.widths[place]}x{checked.heights[place]}, the side must have {least} pixels or more"

    checked.drop(np.flatnonzero(sides < least), "too small", message)
    if options.fit == "exact":
        factors = checked.heights // resolution
        fits = (
            (checked.heights == checked.widths)
            & (checked.heights % resolution == 0)
            & np.array([is_power_of_two(int(f)) for f in factors], bool)
        )

        def misfit(place: int) -> str:
            return (
                f"size does not fit: {checked.widths[place]}x{checked.heights[place]} is neither {resolution}x{resolution} "
                "nor a power-of-two multiple of it. Try --fit center-crop"
            )

        checked.drop(np.flatnonzero(~fits), "size does not fit", misfit)


def choose_channels(checked: CheckedImages, options: PrepareOptions) -> int:
    """By majority: 1 where more than half are grey, 4 where more than half are transparent (JPEG has no alpha), else 3."""
    shares = {kind: float((checked.kinds == number).mean()) if len(checked.kinds) else 0.0 for number, kind in enumerate(KINDS)}
    if shares[GREY] > 0.5:
        return 1
    return 4 if shares[ALPHA] > 0.5 and options.encoding != "jpeg" else 3
