"""Command line of datasets: parses, and calls stylegan_tf.data."""

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from stylegan_tf import command_line

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

EXAMPLES = """examples:
  python dataset_tool.py create_leaves datasets/leaves --resolution 64 --num-images 2000
  python dataset_tool.py create_from_images datasets/cats photos/cats --resolution 256
  python dataset_tool.py info datasets/cats

`python dataset_tool.py COMMAND --help` tells all options of a command.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    root = argparse.ArgumentParser(
        prog="dataset_tool.py",
        description="Makes datasets of images, and looks into them.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = root.add_subparsers(metavar="COMMAND", required=True)

    def command(run: Callable, text: str, *positional: tuple[str, str]) -> argparse.ArgumentParser:
        name = run.__name__
        added = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + ".", formatter_class=argparse.ArgumentDefaultsHelpFormatter
        )
        for argument, meaning in positional:
            added.add_argument(argument, help=meaning)
        added.set_defaults(run=run)
        return added

    target = ("tfrecord_dir", "dataset folder to make; its last part becomes the dataset's name")
    leaves = command(create_leaves, "draw the embedded dataset: leaves of eight species, with labels and factors", target)
    leaves.add_argument("--resolution", type=int, default=64, help="side in pixels, a power of two from 4 to 1024")
    leaves.add_argument("--num-images", type=int, default=2000, help="how many")
    leaves.add_argument("--seed", type=int, default=0, help="another seed, other leaves")
    _add_output(leaves, shuffle=None)  # the table of factors has the order of the records

    images = command(
        create_from_images,
        "make a dataset of any folder, zip or tar of images",
        target,
        ("image_dir", "folder (any depth), zip or tar"),
    )
    _add_preparation(images)
    _add_output(images)
    return root


def _add_preparation(parser: argparse.ArgumentParser) -> None:
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
    add("--min-size", type=int, metavar="PIXELS", help="smaller images are left out; else half the resolution")
    add("--max-images", type=int, metavar="N", help="take no more")
    add(
        "--on-error",
        default="skip",
        choices=("skip", "stop"),
        help="leave unusable images out, or refuse before anything is written",
    )
    add("--labels", default="auto", metavar="FROM", help="auto, none, folders, or a dataset.json, .csv or .npy file")
    add("--dedupe", default="none", choices=("none", "exact", "near"), help="leave out repeated images")
    add("--dedupe-distance", type=int, default=4, metavar="BITS", help="of 64, for --dedupe near")
    add("--crop", default="none", choices=("none", "segment"), help="cut out the one object on a plain ground")
    add("--mask-dir", metavar="DIR", help="masks by image name, for --crop segment")
    add("--margin", type=float, default=0.1, metavar="PART", help="ground kept around the object, as part of its longer side")


def _add_output(parser: argparse.ArgumentParser, *, shuffle: int | None = 1) -> None:
    """How records are written."""
    group = parser.add_argument_group("output")
    add = group.add_argument
    if shuffle is not None:
        add("--shuffle", type=int, default=shuffle, choices=(0, 1), help="write in the original's shuffled order")
    add("--encoding", default="png", choices=("png", "raw", "jpeg"), help="png is lossless; raw is what the original reads")
    add("--quality", type=int, default=95, help="of jpeg, 1 to 100")
    add("--shards", type=int, default=1, metavar="N", help="record files a resolution; the original reads only 1")
    add("--workers", type=int, metavar="N", help="threads; else one for each processor")
    add("--overwrite", action="store_true", help="replace an existing dataset, once the new one is whole")


def _options(args: argparse.Namespace, **more):
    """PrepareOptions from the flags that a command has."""
    from stylegan_tf.data.prepare_options import PrepareOptions

    known = {field.name for field in dataclasses.fields(PrepareOptions)}
    given = {name: value for name, value in vars(args).items() if name in known}
    if hasattr(args, "shards"):
        given["num_shards"] = args.shards
    if "shuffle" in given:
        given["shuffle"] = bool(given["shuffle"])
    return PrepareOptions(**{**given, **more})


def _build(source, args: argparse.Namespace, **more) -> None:
    from stylegan_tf.data.prepare import build_dataset

    with source:
        build_dataset(source, args.tfrecord_dir, _options(args, **more), made_by={"command": args.command_line})


def create_leaves(args: argparse.Namespace) -> None:
    """Draws the embedded dataset."""
    from stylegan_tf.data.sources.leaves import LeavesSource
    from stylegan_tf.files import write_text

    source = LeavesSource(args.num_images, args.resolution, args.seed)
    _build(source, args, shuffle=False)
    write_text(Path(args.tfrecord_dir) / "factors.csv", source.factor_table())


def create_from_images(args: argparse.Namespace) -> None:
    """Makes a dataset of a folder or an archive."""
    from stylegan_tf.data.sources import open_images

    options = _options(args)  # wrong options first: opening a large archive takes a while
    from stylegan_tf.data.prepare import build_dataset, refuse_target

    refuse_target(args.tfrecord_dir, args.overwrite)
    with open_images(args.image_dir) as source:
        build_dataset(source, args.tfrecord_dir, options, made_by={"command": args.command_line})


def main(argv: Sequence[str]) -> int | None:
    """Runs one command."""
    # The original spells its options with underscores, the rest of the world with dashes.
    argv = [arg.replace("_", "-", arg.partition("=")[0].count("_")) if arg.startswith("--") else arg for arg in argv]
    args = parser().parse_args(argv)
    args.command_line = "dataset_tool.py " + " ".join(argv)
    return args.run(args)


if __name__ == "__main__":
    sys.exit(command_line.run(main))
