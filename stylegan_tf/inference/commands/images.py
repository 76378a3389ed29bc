"""`generate.py images`: one PNG for each seed, or grids of them, from a network of any model."""

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from stylegan_tf.command_line import check_output
from stylegan_tf.errors import UserError
from stylegan_tf.images import make_grid, save_png
from stylegan_tf.inference import latents
from stylegan_tf.inference.commands import pictures
from stylegan_tf.inference.commands.options import (
    add_network_options,
    add_truncation_options,
    check_beside_w,
    make_outdir,
    parse_grid,
    parse_seeds,
)
from stylegan_tf.inference.commands.session import (
    Session,
    StyleSession,
    check_latents,
    open_session,
    read_network,
    require_styles_for_options,
)
from stylegan_tf.progress_bar import track
from stylegan_tf.sheets import sheet

SEEDS = "0-63"  # where neither seeds nor a file are given
MAX_GRID = 1024  # images of one grid
_CHUNK = 256  # latents mapped at once, so that any number of seeds fits into memory

# z [N, z_dim] where they are known, and ws [N, num_ws, w_dim] where the network has styles.
Latents = tuple[np.ndarray | None, np.ndarray | None]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_network_options(parser)
    add_truncation_options(parser)
    add = parser.add_argument
    add("--seeds", metavar="LIST", help=f"seeds of the images, such as 85,265,297-305; z is that of the original (default: {SEEDS})")
    add("--latents", metavar="FILE", help="z from an .npy or .npz file instead of seeds")
    add("--w", metavar="FILE", help="w from an .npy or .npz file instead of seeds; neither mapped nor truncated")
    add("--outdir", default="out", metavar="DIR", help="folder for the images (default: %(default)s)")
    add(
        "--grid",
        nargs="?",
        const="auto",
        metavar="CxR",
        help="one sheet, or sheets of C columns and R rows, instead of one file for each image; images are enlarged to at least "
        "128 pixels, with seed and class beneath",
    )
    add("--plain", action="store_true", help="with --grid: only the pixels, not enlarged, without gaps and captions")
    add("--save-latents", metavar="FILE", help="write z and w as .npz (with --w, also .npy)")


def run(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Runs the command."""
    if sum(source is not None for source in (args.seeds, args.latents, args.w)) > 1:
        raise UserError("--seeds, --latents and --w exclude each other: name one source of the images.")
    if args.plain and args.grid is None:
        raise UserError("--plain changes grids: use it with --grid.")
    if args.w is not None:
        check_beside_w(args)
    name, path = ("z", args.latents) if args.latents is not None else ("w", args.w)
    seeds = parse_seeds(SEEDS if args.seeds is None else args.seeds) if path is None else None
    given = latents.load_latents(path, name) if path is not None else None
    count = len(seeds if given is None else given)
    grid = _grid_shape(args.grid, count)
    if args.save_latents is not None:
        _check_save_latents(args.save_latents, is_w_alone=args.w is not None)
    contents = read_network(args)
    require_styles_for_options(args, contents)
    if given is not None:
        check_latents(given, path, contents, name)
    outdir = make_outdir(args.outdir)

    session = open_session(args, contents)
    numbers = seeds if seeds is not None else list(range(count))
    kept: list[Latents] | None = [] if args.save_latents is not None else None
    images = track(_images(session, args, numbers, given, kept), total=count, label="Generating")
    writer = _Writer(session, numbers, is_seeds=seeds is not None)
    try:
        num_files = writer.write_grids(outdir, images, grid, is_plain=args.plain) if grid else writer.write_images(outdir, images)
        if kept is not None:
            found = {name: [pair[index] for pair in kept if pair[index] is not None] for index, name in enumerate(("z", "w"))}
            latents.save_latents(args.save_latents, **{name: np.concatenate(parts) for name, parts in found.items() if parts})
    except OSError:  # a full disk: an incomplete set of images could be taken for a complete one
        writer.remove_new()
        raise
    side = session.sampler.resolution
    report(f"{count} image{'s' if count > 1 else ''} of {side}x{side} in {num_files} file{'s' if num_files > 1 else ''} in {outdir}")


def _images(
    session: Session, args: argparse.Namespace, numbers: list[int], given: np.ndarray | None, kept: list[Latents] | None
) -> Iterator[np.ndarray]:
    """Yields one uint8 [H, W, C] after the other; latents are mapped in chunks, and added to `kept`."""
    for start in range(0, len(numbers), _CHUNK):
        part = numbers[start : start + _CHUNK]
        z = ws = None
        if args.w is None:
            z = session.z(part) if given is None else given[start : start + _CHUNK]
        if isinstance(session, StyleSession):
            if z is None:
                ws = session.broadcast_ws(given[start : start + _CHUNK])
            else:
                ws = session.truncated(session.sampler.ws(z, session.labels(part)))
            batches = session.sampler.batches(ws, part)
        else:
            batches = session.sampler.batches(z, session.labels(part), part)
        if kept is not None:
            kept.append((z, ws))
        for batch in batches:
            yield from batch


def _check_save_latents(path: str, *, is_w_alone: bool) -> None:
    """Raises UserError where `--save-latents` could not be written, or not be read again."""
    suffixes = (".npz", ".npy") if is_w_alone else (".npz",)
    if Path(path).suffix not in suffixes:
        raise UserError(f"--save-latents writes {'w' if is_w_alone else 'z and w'} as {' or '.join(suffixes)}. Received: {path!r}")
    check_output(path)


def _grid_shape(grid: str | None, count: int) -> tuple[int, int] | None:
    """Columns and rows of a grid, None for one file for each image."""
    if grid is None:
        return None
    columns, rows = (math.ceil(math.sqrt(count)),) * 2 if grid == "auto" else parse_grid(grid)
    if columns * rows > MAX_GRID:
        raise UserError(f"A grid has at most {MAX_GRID} images. Received: --grid {columns}x{rows}. Try --grid 32x32.")
    return columns, rows


class _Writer:
    """Writes the images of a session.

    Args:
        session: the network.
        numbers: seeds, or the rows of a file.
        is_seeds: whether they are seeds.
    """

    def __init__(self, session: Session, numbers: list[int], *, is_seeds: bool):
        self.session, self.numbers, self.is_seeds = session, numbers, is_seeds
        self._new: list[Path] = []
        # The w of a file are not truncated and have no class.
        self.truncation = pictures.truncation_fields(session) if session.args.w is None else {}
        self.labels = pictures.label_texts(session, numbers) if session.args.w is None else [""] * len(numbers)

    def write_images(self, outdir: Path, images: Iterator[np.ndarray]) -> int:
        """Writes one file for each image. Returns their number."""
        names = pictures.file_names(self.session, self.numbers) if self.is_seeds else [f"{number:04d}.png" for number in self.numbers]
        for name, image, number, label in zip(names, images, self.numbers, self.labels, strict=True):
            self._save(outdir / name, image, self._fields(str(number), label))
        return len(names)

    def write_grids(self, outdir: Path, images: Iterator[np.ndarray], shape: tuple[int, int], *, is_plain: bool) -> int:
        """Writes grids of so many columns and rows. Returns their number."""
        size = min(math.prod(shape), len(self.numbers))
        starts = range(0, len(self.numbers), size)
        for grid_number, start in enumerate(starts):
            numbers, labels = self.numbers[start : start + size], self.labels[start : start + size]
            part = np.stack([next(images) for _ in numbers])
            if is_plain:
                grid = make_grid(part, shape[0])
            else:
                word = "seed" if self.is_seeds else "row"
                grid = sheet(part, shape[0], captions=[f"{word} {n}\n{label}".strip() for n, label in zip(numbers, labels, strict=True)])
            fields = self._fields(",".join(map(str, numbers)), ",".join(dict.fromkeys(labels)))
            self._save(outdir / ("grid.png" if len(starts) == 1 else f"grid{grid_number:04d}.png"), grid, fields)
        next(images, None)  # ends the progress line
        return len(starts)

    def remove_new(self) -> None:
        """Removes the files that were written, without those that replaced older ones."""
        for path in self._new:
            path.unlink(missing_ok=True)

    def _save(self, path: Path, image: np.ndarray, fields: dict[str, str]) -> None:
        is_new = not path.exists()
        save_png(path, image, text=fields)
        if is_new:
            self._new.append(path)

    def _fields(self, number: str, label: str) -> dict[str, str]:
        name = "seed" if self.is_seeds else "row"
        return pictures.text_fields(self.session, **{name: number}, **self.truncation, **({"class": label} if label else {}))
