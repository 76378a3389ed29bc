"""Command line shared by the benchmarks of networks."""

import argparse
from collections.abc import Sequence

from benchmarks.workload import Workload
from stylegan_tf import command_line
from stylegan_tf import resolution as growth

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def parse(
    description: str, *, resolution: int, fmap_max: int, batch: int, fmap_base: int = 8192, is_training: bool = False,
    counted: Sequence[str] = (),
) -> tuple[Workload, argparse.Namespace]:  # fmt: skip
    """The requested workload, and the other options. `counted`: choices of --count, the first is the default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=resolution, help="resolution in pixels (default: %(default)s)")
    parser.add_argument("--fmap-base", type=int, default=fmap_base, help="fmap_base of G and D (default: %(default)s)")
    parser.add_argument("--fmap-max", type=int, default=fmap_max, help="fmap_max of G and D (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=batch, help="minibatch (default: %(default)s)")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="precision (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=8, help="timed runs after a warm-up")
    parser.add_argument("--xla", action="store_true", help="compile with XLA")
    add_profile(parser)
    if is_training:
        parser.add_argument("--compare", action="store_true", help="print a table of both precisions, without and with XLA")
        parser.add_argument("--background", action="store_true", help="compile with XLA in a thread while steps run without it")
        parser.add_argument("--stage-change", action="store_true", help="also time the first step of another stage of growth")
    if counted:
        parser.add_argument("--count", choices=counted, default=counted[0], help="what is counted (default: %(default)s)")
    options = parser.parse_args()
    growth.check_resolution(options.resolution)
    command_line.import_tensorflow()
    workload = Workload(resolution=options.resolution, fmap_base=options.fmap_base, fmap_max=options.fmap_max, batch=options.batch,
                        precision=options.precision)  # fmt: skip
    return workload, options


def add_profile(parser: argparse.ArgumentParser) -> None:
    """--profile, with a folder or without."""
    parser.add_argument("--profile", nargs="?", const="profiles", metavar="DIR",
                        help="write a TensorFlow profile into DIR (default: profiles) and print the ten heaviest operations")  # fmt: skip
