"""`generate.py style-mixing`, `truncation`, `noise` and `figures`: the figures of the paper."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.images import save_png
from stylegan_tf.inference.commands.session import Session, add_network_options, add_truncation_options, check_network, make_outdir
from stylegan_tf.inference.number_lists import parse_layers, parse_numbers, parse_seeds
from stylegan_tf.inference.sheets import enlarged, named_sheet

# The seeds of the paper's figures, as published with the original.
UNCURATED_SEED = 5
MIXING_ROWS = "888,829,1898,1733,1614,845"
MIXING_COLS = "639,701,687,615,2268"
DETAIL_SEEDS = "1157,1012"
COMPONENT_SEEDS = "1967,1555"
TRUNCATION_SEEDS = "91,388"
TRUNCATION_PSIS = "1,0.7,0.5,0,-0.5,-1"


def add_style_mixing_options(parser: argparse.ArgumentParser) -> None:
    """Options of `style-mixing`."""
    add_network_options(parser)
    add_truncation_options(parser, default=1.0)
    add = parser.add_argument
    add("--rows", default="85,100,75", metavar="LIST", help="seeds that most styles come from (default: %(default)s)")
    add("--cols", default="55,821,1789", metavar="LIST", help="seeds that the styles of --styles come from (default: %(default)s)")
    add("--styles", nargs="+", default=["0-3"], metavar="LAYERS", help="layers taken from the column; several ranges: one sheet each")
    add("--outdir", default="out", metavar="DIR", help="folder for the pictures (default: %(default)s)")


def run_style_mixing(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Figure 3: a sheet for each range of styles, and every mixed picture on its own."""
    rows, cols = parse_seeds(args.rows), parse_seeds(args.cols)
    ranges = {text: parse_layers(text) for text in args.styles}
    facts = check_network(args)
    ranges = {text: parse_layers(text, facts.num_ws) for text in ranges}
    outdir = make_outdir(args.outdir)
    session = Session(args, facts=facts)
    from stylegan_tf.inference import figures  # imports TensorFlow

    row_ws, col_ws = (session.truncated(session.ws(seeds)) for seeds in (rows, cols))
    for text, layers in ranges.items():
        sheet, pictures = figures.style_mixing(session.painter, row_ws, col_ws, [layers] * len(rows))
        sheet = named_sheet(sheet, columns=["", *map(str, cols)], rows=["", *map(str, rows)])
        save_png(outdir / f"style-mixing-{text}.png", sheet)
        for row, seed in enumerate(rows):
            for column, other in enumerate(cols):
                save_png(outdir / f"seed{seed:04d}-styles{text}-of-seed{other:04d}.png", pictures[row, column])
        report(f"style-mixing-{text}.png: rows {args.rows}, styles {text} of columns {args.cols}, in {outdir}")


def add_truncation_figure_options(parser: argparse.ArgumentParser) -> None:
    """Options of `truncation`."""
    add_network_options(parser)
    add = parser.add_argument
    add("--seeds", default=TRUNCATION_SEEDS, metavar="LIST", help="a row each (default: %(default)s)")
    add("--psis", default=TRUNCATION_PSIS, metavar="LIST", help="a column each (default: %(default)s)")
    add("--trunc-cutoff", default="all", metavar="N", help="layers that are truncated (default: all, as in the paper)")
    add("--outdir", default="out", metavar="DIR", help="folder for the picture (default: %(default)s)")


def run_truncation(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Figure 8."""
    seeds, psis = parse_seeds(args.seeds), parse_numbers(args.psis, "psis")
    facts = check_network(args)
    outdir = make_outdir(args.outdir)
    session = Session(args, facts=facts)
    from stylegan_tf.inference import figures

    cutoff = None if args.trunc_cutoff == "all" else int(args.trunc_cutoff)
    sheet = figures.truncation(session.painter, session.ws(seeds), psis, cutoff)
    save_png(outdir / "truncation.png", named_sheet(sheet, columns=[f"psi {psi:g}" for psi in psis], rows=[str(seed) for seed in seeds]))
    report(f"truncation.png: seeds {args.seeds} in rows, psi {args.psis} in columns, in {outdir}")


def add_noise_options(parser: argparse.ArgumentParser) -> None:
    """Options of `noise`."""
    add_network_options(parser, noise=None)
    add_truncation_options(parser, default=1.0)
    add = parser.add_argument
    add("--seeds", default=DETAIL_SEEDS, metavar="LIST", help="a row each (default: %(default)s)")
    add("--samples", type=int, default=100, metavar="N", help="pictures the deviation is taken over (default: %(default)s)")
    add("--crop", metavar="T,B,L,R", help="the enlarged part, as shares (default: the paper's at 1024x1024, else where noise does most)")
    add("--outdir", default="out", metavar="DIR", help="folder for the pictures (default: %(default)s)")


def run_noise(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Figures 4 and 5."""
    seeds, crop = parse_seeds(args.seeds), None if args.crop is None else _parse_crop(args.crop)
    if not 5 <= args.samples <= 100_000:
        raise UserError(f"--samples must be from 5 to 100000. Received: {args.samples}")
    facts = check_network(args)
    outdir = make_outdir(args.outdir)
    session = Session(args, noise_mode="const", facts=facts)
    from stylegan_tf.inference import noise_figures
    from stylegan_tf.inference.painter import Painter

    if not session.G.use_noise:
        raise UserError(f"{args.network} was trained without noise inputs: there is nothing to show.")
    ws = session.truncated(session.ws(seeds))
    random = Painter(session.G, lod=session.lod, noise_mode="random")
    detail = noise_figures.noise_detail(random, ws, num_samples=args.samples, crop=crop)
    names = [str(seed) for seed in seeds]
    save_png(outdir / "noise-detail.png", named_sheet(detail, columns=noise_figures.DETAIL_COLUMNS, rows=names))
    report(f"noise-detail.png: seeds {args.seeds}; picture, four details, deviation over {args.samples} draws (4x), in {outdir}")
    sheet, columns = noise_figures.noise_components(session.painter, ws)
    save_png(outdir / "noise-components.png", named_sheet(sheet, columns=columns, rows=names))
    report(f"noise-components.png: noise in {', '.join(columns)}, in {outdir}")


def add_figures_options(parser: argparse.ArgumentParser) -> None:
    """Options of `figures`."""
    add_network_options(parser, noise=None)
    parser.add_argument("--outdir", default="figures", metavar="DIR", help="folder for the pictures (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=100, metavar="N", help="draws for figure 4 (default: %(default)s)")


def run_figures(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """The figures 2, 3, 4, 5 and 8 with the seeds of the paper."""
    if not 5 <= args.samples <= 100_000:
        raise UserError(f"--samples must be from 5 to 100000. Received: {args.samples}")
    facts = check_network(args)
    outdir = make_outdir(args.outdir)
    session = Session(args, noise_mode="const", facts=facts)
    from stylegan_tf.inference import figures, noise_figures
    from stylegan_tf.inference.painter import Painter

    painter = session.painter

    def save(name: str, picture: np.ndarray, what: str) -> None:
        save_png(Path(outdir) / name, picture)
        report(f"{name}: {what}, in {outdir}")

    levels = [level for level in (0, 1, 2, 2, 3, 3) if painter.resolution >> level >= 8]
    z = np.random.RandomState(UNCURATED_SEED).randn(figures.num_uncurated(3, levels), session.G.z_dim).astype(np.float32)
    ws = painter.truncate(painter.ws(z, session.labels(range(len(z)))), 0.7, 8)
    uncurated = enlarged(figures.uncurated(painter, ws, rows=3, levels=levels), painter.resolution)
    save("figure02-uncurated.png", uncurated, f"seed {UNCURATED_SEED}, psi 0.7 on 8 layers")
    rows = parse_seeds(MIXING_ROWS)
    if session.G.use_styles:
        layers = _paper_layers(session.G.num_ws)
        sheet, _ = figures.style_mixing(painter, session.ws(rows), session.ws(parse_seeds(MIXING_COLS)), layers)
        sheet = named_sheet(sheet, columns=["", *MIXING_COLS.split(",")], rows=["", *MIXING_ROWS.split(",")])
        save("figure03-style-mixing.png", sheet, f"rows {MIXING_ROWS}, columns {MIXING_COLS}")
    if session.G.use_noise:
        random = Painter(session.G, lod=session.lod, noise_mode="random")
        detail = noise_figures.noise_detail(random, session.ws(parse_seeds(DETAIL_SEEDS)), num_samples=args.samples)
        detail = named_sheet(detail, columns=noise_figures.DETAIL_COLUMNS, rows=DETAIL_SEEDS.split(","))
        save("figure04-noise-detail.png", detail, f"seeds {DETAIL_SEEDS}, {args.samples} draws")
        sheet, names = noise_figures.noise_components(painter, session.ws(parse_seeds(COMPONENT_SEEDS)))
        sheet = named_sheet(sheet, columns=names, rows=COMPONENT_SEEDS.split(","))
        save("figure05-noise-components.png", sheet, f"seeds {COMPONENT_SEEDS}, noise in {', '.join(names)}")
    psis = parse_numbers(TRUNCATION_PSIS)
    sheet = figures.truncation(painter, session.ws(parse_seeds(TRUNCATION_SEEDS)), psis)
    sheet = named_sheet(sheet, columns=[f"psi {psi:g}" for psi in psis], rows=TRUNCATION_SEEDS.split(","))
    save("figure08-truncation.png", sheet, f"seeds {TRUNCATION_SEEDS}, psi {TRUNCATION_PSIS}")


def _paper_layers(num_layers: int) -> list[list[int]]:
    """Coarse styles for three rows, middle for two, fine for one; small networks have fewer of each."""
    first, second = (4, 8) if num_layers > 8 else (max(num_layers // 4, 1), max(num_layers // 2, 1))
    coarse, middle, fine = range(first), range(first, second), range(second, num_layers)
    return [list(layers) for layers in (coarse, coarse, coarse, middle or fine, middle or fine, fine)]


def _parse_crop(text: str) -> tuple[float, ...]:
    crop = tuple(parse_numbers(text, "--crop"))
    if len(crop) != 4 or not (0 <= crop[0] < crop[1] <= 1 and 0 <= crop[2] < crop[3] <= 1):
        raise UserError(f"--crop is top,bottom,left,right as shares of the side, such as 0.25,0.5,0.25,0.5. Received: {text}")
    return crop
