"""Command line for trained generators: images, figures, interpolation videos, projection, export."""

if __name__ == "__main__":  # before the imports that take time
    from stylegan_tf import program_start

    program_start.begin(needs_config=True)

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import config
from stylegan_tf import command_line, out_of_memory
from stylegan_tf.argument_parser import Parser
from stylegan_tf.command_line import spelled
from stylegan_tf.display import say
from stylegan_tf.inference.commands import directions, explore, export, figures, images, interpolate, project
from stylegan_tf.loading import named_network

if TYPE_CHECKING:
    from stylegan_tf.inference.directions.scores import MeasureRequest, Measures
    from stylegan_tf.inference.projection import Distance

EXAMPLES = """examples:
  python generate.py images --network latest --seeds 0-63 --grid
  python generate.py style-mixing --network network-final.pkl --rows 85,100,75 --cols 55,821,1789 --styles 0-3 4-7
  python generate.py interpolate --network network-final.pkl --seeds 0-7 --output walk.webp

`python generate.py COMMAND --help` lists all options of a command.
"""

# Command -> (one line of help, function that adds its options, function that runs it).
COMMANDS: dict[str, tuple[str, Callable, Callable]] = {
    "images": ("one PNG for each seed, or grids of them", images.add_options, images.run),
    "style-mixing": ("images with the styles of two seeds (figure 3)", figures.add_style_mixing_options, figures.run_style_mixing),
    "truncation": ("the effect of truncation (figure 8)", figures.add_truncation_figure_options, figures.run_truncation),
    "noise": ("the effect of noise (figures 4 and 5)", figures.add_noise_options, figures.run_noise),
    "interpolate": ("a video of an interpolation through latent space: mp4, gif, webp", interpolate.add_options, interpolate.run),
    "project": ("find the w of photographs, and tune networks to them", project.add_options, project.run),
    "directions": ("directions in latent space: find and score them, edit images with them", directions.add_options, directions.run),
    "explore": ("a page in the browser with a control for everything that an image depends on", explore.add_options, explore.run),
    "figures": ("all figures of the paper", figures.add_figures_options, figures.run_figures),
    "export": ("write the generator for other programs: SavedModel, ONNX, TensorFlow Lite, Keras, a page", export.add_options, export.run),
}


def parser() -> Parser:
    """The command line."""
    parser = Parser(
        prog="generate.py",
        description="Generates images with a trained generator: a snapshot of train.py, or an official StyleGAN pickle.",
        epilog=EXAMPLES,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (help_line, add_options, _) in COMMANDS.items():
        description = f"{help_line[0].upper()}{help_line[1:]}."
        default = f"Without --network, the newest run folder in {config.RESULTS_DIR}/ that contains a snapshot is used."
        add_options(commands.add_parser(name, help=help_line, description=description, epilog=default))
    return parser


def main(argv: Sequence[str]) -> None:
    """Runs the command line."""
    options = parser().parse_args(argv)
    options.command_line = spelled(shlex.join(["python", "generate.py", *argv]))  # for the text fields of PNG files
    if options.network in (None, "latest"):
        options.network = str(named_network("latest", config.RESULTS_DIR))
        say(f"--network {options.network}")
    run = COMMANDS[options.command][2]
    if options.command == "project":
        run = partial(run, make_distance=make_distance)
    if options.command == "directions":
        run = partial(run, prepare_measures=prepare_measures)
    outdir = getattr(options, "outdir", None)
    is_new = outdir is not None and not os.path.exists(outdir)
    batch = getattr(options, "batch", 1)  # `explore` computes one image at a time
    fewer = f"--batch {batch // 2} (half as many images at once, same images), or " if batch > 1 else ""
    try:
        with out_of_memory.explained(f"Try {fewer}--device cpu."):
            run(options, say)
    finally:
        if is_new:  # a folder without results is removed
            with contextlib.suppress(OSError):
                os.rmdir(outdir)


def make_distance(name: str, weights_path: str | None) -> "Callable[[], Distance]":
    """A function that builds the distance that `project` minimises; the library does not import metrics, so it is passed in.

    Weights are read here, without TensorFlow, so that a wrong file is refused before the network is built.
    """
    if name == "lpips":
        from metrics.networks import weights

        arrays = weights.load_lpips(weights_path)

    def make() -> "Distance":
        if name == "pixels":
            from stylegan_tf.inference import projection

            return projection.pixel_distance
        from metrics.features.lpips import Lpips

        return Lpips(arrays)

    return make


def prepare_measures(request: "MeasureRequest") -> "Callable[[], Measures]":
    """What `directions find` scores directions with; see `metrics.of_directions.prepare`."""
    from metrics.of_directions import prepare

    return prepare(request)


if __name__ == "__main__":
    sys.exit(command_line.run(main))
