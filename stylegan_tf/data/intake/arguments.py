"""Arguments that several commands of dataset_tool.py share, and the options that they become."""

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from stylegan_tf.data.intake.defaults import DEDUPE_DISTANCE, MARGIN
from stylegan_tf.data.records.codecs import JPEG_QUALITY
from stylegan_tf.errors import UserError

if TYPE_CHECKING:
    from stylegan_tf.data.intake.prepare_options import PrepareOptions


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str:
        is_silent = action.nargs == 0 or action.default in (None, "")
        return action.help if is_silent else super()._get_help_string(action)


def count(text: str) -> int:
    """What argparse takes for numbers of things: whole, 1 or more."""
    return _whole(text, 1, None)


def seed(text: str) -> int:
    """What argparse takes for seeds: whole, 0 to 4294967295 as NumPy has them."""
    return _whole(text, 0, 2**32 - 1)


def _whole(text: str, least: int, most: int | None) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
    if value < least or (most is not None and value > most):
        wanted = f"{least} or more" if most is None else f"from {least} to {most}"
        raise argparse.ArgumentTypeError(f"must be {wanted}. Received: {value}")
    return value


def add_preparation(parser: argparse.ArgumentParser) -> None:
    """How images of all kinds become squares of one size."""
    group = parser.add_argument_group("preparation")
    add = group.add_argument
    add(
        "--resolution",
        type=int,
        metavar="PIXELS",
        help="side, a power of two from 4 to 1024; else the largest that 95%% of the images reach",
    )
    add("--fit", default="center-crop", choices=("center-crop", "wide", "pad", "stretch", "exact"), help="how images become square")
    add("--channels", type=int, choices=(1, 3, 4), help="grey, RGB or RGBA; else what most images are")
    add(
        "--background",
        metavar="COLOUR",
        help="behind transparency and around padded images; else white (black bars with --fit wide)",
    )
    add("--min-size", type=count, metavar="PIXELS", help="smaller images are left out; else half the resolution")
    add("--max-images", type=count, metavar="N", help="take no more")
    add(
        "--on-error",
        default="skip",
        choices=("skip", "stop"),
        help="leave unusable images out, or refuse before anything is written",
    )
    add("--labels", default="auto", metavar="FROM", help="auto, none, folders, or a dataset.json, .csv or .npy file")
    add("--dedupe", default="none", choices=("none", "exact", "near"), help="leave out repeated images")
    add("--dedupe-distance", type=int, metavar="BITS", help=f"of 64, for --dedupe near; else {DEDUPE_DISTANCE}")
    add("--crop", default="none", choices=("none", "segment"), help="cut out the one object on a plain ground")
    add("--mask-dir", metavar="DIR", help="masks by image name, for --crop segment")
    add("--margin", type=float, metavar="PART", help=f"ground kept around the object, as part of its longer side; else {MARGIN}")


def add_output(parser: argparse.ArgumentParser, *, shuffle: int | None = 1) -> None:
    """How records are written."""
    group = parser.add_argument_group("output")
    add = group.add_argument
    if shuffle is not None:
        add("--shuffle", type=int, default=shuffle, choices=(0, 1), help="write in the original's shuffled order")
    add("--encoding", default="png", choices=("png", "raw", "jpeg"), help="png is lossless; raw is what the original reads")
    add("--quality", type=int, help=f"of jpeg, 1 to 100; else {JPEG_QUALITY}")
    add("--shards", type=count, default=1, metavar="N", help="record files a resolution; the original reads only 1")
    add("--workers", type=count, metavar="N", help="threads; else one for each processor")
    add("--overwrite", action="store_true", help="replace an existing dataset, once the new one is whole")


def refuse_preparation(args: argparse.Namespace) -> None:
    """Raises UserError where a flag of `add_preparation` was given; for commands on what is prepared already."""
    defaults = argparse.ArgumentParser()
    add_preparation(defaults)
    given = [name for name, value in vars(defaults.parse_args([])).items() if getattr(args, name) != value]
    if given:
        raise UserError(f"--{given[0].replace('_', '-')} has a meaning for images only, and this is a dataset.")


def prepare_options(args: argparse.Namespace, **more: Any) -> "PrepareOptions":
    """PrepareOptions from the flags that a command has."""
    from stylegan_tf.data.intake.prepare_options import PrepareOptions

    known = {field.name for field in dataclasses.fields(PrepareOptions)}
    given = {name: value for name, value in vars(args).items() if name in known}
    if hasattr(args, "shards"):
        given["num_shards"] = args.shards
    if "shuffle" in given:
        given["shuffle"] = bool(given["shuffle"])
    if "class_names" in given:
        given["class_names"] = tuple(name.strip() for name in args.class_names.split(",") if name.strip())
    return PrepareOptions(**{**given, **more})
