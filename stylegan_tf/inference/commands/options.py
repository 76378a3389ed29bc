"""Options that the commands of generate.py share, and the values they take: seeds "85,265,297-305", layers "0-3", psis "1,0.7,0"."""

import argparse
import math
import re
from pathlib import Path

from stylegan_tf.command_line import check_output
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.loading import missing_network
from stylegan_tf.seeds import check_seeds

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
NOISE_MODES = ("const", "random", "none")
MAX_COUNT = 1_000_000


def add_network_options(parser: argparse.ArgumentParser, *, has_noise: bool = True, has_classes: bool = True) -> None:
    """Options of every command: the network, and how it is run."""
    add = parser.add_argument
    parser.set_defaults(has_labels=has_classes)
    add(
        "--network",
        metavar="PKL",
        help="snapshot, run folder (its latest snapshot), latest (the newest run) or official pickle (default: latest)",
    )
    add(
        "--batch",
        type=int,
        default=8,
        metavar="N",
        help="images computed at once; always 1 with --noise random, not used by export (default: %(default)s)",
    )
    add("--precision", choices=PRECISIONS, default="float32", help="precision of the network's arithmetic (default: %(default)s)")
    add("--device", metavar="NAME", help="device, such as cpu or gpu:0 (default: the first GPU, else the CPU)")
    add("--lod", type=float, metavar="LOD", help="level of detail, 0 is full resolution (default: that of the snapshot)")
    if has_classes:
        add(
            "--class",
            dest="class_name",
            metavar="CLASS",
            help="number or name of a class, for conditional networks (default: random for each seed)",
        )
        add("--label", metavar="NUMBERS", help="numbers of a label, such as 13,90, for labels that are not classes")
    else:
        parser.set_defaults(class_name=None, label=None)
    if has_noise:
        add("--noise", choices=NOISE_MODES, help="noise inputs of networks with styles (default: const)")
    else:
        parser.set_defaults(noise=None)


def add_truncation_options(parser: argparse.ArgumentParser, default: float | None = None) -> None:
    """Options of truncation."""
    shown = "that of the network, usually 0.7" if default is None else f"{default:g}"
    parser.add_argument("--trunc", type=float, default=default, metavar="PSI", help=f"truncation psi, 1 for none (default: {shown})")
    parser.add_argument(
        "--trunc-cutoff", metavar="N", help="number of truncated layers, or 'all' (default: that of the network, usually 8)"
    )


def check_options(args: argparse.Namespace) -> None:
    """Checks the shared options that need no network.

    Raises:
        UserError: a value is impossible.
    """
    if not Path(args.network).exists():
        raise MissingFileError(f"--network {missing_network(args.network)}")
    if args.class_name is not None and args.label is not None:
        raise UserError("--class and --label exclude each other.")
    check_numbers(args, batch=(1, 4096), lod=(0, 8))
    cutoff = getattr(args, "trunc_cutoff", None)
    if cutoff is not None and cutoff != "all" and not (cutoff.isdecimal() and int(cutoff) <= 64):
        raise UserError(f"--trunc-cutoff must be a number of layers or 'all'. Received: {cutoff}")
    psi = getattr(args, "trunc", None)
    if psi is not None and not -100 <= psi <= 100:
        raise UserError(f"--trunc must be a number from -100 to 100. Received: {psi}")


def check_numbers(args: argparse.Namespace, **limits: tuple[float, float]) -> None:
    """Raises UserError for a number outside of its limits; options that were not given are None."""
    for name, (low, high) in limits.items():
        value = getattr(args, name)
        if value is not None and not low <= value <= high:
            raise UserError(f"--{name.replace('_', '-')} must be from {low} to {high}. Received: {value}")


def check_beside_w(args: argparse.Namespace) -> None:
    """Refuses options without effect on the w of a file, which is neither mapped nor truncated."""
    given = {"--trunc": args.trunc, "--trunc-cutoff": args.trunc_cutoff, "--class": args.class_name, "--label": args.label}
    refused = [name for name, value in given.items() if value is not None]
    if refused:
        raise UserError(f"--w is used as it is in the file: omit {' and '.join(refused)}, or use the z of the file with --latents.")


def make_outdir(path: str) -> Path:
    """Makes the folder of the results, before any slow work.

    Raises:
        UserError: it cannot be made or written to.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be made: {error.strerror}.") from error
    check_output(folder / "image.png")
    return folder


def parse_seeds(text: str) -> list[int]:
    """Seeds in the order given, ranges with both ends: "85,297-299" is [85, 297, 298, 299].

    Raises:
        UserError: not such a list, empty, a range whose end is below its start, or a seed above 2^32 - 1.
    """
    return check_seeds(_parse_ranges(text, "seeds", "85,265,297-305"))


def parse_layers(text: str, num_layers: int | None = None) -> list[int]:
    """Layers, counted from 0 at 4x4: "0-3" is [0, 1, 2, 3].

    Args:
        text: numbers and ranges.
        num_layers: of the network; None where it is not known yet.

    Raises:
        UserError: not such a list, or a layer that the network does not have.
    """
    layers = sorted(set(_parse_ranges(text, "layers", "0-3")))
    if num_layers is not None and layers[-1] >= num_layers:
        raise UserError(f"The network has layers 0 to {num_layers - 1}. Received: {text}")
    return layers


def parse_numbers(text: str, what: str = "numbers") -> list[float]:
    """Finite numbers: "1,0.7,-0.5" is [1.0, 0.7, -0.5]. Raises UserError for anything else."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"{what} must be numbers separated by commas, such as 1,0.7,-0.5. Received: {text!r}") from None
    if not all(math.isfinite(number) for number in numbers):
        raise UserError(f"{what} must be finite. Received: {text!r}")
    return numbers


def parse_grid(text: str) -> tuple[int, int]:
    """Columns and rows: "4x2" is (4, 2). Raises UserError for anything else."""
    match = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text)
    if match is None or not int(match[1]) or not int(match[2]):
        raise UserError(f"A grid is given as columns x rows, such as 4x2. Received: {text!r}")
    return int(match[1]), int(match[2])


def _parse_ranges(text: str, what: str, example: str) -> list[int]:
    numbers = []
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d{1,12})(?:-(\d{1,12}))?", part)
        if match is None:
            raise UserError(f"{what} must have the form {example}. Received: {text!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UserError(f"The range {part} of {what} is empty: its end is below its start. Received: {text!r}")
        if len(numbers) + last - first >= MAX_COUNT:
            raise UserError(f"At most {MAX_COUNT:,} {what} are possible. Received: {text!r}")
        numbers.extend(range(first, last + 1))
    return numbers
