"""`generate.py interpolate`: a walk through latent space as a video."""

import argparse
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.images import make_grid
from stylegan_tf.inference import interpolation, latents, video
from stylegan_tf.inference.commands.session import (
    Session,
    add_network_options,
    add_truncation_options,
    check_latents,
    check_network,
    refuse_beside_w,
)
from stylegan_tf.inference.number_lists import parse_grid, parse_seeds
from stylegan_tf.inference.sheets import enlarged
from stylegan_tf.progress_bar import track

SEEDS = "0-7"
MAX_FRAMES = 100_000  # an hour at 30 frames a second
MAX_CELLS = 1024  # pictures of one frame, as of a sheet


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_network_options(parser)
    add_truncation_options(parser)
    add = parser.add_argument
    add("--seeds", metavar="LIST", help=f"where the walk leads through (default: {SEEDS})")
    add("--w", nargs="+", metavar="FILE", help="lead it through the w of .npy or .npz files instead: not mapped, not truncated")
    add("--output", default="walk.mp4", metavar="FILE", help=".mp4 (needs imageio-ffmpeg), .gif or .webp (default: %(default)s)")
    add("--frames", type=int, default=60, metavar="N", help="frames from seed to seed (default: %(default)s)")
    add("--fps", type=float, default=30.0, help="frames a second (default: %(default)s)")
    add("--space", choices=("z", "w"), default="w", help="where the walk is a line (default: %(default)s)")
    add("--method", choices=interpolation.METHODS, help="slerp for z, spline for w are the defaults; linear")
    add("--grid", default="1x1", metavar="CxR", help="walks side by side, the seeds dealt among them (default: %(default)s)")
    add("--no-loop", action="store_true", help="end at the last seed instead of coming back to the first")


def run(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Does the command."""
    if args.w:
        _check_beside_w(args)
    given = [latents.load_latents(path, "w") for path in args.w or ()]
    # The w of files are numbered; what is dealt among the walks are numbers in either case.
    seeds = list(range(sum(map(len, given)))) if given else parse_seeds(SEEDS if args.seeds is None else args.seeds)
    columns, rows = parse_grid(args.grid)
    cells = columns * rows
    if len(seeds) % cells or len(seeds) < 2 * cells:
        raise UserError(
            f"{len(seeds)} seeds cannot be dealt among {cells} walks: --grid {args.grid} takes a multiple of {cells}, at least two each."
        )
    if not 1 <= args.frames <= 100_000 or not 0 < args.fps <= 1000:
        raise UserError(f"--frames must be at least 1 and --fps above 0. Received: --frames {args.frames} --fps {args.fps}")
    num_frames = (len(seeds) // cells - args.no_loop) * args.frames + args.no_loop
    if max(num_frames, len(seeds)) > MAX_FRAMES or cells > MAX_CELLS:
        raise UserError(
            f"A walk has at most {MAX_FRAMES:,} frames and seeds, and {MAX_CELLS:,} pictures in a frame. Received: {num_frames:,} frames, "
            f"{len(seeds):,} seeds, {cells:,} pictures in a frame. Try fewer --seeds, fewer --frames from seed to seed or a smaller --grid."
        )
    method = args.method or ("slerp" if args.space == "z" else "spline")
    facts = check_network(args)
    for path, array in zip(args.w or (), given, strict=True):
        check_latents(array, path, facts, "w")
    video.check_video_path(args.output)

    session = Session(args, facts=facts)
    dealt = np.array(seeds).reshape(cells, -1)
    ws = np.concatenate([session.broadcast_ws(array) for array in given]) if given else None
    frames = _frames(session, args, dealt, method, columns, given=ws)
    count = video.write_video(args.output, track(frames, total=num_frames, label="Drawing", unit="frames"), fps=args.fps)
    report(f"{args.output}: {count} frames, {count / args.fps:.1f} s, {method} in {args.space}")


def _keys_of_seeds(session: Session, seeds: np.ndarray, labels: np.ndarray | None, space: str) -> np.ndarray:
    """[keys, cells, z_dim or w_dim]."""
    keys = np.stack([latents.latents_from_seeds(cell, session.G.z_dim) for cell in seeds], axis=1)
    return keys if space == "z" else np.stack([session.painter.ws(key, labels)[:, 0] for key in keys])


def _check_beside_w(args: argparse.Namespace) -> None:
    refuse_beside_w(args)
    if args.seeds is not None or args.space == "z":
        raise UserError("--w leads through the w of files: leave out --seeds and --space z.")


def _frames(
    session: Session, args: argparse.Namespace, seeds: np.ndarray, method: str, columns: int, given: np.ndarray | None = None
) -> Iterator[np.ndarray]:
    """One picture grid after the other. `seeds` is [cells, keys], or with `given` [N, num_ws, w_dim] numbers of its rows."""
    labels = session.labels([int(first) for first in seeds[:, 0]])  # one class for a whole walk
    # [keys, cells, num_ws, w_dim] of files, [keys, cells, features] of seeds
    keys = given[seeds.T] if given is not None else _keys_of_seeds(session, seeds, labels, args.space)
    path = interpolation.interpolate(keys, args.frames, method=method, is_loop=not args.no_loop)
    cells = len(seeds)
    per_chunk = max(session.args.batch // cells, 1) * 8
    while points := list(islice(path, per_chunk)):
        part = np.stack(points)  # [frames, cells, features], of files [frames, cells, num_ws, w_dim]
        flat = part.reshape(-1, *part.shape[2:])
        if given is not None:
            ws = flat
        elif args.space == "w":
            ws = np.repeat(flat[:, None], session.G.num_ws, axis=1)
        else:
            ws = session.painter.ws(flat, None if labels is None else np.tile(labels, [len(part), 1]))
        waiting: list[np.ndarray] = []
        ws = ws if given is not None else session.truncated(ws)
        for batch in session.painter.batches(ws, [0] * len(ws)):
            waiting.extend(batch)
            while len(waiting) >= cells:
                yield enlarged(make_grid(np.stack(waiting[:cells]), columns), session.painter.resolution)
                del waiting[:cells]
