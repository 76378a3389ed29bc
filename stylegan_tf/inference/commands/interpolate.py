"""`generate.py interpolate`: an interpolation through latent space as a video, through z of any model or w of one with styles."""

import argparse
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.images import make_grid
from stylegan_tf.inference import interpolation, latents, video
from stylegan_tf.inference.commands.edits import add_edit_options, read_edits
from stylegan_tf.inference.commands.options import add_network_options, add_truncation_options, check_beside_w, parse_grid, parse_seeds
from stylegan_tf.inference.commands.session import (
    Session,
    StyleSession,
    check_latents,
    has_styles,
    open_session,
    read_network,
    require_styles,
    require_styles_for_options,
)
from stylegan_tf.inference.directions.direction import Edit, apply_edits, style_offsets
from stylegan_tf.inference.directions.file import check_styles
from stylegan_tf.progress_bar import track

SEEDS = "0-7"
MAX_FRAMES = 100_000  # an hour at 30 frames per second
MAX_CELLS = 1024  # images of one frame, as in a grid of `images`


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_network_options(parser)
    add_truncation_options(parser)
    add = parser.add_argument
    add_edit_options(parser)
    add("--seeds", metavar="LIST", help=f"seeds of the key points of the path (default: {SEEDS})")
    add("--w", nargs="+", metavar="FILE", help="key points from the w of .npy or .npz files instead of seeds; neither mapped nor truncated")
    add("--output", default="walk.mp4", metavar="FILE", help="video: .mp4 (needs imageio-ffmpeg), .gif or .webp (default: %(default)s)")
    add("--frames", type=int, default=60, metavar="N", help="frames from one key point to the next (default: %(default)s)")
    add("--fps", type=float, default=30.0, help="frames per second (default: %(default)s)")
    add("--space", choices=("z", "w"), help="space of the interpolation (default: w for networks with styles, z for others)")
    add("--method", choices=interpolation.METHODS, help="path between key points (default: slerp in z, spline in w)")
    add("--grid", default="1x1", metavar="CxR", help="paths side by side; the seeds are divided evenly among them (default: %(default)s)")
    add("--no-loop", action="store_true", help="end at the last seed instead of returning to the first")


def run(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Runs the command."""
    if args.w:
        check_beside_w(args)
        if args.seeds is not None or args.space == "z":
            raise UserError("--w uses the w of files as key points: omit --seeds and --space z.")
    given = [latents.load_latents(path, "w") for path in args.w or ()]
    # Key points are numbered: by seeds, or by the rows of the files.
    seeds = list(range(sum(map(len, given)))) if given else parse_seeds(SEEDS if args.seeds is None else args.seeds)
    columns, rows = parse_grid(args.grid)
    num_frames = _check_frames(args, len(seeds), columns * rows)
    contents = read_network(args)
    require_styles_for_options(args, contents)
    for path, array in zip(args.w or (), given, strict=True):
        check_latents(array, path, contents, "w")
    if args.directions is not None or args.apply:
        require_styles(contents, "--directions")
    edits = read_edits(args, contents)
    if args.space == "w":
        require_styles(contents, "--space w")
    space = args.space or ("w" if has_styles(contents) else "z")
    method = args.method or ("slerp" if space == "z" else "spline")
    video.check_video_path(args.output)

    session = open_session(args, contents)
    ws = np.concatenate([session.broadcast_ws(array) for array in given]) if given else None
    path = _Path(session, np.array(seeds).reshape(columns * rows, -1), given=ws, space=space, edits=edits)
    frames = (video.enlarged_frame(make_grid(cells, columns), session.sampler.resolution) for cells in path.frames(args, method))
    if isinstance(session, StyleSession):
        check_styles([edit.direction for edit in edits], args.directions, session.G)
    with style_offsets(session.G, edits):
        count = video.write_video(args.output, track(frames, total=num_frames, label="Generating", unit="frames"), fps=args.fps)
    report(f"{args.output}: {count} frames, {count / args.fps:.1f} s, {method} in {space}")


def _check_frames(args: argparse.Namespace, num_seeds: int, num_cells: int) -> int:
    """The number of frames, where seeds, grid and frames fit each other; UserError otherwise."""
    if num_seeds % num_cells or num_seeds < 2 * num_cells:
        raise UserError(
            f"{num_seeds} seeds cannot be split among {num_cells} paths: --grid {args.grid} needs a multiple of {num_cells}, at least "
            f"{2 * num_cells}, for example --seeds 0-{2 * num_cells - 1}."
        )
    if not 1 <= args.frames <= 100_000 or not 0 < args.fps <= 1000:
        raise UserError(f"--frames must be at least 1 and --fps above 0. Received: --frames {args.frames} --fps {args.fps}")
    num_frames = (num_seeds // num_cells - args.no_loop) * args.frames + args.no_loop
    if max(num_frames, num_seeds) > MAX_FRAMES or num_cells > MAX_CELLS:
        raise UserError(
            f"A video has at most {MAX_FRAMES:,} frames and seeds, and {MAX_CELLS:,} images in a frame. Received: {num_frames:,} frames, "
            f"{num_seeds:,} seeds, {num_cells:,} images in a frame. Try fewer --seeds, fewer --frames or a smaller --grid."
        )
    return num_frames


class _Path:
    """A path of several cells through latent space, and its images.

    Args:
        session: the network.
        seeds: [cells, keys]; with `given`, numbers of its rows.
        given: [N, num_ws, w_dim] of files, None for seeds.
        space: "z" or "w", of the interpolation between seeds.
        edits: applied to the w of every frame.
    """

    def __init__(self, session: Session, seeds: np.ndarray, *, given: np.ndarray | None, space: str, edits: list[Edit]):
        self.session, self.num_cells, self.is_given, self.space, self.edits = session, len(seeds), given is not None, space, edits
        self.labels = session.labels([int(first) for first in seeds[:, 0]])  # one class for all of a path
        if given is not None:
            self.keys = given[seeds.T]  # [keys, cells, num_ws, w_dim]
        else:
            keys = np.stack([session.z(cell) for cell in seeds], axis=1)  # [keys, cells, z_dim]
            self.keys = keys if space == "z" else np.stack([session.sampler.ws(key, self.labels)[:, 0] for key in keys])

    def frames(self, args: argparse.Namespace, method: str) -> Iterator[np.ndarray]:
        """Yields uint8 [cells, H, W, C], one frame after the other."""
        points = interpolation.interpolate(self.keys, args.frames, method=method, is_loop=not args.no_loop)
        frames_at_once = max(args.batch // self.num_cells, 1) * 8
        while chunk := list(islice(points, frames_at_once)):
            waiting: list[np.ndarray] = []
            for batch in self._batches(np.concatenate(chunk)):
                waiting.extend(batch)
                while len(waiting) >= self.num_cells:
                    yield np.stack(waiting[: self.num_cells])
                    del waiting[: self.num_cells]

    def _batches(self, points: np.ndarray) -> Iterator[np.ndarray]:
        """Images of [frames * cells, features], or of files [frames * cells, num_ws, w_dim]; the same noise in all frames."""
        session, noise_seeds = self.session, [0] * len(points)
        labels = None if self.labels is None else np.tile(self.labels, [len(points) // self.num_cells, 1])
        if not isinstance(session, StyleSession):
            return session.sampler.batches(points, labels, noise_seeds)
        if not self.is_given:
            ws = session.broadcast_ws(points) if self.space == "w" else session.sampler.ws(points, labels)
            points = session.truncated(ws)
        return session.sampler.batches(apply_edits(points, self.edits), noise_seeds)
