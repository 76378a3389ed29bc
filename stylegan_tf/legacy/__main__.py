"""Command line: converts an official pickle to a snapshot of ours, or prints the contents of one."""

if __name__ == "__main__":  # before the imports that take time
    from stylegan_tf import program_start

    program_start.begin()

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from stylegan_tf import command_line
from stylegan_tf.argument_parser import Parser
from stylegan_tf.display import say, visible
from stylegan_tf.errors import UserError
from stylegan_tf.legacy.official import read_official
from stylegan_tf.legacy.torch_modules import is_torch_pickle, read_modules
from stylegan_tf.legacy.unpickler import read_networks

EXAMPLES = """examples:
  python -m stylegan_tf.legacy info karras2019stylegan-ffhq-1024x1024.pkl
  python -m stylegan_tf.legacy convert karras2019stylegan-ffhq-1024x1024.pkl ffhq.pkl
  python generate.py images --network karras2019stylegan-ffhq-1024x1024.pkl --seeds 0-9     (no conversion needed)
"""


def parser() -> Parser:
    """The command line."""
    parser = Parser(
        prog="python -m stylegan_tf.legacy",
        description="Reads official StyleGAN network pickles; no code in them is executed.",
        epilog=EXAMPLES,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    convert = commands.add_parser("convert", help="write a snapshot of this library")
    for command in (convert, commands.add_parser("info", help="print the contents of a pickle")):
        command.add_argument("official", metavar="OFFICIAL", help="pickle of StyleGAN, StyleGAN2-ADA or StyleGAN2 in stylegan3")
    convert.add_argument("ours", metavar="OURS", help="snapshot to write")
    return parser


def main(argv: Sequence[str]) -> None:
    """Runs the command line."""
    options = parser().parse_args(argv)
    (convert if options.command == "convert" else info)(options)


def convert(options: argparse.Namespace) -> None:
    """Writes a snapshot."""
    ours = Path(options.ours)
    if ours.resolve() == Path(options.official).resolve():
        raise UserError(f"{ours} would replace the official pickle. Choose another name.")
    command_line.check_output(ours)
    official = read_official(options.official)
    command_line.import_tensorflow()  # seconds; wrong files are refused before
    from stylegan_tf.snapshot import make_networks, save_networks

    networks = make_networks(official)
    save_networks(ours, networks)
    say(f"{ours}: {networks.G_ema.resolution}x{networks.G_ema.resolution}, {ours.stat().st_size / 1e6:.1f} MB, lod {networks.lod:g}")


def info(options: argparse.Namespace) -> None:
    """Prints the networks, their options and sizes."""
    if is_torch_pickle(options.official):
        networks = [(name, module.kind, module.all_arrays(), module.state) for name, module in read_modules(options.official).items()]
    else:
        networks = [(found.name, found.kind, found.variables, found.options) for found in read_networks(options.official)]
    for name, kind, arrays, values in networks:
        count = sum(array.size for array in arrays.values())
        say(f"{visible(name, 80)}  {visible(kind, 80)}  {len(arrays)} variables, {count:,} numbers")
        for option, value in values.items():
            if not str(option).startswith("_"):
                say(f"    {visible(option, 80):<20} {visible(value, 80)}")


if __name__ == "__main__":
    sys.exit(command_line.run(main))
