"""`generate.py images`: one PNG for each seed, or sheets of them."""

import argparse
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from stylegan_tf.command_line import check_output
from stylegan_tf.errors import UserError
from stylegan_tf.images import make_grid, save_png
from stylegan_tf.inference import latents
from stylegan_tf.inference.commands.session import (
    Session,
    add_network_options,
    add_truncation_options,
    check_latents,
    check_network,
    make_outdir,
    refuse_beside_w,
)
from stylegan_tf.inference.number_lists import parse_grid, parse_seeds
from stylegan_tf.progress_bar import track

MAX_SHEET = 1024  # pictures of one sheet
_CHUNK = 256  # latents mapped at a time: any number of seeds fits into memory


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_network_options(parser)
    add_truncation_options(parser)
    add = parser.add_argument
    add("--seeds", metavar="LIST", help="such as 85,265,297-305 (the latents of the original's RandomState(seed))")
    add("--latents", metavar="FILE", help="draw the z of an .npy or .npz file instead")
    add("--w", metavar="FILE", help="draw the w of an .npy or .npz file instead: not mapped, not truncated")
    add("--outdir", default="out", metavar="DIR", help="folder for the pictures (default: %(default)s)")
    add("--grid", nargs="?", const="auto", metavar="CxR", help="sheets of so many columns and rows instead of one file each")
    add("--save-latents", metavar="FILE", help="write z and w as .npz (of --w, .npy too)")


def run(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Does the command."""
    if sum(source is not None for source in (args.seeds, args.latents, args.w)) != 1:
        raise UserError("Say what to draw with one of --seeds LIST, --latents FILE or --w FILE.")
    if args.w is not None:
        refuse_beside_w(args)
    name, path = ("z", args.latents) if args.latents is not None else ("w", args.w)
    seeds = parse_seeds(args.seeds) if args.seeds is not None else None
    given = latents.load_latents(path, name) if seeds is None else None
    count = len(seeds if given is None else given)
    sheet = _sheet(args.grid, count)
    if args.save_latents is not None:
        _check_saved(args.save_latents, is_w_alone=args.w is not None)
    facts = check_network(args)
    if given is not None:
        check_latents(given, path, facts, name)
    outdir = make_outdir(args.outdir)

    session = Session(args, facts=facts)
    numbers = seeds if seeds is not None else list(range(count))
    kept: list[tuple[np.ndarray | None, np.ndarray]] = []
    pictures = _draw(session, args, numbers, given, kept if args.save_latents is not None else None)
    pictures = track(pictures, total=count, label="Drawing")
    if sheet:
        written = _write_sheets(outdir, pictures, sheet, count)
    else:
        written = _write_pictures(outdir, pictures, _names(session, numbers, is_seed=seeds is not None))
    if args.save_latents is not None:
        arrays = {"w": np.concatenate([w for _, w in kept])}
        if kept[0][0] is not None:
            arrays["z"] = np.concatenate([z for z, _ in kept])
        latents.save_latents(args.save_latents, **arrays)
    report(f"{count} pictures of {session.painter.resolution}x{session.painter.resolution} in {written} files in {outdir}")


def _draw(session: Session, args, numbers: list[int], given: np.ndarray | None, kept: list | None) -> Iterator[np.ndarray]:
    """Pictures one by one; latents are mapped in chunks."""
    for start in range(0, len(numbers), _CHUNK):
        part = numbers[start : start + _CHUNK]
        z = None
        if args.w is not None:
            ws = session.broadcast_ws(given[start : start + _CHUNK])
        else:
            z = session.z(part) if given is None else given[start : start + _CHUNK]
            ws = session.truncated(session.painter.ws(z, session.labels(part)))
        if kept is not None:
            kept.append((z, ws))
        for batch in session.painter.batches(ws, part):
            yield from batch


def _check_saved(path: str, *, is_w_alone: bool) -> None:
    """Refuses a --save-latents that could not be written, or not be read again."""
    suffixes = (".npz", ".npy") if is_w_alone else (".npz",)
    if Path(path).suffix not in suffixes:
        raise UserError(f"--save-latents writes {'w' if is_w_alone else 'z and w'} as {' or '.join(suffixes)}. Received: {path!r}")
    check_output(path)


def _sheet(grid: str | None, count: int) -> tuple[int, int] | None:
    """Columns and rows of a sheet, None for single files."""
    if grid is None:
        return None
    columns, rows = (math.ceil(math.sqrt(count)),) * 2 if grid == "auto" else parse_grid(grid)
    if columns * rows > MAX_SHEET:
        raise UserError(f"A sheet holds at most {MAX_SHEET} pictures. Received: --grid {columns}x{rows}. Try --grid 32x32.")
    return columns, rows


def _names(session: Session, numbers: list[int], *, is_seed: bool) -> list[str]:
    if not is_seed:
        return [f"{number:04d}.png" for number in numbers]
    if not session.G.label_size:
        return [f"seed{seed:04d}.png" for seed in numbers]
    return [f"seed{seed:04d}-class{number}.png" for seed, number in zip(numbers, session.classes(numbers), strict=True)]


def _write_pictures(outdir: Path, pictures: Iterator[np.ndarray], names: list[str]) -> int:
    for name, picture in zip(names, pictures, strict=True):
        save_png(outdir / name, picture)
    return len(names)


def _write_sheets(outdir: Path, pictures: Iterator[np.ndarray], shape: tuple[int, int], count: int) -> int:
    columns, rows = shape
    size = min(columns * rows, count)
    number_of_sheets = -(-count // size)
    for number in range(number_of_sheets):
        part = [next(pictures) for _ in range(min(size, count - number * size))]
        save_png(outdir / ("grid.png" if number_of_sheets == 1 else f"grid{number:04d}.png"), make_grid(np.stack(part), columns))
    next(pictures, None)  # lets the progress line end
    return number_of_sheets
