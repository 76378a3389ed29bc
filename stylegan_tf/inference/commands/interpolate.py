"""`generate.py interpolate`: a walk through latent space as a video."""

import argparse
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.images import make_grid
from stylegan_tf.inference import interpolation, latents, video
from stylegan_tf.inference.commands.session import Session, add_network_options, add_truncation_options, check_network
from stylegan_tf.inference.number_lists import parse_grid, parse_seeds
from stylegan_tf.inference.sheets import enlarged
from stylegan_tf.progress_bar import track

MAX_FRAMES = 100_000  # an hour at 30 frames a second
MAX_CELLS = 1024  # pictures of one frame, as of a sheet


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_network_options(parser)
    add_truncation_options(parser)
    add = parser.add_argument
    add("--seeds", default="0-7", metavar="LIST", help="where the walk leads through (default: %(default)s)")
    add("--output", default="walk.mp4", metavar="FILE", help=".mp4 (needs imageio-ffmpeg), .gif or .webp (default: %(default)s)")
    add("--frames", type=int, default=60, metavar="N", help="frames from seed to seed (default: %(default)s)")
    add("--fps", type=float, default=30.0, help="frames a second (default: %(default)s)")
    add("--space", choices=("z", "w"), default="w", help="where the walk is a line (default: %(default)s)")
    add("--method", choices=interpolation.METHODS, help="slerp for z, spline for w are the defaults; linear")
    add("--grid", default="1x1", metavar="CxR", help="walks side by side, the seeds dealt among them (default: %(default)s)")
    add("--no-loop", action="store_true", help="end at the last seed instead of coming back to the first")


def run(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Does the command."""
    seeds, (columns, rows) = parse_seeds(args.seeds), parse_grid(args.grid)
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
    video.check_video_path(args.output)

    session = Session(args, facts=facts)
    frames = _frames(session, args, np.array(seeds).reshape(cells, -1), method, columns)
    count = video.write_video(args.output, track(frames, total=num_frames, label="Drawing", unit="frames"), fps=args.fps)
    report(f"{args.output}: {count} frames, {count / args.fps:.1f} s, {method} in {args.space}")


def _frames(session: Session, args: argparse.Namespace, seeds: np.ndarray, method: str, columns: int) -> Iterator[np.ndarray]:
    """One picture grid after the other. `seeds` is [cells, keys]."""
    labels = session.labels([int(first) for first in seeds[:, 0]])  # one class for a whole walk
    keys = np.stack([latents.latents_from_seeds(cell, session.G.z_dim) for cell in seeds], axis=1)  # [keys, cells, z_dim]
    if args.space == "w":
        keys = np.stack([session.painter.ws(key, labels)[:, 0] for key in keys])  # [keys, cells, w_dim]
    path = interpolation.interpolate(keys, args.frames, method=method, is_loop=not args.no_loop)
    cells = len(seeds)
    per_chunk = max(session.args.batch // cells, 1) * 8
    while points := list(islice(path, per_chunk)):
        part = np.stack(points)  # [frames, cells, features]
        flat = part.reshape(-1, part.shape[2])
        if args.space == "w":
            ws = np.repeat(flat[:, None], session.G.num_ws, axis=1)
        else:
            ws = session.painter.ws(flat, None if labels is None else np.tile(labels, [len(part), 1]))
        waiting: list[np.ndarray] = []
        for batch in session.painter.batches(session.truncated(ws), [0] * len(ws)):
            waiting.extend(batch)
            while len(waiting) >= cells:
                yield enlarged(make_grid(np.stack(waiting[:cells]), columns), session.painter.resolution)
                del waiting[:cells]
