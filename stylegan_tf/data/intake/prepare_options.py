"""Everything that a user may ask for when images become a dataset, checked before anything slow."""

import dataclasses
from pathlib import Path

from stylegan_tf.data.intake.decode import parse_colour
from stylegan_tf.data.intake.defaults import DEDUPE_DISTANCE, MARGIN
from stylegan_tf.data.intake.fit import FITS
from stylegan_tf.data.records.codecs import JPEG_QUALITY, check_encoding
from stylegan_tf.data.records.level_writer import check_shards
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.resolution import check_resolution

ON_ERROR = ("skip", "stop")
DEDUPES = ("none", "exact", "near")
CROPS = ("none", "segment")
MAX_DISTANCE = 16  # bits of 64; unrelated pictures differ in 20 and more


def jpeg_quality(encoding: str, quality: int | None) -> int | None:
    """The quality that was asked for or the default, None where there is none; raises UserError where it would do nothing."""
    if encoding == "jpeg":
        return JPEG_QUALITY if quality is None else quality
    if quality is not None:
        raise UserError(f"quality has a meaning only with encoding jpeg. Received: {quality} with {encoding}")
    return None


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """How images become records.

    Attributes:
        resolution: side in pixels; None takes the largest power of two that nearly all images reach.
        fit: see `fit.fit_image`.
        wide_height: see `fit.fit_image`.
        channels: 1, 3 or 4; None goes by the majority of the images.
        background: colour behind transparency and around padded images; None is white, and black for the bars of "wide".
        min_size: least pixels that may become the side; None is half the resolution (images are enlarged twofold at most).
        max_images: take no more; None takes all.
        shuffle: in the original's order (RandomState(123)), or as the source has them.
        on_error: "skip" leaves unusable images out, "stop" refuses to write anything where there is one.
        labels: see `labels.find_labels`.
        class_names: in place of those that come with the labels; () keeps them.
        dedupe: "none", "exact" (the same pixels) or "near" (perceptual hashes within `dedupe_distance` bits of 64).
        dedupe_distance: for "near", 0 to 16; None is 4.
        crop: "none", or "segment" to cut out the one object on a plain ground.
        mask_dir: folder with a mask for every image, by name, for crop "segment".
        margin: ground kept around a segmented object, as part of its longer side; None is 0.1.
        workers: threads; None takes one for each processor.
        encoding, num_shards, overwrite: see `writer.DatasetWriter`.
        quality: of JPEG, 1 to 100; None takes the default there.
    """

    resolution: int | None = None
    fit: str = "center-crop"
    wide_height: int | None = None
    channels: int | None = None
    background: str | None = None
    min_size: int | None = None
    max_images: int | None = None
    shuffle: bool = True
    on_error: str = "skip"
    labels: str = "auto"
    class_names: tuple[str, ...] = ()
    dedupe: str = "none"
    dedupe_distance: int | None = None
    crop: str = "none"
    mask_dir: str | None = None
    margin: float | None = None
    workers: int | None = None
    encoding: str = "png"
    quality: int | None = None
    num_shards: int = 1
    overwrite: bool = False

    def __post_init__(self):
        choices = {"fit": FITS, "on_error": ON_ERROR, "dedupe": DEDUPES, "crop": CROPS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise UserError(f"{name} must be one of {', '.join(known)}. Received: {getattr(self, name)}")
        if self.resolution is not None:
            check_resolution(self.resolution)
        if self.channels not in (None, 1, 3, 4):
            raise UserError(f"channels must be 1, 3 or 4. Received: {self.channels}")
        self._check_partners()
        object.__setattr__(self, "quality", jpeg_quality(self.encoding, self.quality))
        check_encoding(self.encoding, self.channels or 1, JPEG_QUALITY if self.quality is None else self.quality)
        if len(set(self.class_names)) < len(self.class_names):
            repeated = next(name for name in self.class_names if self.class_names.count(name) > 1)
            raise UserError(f"Every class has a name of its own. Received twice: {repeated!r}")
        check_shards(self.num_shards)
        for name in ("min_size", "max_images", "workers", "wide_height"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name} must be 1 or more. Received: {value}")
        if self.wide_height is not None and (self.fit != "wide" or self.wide_height > (self.resolution or 0)):
            raise UserError(
                f"The height of wide pictures is at most the side of their square ({self.resolution}). Received: {self.wide_height}"
            )
        if self.dedupe_distance is not None and not 0 <= self.dedupe_distance <= MAX_DISTANCE:
            raise UserError(f"dedupe_distance must be from 0 to {MAX_DISTANCE} bits. Received: {self.dedupe_distance}")
        if self.margin is not None and not 0 <= self.margin <= 2:
            raise UserError(f"margin must be from 0 to 2 times the object's longer side. Received: {self.margin}")
        if self.mask_dir is not None and not Path(self.mask_dir).is_dir():
            raise MissingFileError(f"There is no mask folder {self.mask_dir}.")
        self.background_rgb()

    def _check_partners(self) -> None:
        """Options that do nothing without another are refused without it, and have their default with it."""
        for name, partner, wanted, default in (
            ("mask_dir", "crop", "segment", None),
            ("margin", "crop", "segment", MARGIN),
            ("dedupe_distance", "dedupe", "near", DEDUPE_DISTANCE),
        ):
            if getattr(self, partner) == wanted:
                if getattr(self, name) is None:
                    object.__setattr__(self, name, default)
            elif getattr(self, name) is not None:
                raise UserError(f"{name} has a meaning only with {partner} {wanted}.")

    def background_rgb(self) -> tuple[int, int, int]:
        """Colour behind transparency, RGB."""
        return parse_colour(self.background or ("black" if self.fit == "wide" else "white"))
