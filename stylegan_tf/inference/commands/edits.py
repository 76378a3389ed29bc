"""The options `--directions` and `--apply` of the commands that edit w, and the edits that they name."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from stylegan_tf.errors import UserError
from stylegan_tf.inference.directions.direction import Edit, parse_edit
from stylegan_tf.inference.directions.file import load_directions
from stylegan_tf.snapshot_file import SnapshotContents

if TYPE_CHECKING:
    from stylegan_tf.inference.directions.direction import Direction


def add_edit_options(parser: argparse.ArgumentParser) -> None:
    """Options of commands that edit."""
    add = parser.add_argument
    add("--directions", metavar="FILE", help="directions.npz of `directions find`")
    add("--apply", nargs="+", default=[], metavar="EDIT", help="NAME=STRENGTH, or NAME=STRENGTH@LAYERS such as sefa0=-2.5@0-3")


def read_directions(path: str, contents: SnapshotContents) -> "list[Direction]":
    """The directions of a file, checked against the settings of a network with styles."""
    settings = contents.G.settings
    return load_directions(Path(path), num_ws=settings.num_ws(contents.shape.resolution), w_dim=settings.w_dim)


def read_edits(args: argparse.Namespace, contents: SnapshotContents) -> list[Edit]:
    """The edits of `--apply`, empty without it; before TensorFlow is imported.

    Raises:
        UserError: one option without the other, an edit that cannot be understood, or a file that does not fit the network.
    """
    if (args.directions is None) != (not args.apply):
        raise UserError("--directions FILE and --apply NAME=STRENGTH belong together.")
    if args.directions is None:
        return []
    directions = read_directions(args.directions, contents)
    num_ws = contents.G.settings.num_ws(contents.shape.resolution)
    return [parse_edit(text, directions, num_ws) for text in args.apply]
