"""Options of a dataset build: their values, checked before any slow work, and the command-line flags that set them."""

import argparse
import dataclasses
from pathlib import Path

from stylegan_tf.data.intake.colour import parse_colour
from stylegan_tf.data.intake.fit import FITS
from stylegan_tf.data.intake.pillow_files import MAX_PIXELS
from stylegan_tf.data.records.codecs import ENCODINGS, JPEG_QUALITY, check_encoding
from stylegan_tf.display import class_name
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.resolution import check_resolution

ON_ERROR = ("skip", "stop")
DEDUPES = ("none", "exact", "near")
CROPS = ("none", "segment")
MARGIN = 0.1  # of the object's longer side
DEDUPE_DISTANCE = 4  # bits of 64
MAX_DISTANCE = 16  # bits of 64; unrelated pictures differ in 20 and more


@dataclasses.dataclass(frozen=True, kw_only=True)
class PrepareOptions:
    """How images become records."""

    resolution: int | None = None  # side in pixels; None for the largest power of two that nearly all images reach
    max_resolution: int | None = None  # the largest that is chosen where `resolution` is None; None for no such limit
    fit: str = "center-crop"  # see `fit.fit_image`
    wide_height: int | None = None  # see `fit.fit_image`
    channels: int | None = None  # 1, 3 or 4; None for the channels of the majority of the images
    background: str | None = None  # colour behind transparency and around padded images; None for white, or black with fit "wide"
    # Smaller images are skipped, in pixels of the side; None for half the resolution (images are enlarged twofold at most)
    min_size: int | None = None
    max_images: int | None = None  # maximum number of images; None for all
    max_pixels: int | None = None  # larger images are skipped before they are decoded, see `pillow_files.check_size`; None for 128 million
    shuffle: bool = True  # write in the original's order (RandomState(123)) instead of the order of the source
    on_error: str = "skip"  # "skip" skips unusable images, "stop" writes nothing if there is one
    labels: str = "auto"  # see `find_labels.find_labels`
    class_names: tuple[str, ...] = ()  # replace those that come with the labels; () keeps them
    dedupe: str = "none"  # "none", "exact" (the same pixels) or "near" (perceptual hashes within `dedupe_distance` bits of 64)
    dedupe_distance: int | None = None  # for "near", 0 to 16; None for 4
    crop: str = "none"  # "none", or "segment" to cut out the one object on a uniform background
    mask_dir: str | None = None  # folder with a mask for every image, by name, for crop "segment"
    margin: float | None = None  # background kept around a segmented object, as a share of its longer side; None for 0.1
    workers: int | None = None  # threads; None for one per processor
    encoding: str = "png"  # encoding, overwrite: see `writer.DatasetWriter`
    quality: int | None = None  # of JPEG, 1 to 100; None for the default
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
        self._check_dependent_options()
        object.__setattr__(self, "quality", jpeg_quality(self.encoding, self.quality))
        check_encoding(self.encoding, self.channels or 1, JPEG_QUALITY if self.quality is None else self.quality)
        if len(set(self.class_names)) < len(self.class_names):
            repeated = next(name for name in self.class_names if self.class_names.count(name) > 1)
            raise UserError(f"Class names must be unique. Received twice: {repeated!r}")
        if self.max_pixels is None:
            object.__setattr__(self, "max_pixels", MAX_PIXELS)
        for name in ("min_size", "max_images", "max_pixels", "workers", "wide_height"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"{name} must be 1 or more. Received: {value}")
        if self.wide_height is not None and (self.fit != "wide" or self.wide_height > (self.resolution or 0)):
            raise UserError(f"The height of wide pictures must not exceed the resolution ({self.resolution}). Received: {self.wide_height}")
        if self.dedupe_distance is not None and not 0 <= self.dedupe_distance <= MAX_DISTANCE:
            raise UserError(f"dedupe_distance must be from 0 to {MAX_DISTANCE} bits. Received: {self.dedupe_distance}")
        if self.margin is not None and not 0 <= self.margin <= 2:
            raise UserError(f"margin must be from 0 to 2 times the object's longer side. Received: {self.margin}")
        if self.mask_dir is not None and not Path(self.mask_dir).is_dir():
            raise MissingFileError(f"There is no mask folder {self.mask_dir}.")
        self.background_rgb()

    def _check_dependent_options(self) -> None:
        """Refuses options that have no effect without another option, or sets their default if that option is given."""
        for name, other, wanted, default in (
            ("mask_dir", "crop", "segment", None),
            ("margin", "crop", "segment", MARGIN),
            ("dedupe_distance", "dedupe", "near", DEDUPE_DISTANCE),
        ):
            if getattr(self, other) == wanted:
                if getattr(self, name) is None:
                    object.__setattr__(self, name, default)
            elif getattr(self, name) is not None:
                raise UserError(f"{name} has an effect only with {other} {wanted}.")

    def background_rgb(self) -> tuple[int, int, int]:
        """Colour behind transparency, RGB."""
        return parse_colour(self.background or ("black" if self.fit == "wide" else "white"))


def jpeg_quality(encoding: str, quality: int | None) -> int | None:
    """The given quality or the default for JPEG, None for other encodings; raises UserError if a quality is given for these."""
    if encoding == "jpeg":
        return JPEG_QUALITY if quality is None else quality
    if quality is not None:
        raise UserError(f"quality has an effect only with encoding jpeg. Received: {quality} with {encoding}")
    return None


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults except None, empty strings and those of flags without a value."""

    def _get_help_string(self, action: argparse.Action) -> str:
        is_silent = action.nargs == 0 or action.default in (None, "")
        return action.help if is_silent else super()._get_help_string(action)


def count(text: str) -> int:
    """Type of arguments that are numbers of things: an integer, 1 or more."""
    return _whole(text, 1, None)


def seed(text: str) -> int:
    """Type of arguments that are seeds: an integer from 0 to 4294967295, the range of NumPy's."""
    return _whole(text, 0, 2**32 - 1)


def megapixels(text: str) -> int:
    """Type of arguments that are millions of pixels: a number of pixels."""
    return _whole(text, 1, 10_000) * 10**6


def _whole(text: str, least: int, most: int | None) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer") from None
    if value < least or (most is not None and value > most):
        wanted = f"{least} or more" if most is None else f"from {least} to {most}"
        raise argparse.ArgumentTypeError(f"must be {wanted}. Received: {value}")
    return value


def add_preparation(parser: argparse.ArgumentParser) -> None:
    """Adds flags for how images of all kinds become squares of one size."""
    group = parser.add_argument_group("preparation")
    add = group.add_argument
    add(
        "--resolution",
        type=int,
        metavar="PIXELS",
        help="side, a power of two, 4 to 1024 (default: the largest that 95%% of the images reach)",
    )
    add("--fit", default="center-crop", choices=FITS, help="how images become square")
    add("--channels", type=int, choices=(1, 3, 4), help="1: grey, 3: RGB, 4: RGBA (default: as most of the images)")
    add("--background", metavar="COLOUR", help="colour behind transparency and around padded images (default: white; --fit wide: black)")
    add("--min-size", type=count, metavar="PIXELS", help="skip images with a smaller side (default: half the resolution)")
    add("--max-images", type=count, metavar="N", help="maximum number of images (default: all)")
    add_max_pixels(group)
    add("--on-error", default="skip", choices=ON_ERROR, help="skip unusable images, or stop before anything is written")
    add("--labels", default="auto", metavar="FROM", help="source of the labels: auto, none, folders, or a .json, .csv or .npy file")
    add("--dedupe", default="none", choices=DEDUPES, help="skip repeated images: the same pixels, or nearly the same")
    add("--dedupe-distance", type=int, metavar="BITS", help=f"--dedupe near: at most this many bits differ (default: {DEDUPE_DISTANCE})")
    add("--crop", default="none", choices=CROPS, help="cut out the one object on a uniform background")
    add("--mask-dir", metavar="DIR", help="masks for --crop segment, named as the images")
    add("--margin", type=float, metavar="SHARE", help=f"margin kept around the object, relative to its longer side (default: {MARGIN})")


def add_max_pixels(parser: argparse._ActionsContainer) -> None:
    """Adds the flag for the limit on the size of pictures from outside."""
    parser.add_argument(
        "--max-pixels",
        type=megapixels,
        metavar="MILLIONS",
        help=f"refuse pictures of more pixels, or whose decoding needs more than 4 MB times this number (default: {MAX_PIXELS // 10**6})",
    )


def add_output(parser: argparse.ArgumentParser, *, shuffle: int | None = 1) -> None:
    """Adds flags for how records are written; `shuffle` is the default of --shuffle, None for no such flag."""
    group = parser.add_argument_group("output")
    add = group.add_argument
    if shuffle is not None:
        add("--shuffle", type=int, default=shuffle, choices=(0, 1), help="1: the original's shuffled order; 0: the order of the source")
    add("--encoding", default="png", choices=tuple(ENCODINGS), help="format of the images; png is lossless; the original reads only raw")
    add("--quality", type=int, help=f"quality of jpeg, 1 to 100 (default: {JPEG_QUALITY})")
    add("--workers", type=count, metavar="N", help="threads (default: one per processor)")
    add("--overwrite", action="store_true", help="replace an existing dataset when the new one is complete")


def refuse_preparation(args: argparse.Namespace) -> None:
    """Raises UserError if a flag of `add_preparation` was given; for commands on a dataset, which is prepared already."""
    defaults = argparse.ArgumentParser()
    add_preparation(defaults)
    given = [name for name, value in vars(defaults.parse_args([])).items() if getattr(args, name) != value]
    if given:
        raise UserError(f"--{given[0].replace('_', '-')} has an effect on images only, and {args.path} is a dataset.")


def prepare_options(args: argparse.Namespace, **more: object) -> PrepareOptions:
    """PrepareOptions from the flags of a command."""
    known = {field.name for field in dataclasses.fields(PrepareOptions)}
    given = {name: value for name, value in vars(args).items() if name in known}
    if "shuffle" in given:
        given["shuffle"] = bool(given["shuffle"])
    if "class_names" in given:
        given["class_names"] = tuple(class_name(name) for name in args.class_names.split(",") if name.strip())
    return PrepareOptions(**{**given, **more})
