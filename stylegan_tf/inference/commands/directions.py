"""`generate.py directions find`, `show` and `edit`: directions in latent space."""

import argparse
import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from stylegan_tf.command_line import check_output, spelled
from stylegan_tf.errors import UserError, did_you_mean
from stylegan_tf.images import make_grid, save_png
from stylegan_tf.inference import latents, video
from stylegan_tf.inference.commands.edits import add_edit_options, read_directions, read_edits
from stylegan_tf.inference.commands.find_directions import STEPS, add_find_options, check_sheet, parse_steps, run_find, table, write_sheets
from stylegan_tf.inference.commands.options import add_network_options, add_truncation_options, check_beside_w, make_outdir, parse_seeds
from stylegan_tf.inference.commands.pictures import Figure, save_figure, seed_names, text_fields
from stylegan_tf.inference.commands.session import StyleSession, check_latents, read_network, require_styles
from stylegan_tf.inference.directions.direction import MAX_SHEET_IMAGES, Edit, apply_edits, edited_images
from stylegan_tf.inference.directions.file import check_styles
from stylegan_tf.inference.directions.scores import PrepareMeasures
from stylegan_tf.progress_bar import track

_MAX_VIDEO_IMAGES = 1_000_000

_EXAMPLES = """examples:
  python generate.py directions find --network results/00000-stylegan-leaves32-1gpu --method sefa pca classes
  python generate.py directions show --network results/00000-stylegan-leaves32-1gpu --directions directions/directions.npz
  python generate.py directions edit --network results/00000-stylegan-leaves32-1gpu --directions directions/directions.npz \\
      --seeds 0-7 --apply pca0=2 sefa1=-1.5@0-3
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the three commands."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{spelled(_EXAMPLES)}\n{parser.epilog}"
    commands = parser.add_subparsers(dest="action", required=True, metavar="find|show|edit")
    for name, (what, add) in _ACTIONS.items():
        add(commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}."))


def run(args: argparse.Namespace, report: Callable[[str], None], prepare_measures: PrepareMeasures) -> None:
    """Runs one of them."""
    {"find": partial(run_find, prepare_measures=prepare_measures), "show": _run_show, "edit": _run_edit}[args.action](args, report)


def _add_show_options(parser: argparse.ArgumentParser) -> None:
    add_network_options(parser)
    add_truncation_options(parser)
    add = parser.add_argument
    add("--directions", required=True, metavar="FILE", help="directions.npz of `directions find`")
    add("--names", nargs="+", metavar="NAME", help="directions to show (default: all)")
    add("--seeds", default="0-3", metavar="LIST", help="rows of the contact sheets (default: %(default)s)")
    add("--steps", default=STEPS, metavar="LIST", help="columns, in standard deviations (default: --steps=%(default)s)")
    add("--outdir", default="directions", metavar="DIR", help="folder for the contact sheets (default: %(default)s)")


def _run_show(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """The table of scores, and a contact sheet for each direction."""
    seeds, steps = parse_seeds(args.seeds), parse_steps(args.steps)
    check_sheet(seeds, steps)
    contents = read_network(args)
    require_styles(contents, "Editing")
    directions = read_directions(args.directions, contents)
    known = [direction.name for direction in directions]
    if unknown := [name for name in args.names or () if name not in known]:
        raise UserError(f"{args.directions} has no direction {unknown[0]!r}.{did_you_mean(unknown[0], known)} Known: {', '.join(known)}.")
    chosen = [direction for direction in directions if not args.names or direction.name in args.names]
    outdir = make_outdir(args.outdir)
    session = StyleSession(args, contents)
    check_styles(chosen, args.directions, session.G)
    write_sheets(session, chosen, seeds, steps, outdir)
    for line in table(chosen):
        report(line)
    report(f"{len(chosen)} contact sheets in {outdir}")


def _add_edit_options(parser: argparse.ArgumentParser) -> None:
    add_network_options(parser)
    add_truncation_options(parser)
    add_edit_options(parser)
    add = parser.add_argument
    add("--seeds", metavar="LIST", help="seeds of the images, such as 85,265,297-305")
    add(
        "--w",
        metavar="FILE",
        help="w from an .npy or .npz file instead of seeds, such as projected.npz of `project`; neither mapped nor truncated",
    )
    add("--outdir", default="edited", metavar="DIR", help="folder for the images (default: %(default)s)")
    add("--grid", action="store_true", help="one sheet, unedited images above edited ones, instead of one PNG for each image")
    add("--save-w", metavar="FILE", help="write the edited w as .npz; edits of style channels are not part of it")
    add(
        "--video",
        metavar="FILE",
        help="a video from strength 0 to the given strengths and back: .mp4 (needs imageio-ffmpeg), .gif or .webp",
    )
    add("--frames", type=int, default=60, metavar="N", help="frames of the video (default: %(default)s)")
    add("--fps", type=float, default=30.0, help="frames per second (default: %(default)s)")


def _run_edit(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Edited images of seeds or of a file, and a video of them."""
    if (args.seeds is None) == (args.w is None):
        raise UserError("Name what is edited by one of --seeds LIST or --w FILE.")
    if args.directions is None:
        raise UserError("Name the edit: --directions FILE --apply NAME=STRENGTH.")
    if args.w is not None:
        check_beside_w(args)
    if not 2 <= args.frames <= 100_000 or not 0 < args.fps <= 1000:
        raise UserError(f"--frames must be from 2 to 100000 and --fps above 0. Received: --frames {args.frames} --fps {args.fps}")
    given = None if args.w is None else latents.load_latents(args.w, "w")
    seeds = parse_seeds(args.seeds) if given is None else list(range(len(given)))
    if args.save_w is not None:
        if not args.save_w.endswith(".npz"):
            raise UserError(f"--save-w writes an .npz file. Received: {args.save_w!r}")
        check_output(args.save_w)
    contents = read_network(args)
    require_styles(contents, "Editing")
    edits = read_edits(args, contents)
    if given is not None:
        check_latents(given, args.w, contents, "w")
    if len(seeds) > MAX_SHEET_IMAGES and (args.grid or args.video):
        raise UserError(f"A grid or a video shows at most {MAX_SHEET_IMAGES} images. Received: {len(seeds)}")
    if args.video and len(seeds) * args.frames > _MAX_VIDEO_IMAGES:
        raise UserError(f"The video would need {len(seeds) * args.frames:,} images; at most {_MAX_VIDEO_IMAGES:,} are made.")
    outdir = make_outdir(args.outdir)
    if args.video:  # which may be in that folder
        video.check_video_path(args.video)

    session = StyleSession(args, contents)
    check_styles([edit.direction for edit in edits], args.directions, session.G)
    ws = session.truncated(session.ws(seeds)) if given is None else session.broadcast_ws(given)
    edited = edited_images(session.sampler, ws, edits)
    if args.grid:
        pictures = np.stack([session.sampler.images(ws), edited])
        names = [str(seed) for seed in seeds] if given is not None else seed_names(session, seeds)
        note = "Above: unedited images. Below: edited images."
        report(save_figure(outdir / "edited.png", Figure(pictures, names, ["unedited", "edited"], note), session))
    else:
        for seed, image in zip(seeds, edited, strict=True):
            save_png(
                outdir / (f"seed{seed:04d}.png" if given is None else f"{seed:04d}.png"), image, text=text_fields(session, seed=str(seed))
            )
    if args.save_w is not None:
        latents.save_latents(args.save_w, w=apply_edits(ws, edits))
    report(f"{len(ws)} edited image{'s' if len(ws) > 1 else ''} of {session.sampler.resolution}x{session.sampler.resolution} in {outdir}")
    if args.video:
        frames = track(_frames(session, ws, edits, args.frames), total=args.frames, label="Generating", unit="frames")
        count = video.write_video(args.video, frames, fps=args.fps)
        report(f"{args.video}: {count} frames, {count / args.fps:.1f} s")


def _frames(session: StyleSession, ws: np.ndarray, edits: list[Edit], count: int) -> Iterator[np.ndarray]:
    """From the unedited images to the edited ones and back, in a grid; the share of the edit is a cosine of time."""
    columns = math.ceil(math.sqrt(len(ws)))
    for number in range(count):
        share = 0.5 - 0.5 * math.cos(2 * math.pi * number / count)
        yield video.enlarged_frame(make_grid(edited_images(session.sampler, ws, edits, share), columns), session.sampler.resolution)


_ACTIONS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    "find": ("find directions, score them and draw a contact sheet of each", add_find_options),
    "show": ("the scores and contact sheets of directions that were found", _add_show_options),
    "edit": ("apply directions to seeds, to w of a file or to a projected photograph", _add_edit_options),
}
