"""Command line for datasets: makes them from images, inspects them, converts and extracts them."""

if __name__ == "__main__":  # before the imports that take time
    from stylegan_tf import program_start

    program_start.begin()

import argparse
import importlib
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from stylegan_tf import command_line
from stylegan_tf.argument_parser import Parser
from stylegan_tf.command_line import spelled
from stylegan_tf.data.intake.options import HelpFormatter, add_output, add_preparation, count, prepare_options, refuse_preparation, seed
from stylegan_tf.display import say, visible_lines

EXAMPLES = """examples:
  python dataset_tool.py create_leaves datasets/leaves --resolution 64 --num-images 2000
  python dataset_tool.py create_from_images datasets/cats photos/cats --resolution 256
  python dataset_tool.py info datasets/cats

`python dataset_tool.py COMMAND --help` lists all options of a command.
"""


def parser() -> Parser:
    """The command line."""
    root = Parser(prog="dataset_tool.py", description="Makes datasets from images, inspects, converts and extracts them.", epilog=EXAMPLES)
    commands = root.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, run: Callable, text: str, *positional: tuple[str, str]) -> Parser:
        added = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", formatter_class=HelpFormatter)
        for argument, meaning in positional:
            added.add_argument(argument, help=meaning)
        added.set_defaults(run=run)
        return added

    _add_makers(command)
    _add_wellknown(command)
    _add_inspectors(command)
    return root


_TARGET = ("tfrecord_dir", "dataset folder to make; its last part becomes the dataset's name")
_DATASET = ("tfrecord_dir", "dataset folder")
_SOURCES = (  # arguments that name what images and labels are read from
    *("image_dir", "mnist_dir", "cifar10_dir", "cifar100_dir", "svhn_dir", "lmdb_dir", "celeba_dir"),
    *("hdf5_filename", "data_dir", "labels", "mask_dir"),
)


def _add_makers(command: Callable) -> None:
    """Commands that make datasets from any images, and from drawn leaves."""
    leaves = command(
        "create_leaves",
        lambda args: _build(args, "leaves.LeavesSource", args.num_images, args.resolution, args.seed, changes={"shuffle": False}),
        "make the built-in dataset: drawn leaves of eight species, with labels and factors", _TARGET,
    )  # fmt: skip
    leaves.add_argument("--resolution", type=int, default=64, help="side in pixels, a power of two from 4 to 1024")
    leaves.add_argument("--num-images", type=count, default=2000, help="number of images")
    leaves.add_argument("--seed", type=seed, default=0, help="seed of the random factors of the leaves")
    add_output(leaves, shuffle=None)  # the table of factors has the order of the records

    images = command(
        "create_from_images", lambda args: _build(args, "open_images", args.image_dir),
        "make a dataset from a folder, zip or tar of images", _TARGET, ("image_dir", "folder, zip or tar"),
    )  # fmt: skip
    tfds = command(
        "create_from_tfds",
        lambda args: _build(
            args, "databases.TfdsSource", args.name, split=args.split, data_dir=args.data_dir, image_key=args.image_key,
            label_key=args.label_key,
        ),
        "make a dataset from an image set of tensorflow-datasets", _TARGET, ("name", "name of the image set, such as mnist"),
    )  # fmt: skip
    tfds.add_argument("--split", default="train", help="part of the set in the notation of tensorflow-datasets, such as train[:10%%]")
    tfds.add_argument("--data-dir", help="folder of prepared sets (default: that of tensorflow-datasets)")
    tfds.add_argument("--image-key", help="feature with the image (default: the only one)")
    tfds.add_argument("--label-key", help="feature with the class (default: `label`)")
    hdf5 = command(
        "create_from_hdf5", lambda args: _build(args, "databases.Hdf5Source", args.hdf5_filename),
        "make a dataset from an HDF5 file that contains images as data... [n, C, H, W]", _TARGET, ("hdf5_filename", "HDF5 file"),
    )  # fmt: skip
    for maker in (images, tfds, hdf5):
        add_preparation(maker)
        add_output(maker)
    converted = ("source_dir", "dataset folder, ours or the original's")
    add_output(command("convert", convert, "write a dataset in another encoding", _TARGET, converted), shuffle=None)


def _add_wellknown(command: Callable) -> None:
    """The original's commands for well-known sets, with the same names and order of records."""
    files = ("mnist_dir", "folder of train-images-idx3-ubyte.gz")
    mnist = command(
        "create_mnist", lambda args: _build(args, "wellknown.open_mnist", args.mnist_dir, split=args.split),
        "make a dataset from MNIST, Fashion-MNIST and sets in the same format", _TARGET, files,
    )  # fmt: skip
    mnist.add_argument("--split", default="train", choices=("train", "test"), help="part of the set; the original uses train")
    rgb = command(
        "create_mnistrgb",
        lambda args: _build(
            args, "wellknown.StackedDigits", args.mnist_dir, num_images=args.num_images, random_seed=args.random_seed
        ),
        "make a dataset from MNIST digits, three stacked as red, green and blue", _TARGET, files,
    )  # fmt: skip
    rgb.add_argument("--num-images", type=count, default=1_000_000, help="number of images")
    rgb.add_argument("--random-seed", type=seed, default=123, help="seed of the choice of digits")
    cifar10 = command(
        "create_cifar10", lambda args: _build(args, "wellknown.open_cifar10", args.cifar10_dir),
        "make a dataset from CIFAR-10", _TARGET, ("cifar10_dir", "folder of data_batch_1"),
    )  # fmt: skip
    cifar100 = command(
        "create_cifar100", lambda args: _build(args, "wellknown.open_cifar100", args.cifar100_dir),
        "make a dataset from CIFAR-100", _TARGET, ("cifar100_dir", "folder of the file `train`"),
    )  # fmt: skip
    svhn = command(
        "create_svhn", lambda args: _build(args, "wellknown.open_svhn", args.svhn_dir),
        "make a dataset from SVHN", _TARGET, ("svhn_dir", "folder of train_32x32.mat or train_1.pkl"),
    )  # fmt: skip
    for maker in (mnist, cifar10, cifar100, svhn):
        maker.add_argument("--class-names", default="", metavar="NAMES", help="names, separated by commas (default: those of the set)")

    category = ("lmdb_dir", "LMDB folder")
    lsun = command(
        "create_lsun",
        lambda args: _build(args, "databases.LsunSource", args.lmdb_dir, args.max_images, changes={"max_images": None}),
        "make a dataset from one LSUN category, cropped to squares", _TARGET, category,
    )  # fmt: skip
    lsun.add_argument("--resolution", type=int, default=256, help="side in pixels")
    wide = command(
        "create_lsun_wide",
        lambda args: _build(args, "databases.LsunSource", args.lmdb_dir, args.max_images, changes={
            "resolution": args.width, "fit": "wide", "wide_height": args.height, "min_size": args.width, "max_images": None,
        }),
        "make a dataset from one LSUN category, wide pictures between black bars", _TARGET, category,
    )  # fmt: skip
    wide.add_argument("--width", type=count, default=512, help="width of the picture and side of the square, in pixels")
    wide.add_argument("--height", type=count, default=384, help="height of the picture between the bars, in pixels")
    for maker in (lsun, wide):
        maker.add_argument("--max-images", type=count, metavar="N", help="use only the first N images (default: all)")
    celeba = command(
        "create_celeba",
        lambda args: _build(args, "folder.CelebaSource", args.celeba_dir, cx=args.cx, cy=args.cy, changes={
            "resolution": 128, "labels": "none",
        }),
        "make a dataset from aligned CelebA, 128x128", _TARGET, ("celeba_dir", "folder of img_align_celeba"),
    )  # fmt: skip
    celeba.add_argument("--cx", type=int, default=89, help="column of the crop's centre")
    celeba.add_argument("--cy", type=int, default=121, help="row of the crop's centre")
    for maker in (mnist, cifar10, cifar100, svhn, celeba):
        add_output(maker)
    for maker in (rgb, lsun, wide):  # the original writes these in the order of their source
        add_output(maker, shuffle=0)


def _add_inspectors(command: Callable) -> None:
    """Commands that read datasets."""
    show = command("display", display, "draw a contact sheet of a dataset", _DATASET)
    show.add_argument("--output", metavar="PNG", help="file to write (default: NAME-contact-sheet.png in the current folder)")
    show.add_argument("--columns", type=count, default=12, help="images in a row")
    show.add_argument("--rows", type=count, default=8, help="number of rows; with class labels, one row for each class")
    show.add_argument("--cell", type=int, default=96, help="side of an image on the sheet, in pixels")
    show.add_argument("--open", action="store_true", help="open the sheet in the desktop's image viewer")

    out = command("extract", extract, "write the images of a dataset to PNG files", _DATASET, ("output_dir", "new folder"))
    out.add_argument("--workers", type=count, metavar="N", help="threads (default: one per processor)")
    versus = command(
        "compare",
        compare,
        "compare two datasets image by image; exit code 1 if they differ",
        ("tfrecord_dir_a", "dataset"),
        ("tfrecord_dir_b", "dataset"),
    )
    versus.add_argument("--ignore-labels", type=int, nargs="?", const=1, default=0, help="1: compare only the images")
    versus.add_argument("--workers", type=count, metavar="N", help="threads (default: one per processor)")
    facts = command("info", info, "describe a dataset: shape, counts, labels, disk space, digest", _DATASET)
    facts.add_argument("--json", action="store_true", help="print JSON")
    verify = command(
        "check",
        check,
        "verify all files of a dataset, or of a source of images; writes nothing",
        ("path", "dataset folder, image folder, zip or tar"),
    )
    verify.add_argument("--workers", type=count, metavar="N", help="threads (default: one per processor)")
    add_preparation(verify)


def _build(args: argparse.Namespace, place: str, *arguments: object, changes: dict[str, object] | None = None, **options: object) -> None:
    """Builds a dataset; checks options and target first, because opening a large source can take minutes.

    Args:
        args: of the command.
        place: class or function in stylegan_tf.data.sources that opens the source; its module is imported then.
        arguments, options: of that function.
        changes: options of the preparation that the command sets itself.
    """
    from stylegan_tf.data.intake.build import build_dataset
    from stylegan_tf.data.records.target import ready_target

    prepared = prepare_options(args, **(changes or {}))
    paths = [value for name in _SOURCES if (value := getattr(args, name, None))]
    ready_target(args.tfrecord_dir, args.overwrite, sources=paths)
    module, _, name = f"stylegan_tf.data.sources.{place}".rpartition(".")
    with getattr(importlib.import_module(module), name)(*arguments, **options) as source:
        build_dataset(source, args.tfrecord_dir, prepared, made_by={"command": args.command_line}, sources=paths)


def convert(args: argparse.Namespace) -> None:
    """Writes a dataset in another encoding."""
    from stylegan_tf.data import open_dataset
    from stylegan_tf.data.intake.build import DatasetSource, build_dataset

    dataset = open_dataset(args.source_dir)
    options = prepare_options(args, resolution=dataset.resolution, channels=dataset.channels, shuffle=False)
    build_dataset(DatasetSource(dataset), args.tfrecord_dir, options, made_by={"command": args.command_line}, sources=[args.source_dir])


def display(args: argparse.Namespace) -> None:
    """Writes a contact sheet."""
    from stylegan_tf.data import open_dataset
    from stylegan_tf.data.records.export import contact_sheet
    from stylegan_tf.errors import UserError
    from stylegan_tf.images import save_png

    if not 8 <= args.cell <= 1024:
        raise UserError(f"--cell must be from 8 to 1024 pixels. Received: {args.cell}")
    dataset = open_dataset(args.tfrecord_dir)
    path = Path(args.output or f"{dataset.name}-contact-sheet.png")
    if path.suffix.lower() != ".png":
        raise UserError(f"--output must be a .png file. Received: {path}")
    command_line.check_output(path)
    sheet = contact_sheet(dataset, columns=args.columns, rows=args.rows, cell=args.cell)
    save_png(path, sheet)
    say(f"Contact sheet of {dataset.num_images} images: {path}")
    if args.open:
        from PIL import Image

        Image.open(path).show()


def extract(args: argparse.Namespace) -> None:
    """Writes PNG files."""
    from stylegan_tf.data import open_dataset
    from stylegan_tf.data.records.export import extract_images

    count = extract_images(open_dataset(args.tfrecord_dir), args.output_dir, args.workers)
    say(f"{count} images in {args.output_dir}")


def compare(args: argparse.Namespace) -> int:
    """Compares two datasets."""
    from stylegan_tf.data import open_dataset
    from stylegan_tf.data.records.inspection import compare_datasets

    a, b = open_dataset(args.tfrecord_dir_a), open_dataset(args.tfrecord_dir_b)
    result = compare_datasets(a, b, ignore_labels=bool(args.ignore_labels), workers=args.workers)
    say(f"Identical images: {result.identical_images} / {result.num_compared}")
    if result.identical_labels is not None:
        say(f"Identical labels: {result.identical_labels} / {result.num_compared}")
    if result.first_difference is not None:
        say(f"First different image: {result.first_difference}")
    if result.extra_images:
        say(f"One dataset has {result.extra_images} more images.")
    return 0 if result.is_same else 1


def info(args: argparse.Namespace) -> None:
    """Describes a dataset."""
    import json

    from stylegan_tf.data import open_dataset
    from stylegan_tf.data.records.inspection import describe_dataset, format_facts

    facts = describe_dataset(open_dataset(args.tfrecord_dir))
    say(*(json.dumps(facts, indent=1).split("\n") if args.json else format_facts(facts)))


def check(args: argparse.Namespace) -> None:
    """Verifies a dataset or a source of images."""
    from stylegan_tf.data import open_dataset
    from stylegan_tf.data.intake.prepare import prepare
    from stylegan_tf.data.records.inspection import check_records
    from stylegan_tf.data.sources import open_images

    path = Path(args.path)
    if path.is_dir() and next(path.glob("*.tfrecords"), None):
        refuse_preparation(args)
        dataset = open_dataset(path)
        check_records(dataset, workers=args.workers)
        say(f"No damage found in {path}: {dataset.num_images} images, {len(dataset.resolutions)} levels.")
        return
    options = prepare_options(args)
    with open_images(path) as source:
        prepared = prepare(source, options, max_listed=None)
    plan = prepared.plan
    shape = f"{plan.resolution}x{plan.resolution}x{plan.channels}"
    say(f"Labels: {prepared.labels.describe()}.")
    say(f"{len(prepared.checked.indices)} of {len(source)} images can be used; they would become {shape}.")


def main(argv: Sequence[str]) -> int | None:
    """Runs one command."""
    # The original spells its options with underscores, the rest of the world with dashes.
    argv = [arg.replace("_", "-", arg.partition("=")[0].count("_")) if arg.startswith("--") else arg for arg in argv]
    args = parser().parse_args(argv)
    args.command_line = visible_lines(shlex.join([*spelled("dataset_tool.py").split(), *argv]))
    return args.run(args)


if __name__ == "__main__":
    sys.exit(command_line.run(main))
