"""Command line of everything a trained network can draw: pictures, figures, walks, projections, exports."""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial

import config
from stylegan_tf import command_line
from stylegan_tf.inference.commands import export, figures, images, interpolate, project
from stylegan_tf.inference.network_facts import newest_run

EXAMPLES = """examples:
  python generate.py images --network results/00000-stylegan-leaves32-1gpu --seeds 0-63 --grid
  python generate.py style-mixing --network network-final.pkl --rows 85,100,75 --cols 55,821,1789 --styles 0-3 4-7
  python generate.py interpolate --network network-final.pkl --seeds 0-7 --output walk.webp

generate.py COMMAND --help lists the options of a command.
"""

# Command -> (one line of help, adds its options, does its work).
COMMANDS: dict[str, tuple[str, Callable, Callable]] = {
    "images": ("one PNG for each seed, or sheets of them", images.add_options, images.run),
    "style-mixing": ("rows in the styles of columns (figure 3)", figures.add_style_mixing_options, figures.run_style_mixing),
    "truncation": ("from the average to the rare (figure 8)", figures.add_truncation_figure_options, figures.run_truncation),
    "noise": ("what noise does (figures 4 and 5)", figures.add_noise_options, figures.run_noise),
    "interpolate": ("a walk through latent space: mp4, gif, webp", interpolate.add_options, interpolate.run),
    "project": ("the w that draws a given photograph", project.add_options, project.run),
    "figures": ("the set of the paper's figures in one go", figures.add_figures_options, figures.run_figures),
    "export": ("a SavedModel or a Keras file for others", export.add_options, export.run),
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="generate.py",
        description="Draws with a trained StyleGAN: a snapshot of train.py, or an official pickle of the original.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (help_line, add_options, _) in COMMANDS.items():
        description = f"{help_line[0].upper()}{help_line[1:]}."
        default = f"Without --network, the newest run folder below {config.RESULTS_DIR}/ that holds a snapshot is drawn with."
        add_options(commands.add_parser(name, help=help_line, description=description, epilog=default))
    return parser


def main(argv: Sequence[str]) -> None:
    """Runs the command line."""
    options = parser().parse_args(argv)
    if options.network is None:
        options.network = str(newest_run(config.RESULTS_DIR))
        print(f"--network {options.network}", flush=True)
    run = COMMANDS[options.command][2]
    if options.command == "project":
        run = partial(run, make_distance=make_distance)
    run(options, print)


def make_distance(name: str, weights_path: str | None) -> Callable:
    """What makes the distance that `project` makes small; the library knows no metrics, so it is plugged in here.

    Weights are read at once, without TensorFlow: a wrong file is said before the network is opened.
    """
    if name == "pixels":
        return pixel_distance
    from metrics.networks import weights

    return partial(lpips_distance, weights.load_lpips(weights_path))


def pixel_distance() -> Callable:
    """The distance that needs no other network."""
    from stylegan_tf.inference import projection

    return projection.pixel_distance


def lpips_distance(arrays: dict) -> Callable:
    """LPIPS with these weights."""
    from metrics.features.lpips import Lpips

    return Lpips(arrays)


if __name__ == "__main__":
    sys.exit(command_line.run(main))
