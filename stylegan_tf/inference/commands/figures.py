"""`generate.py style-mixing`, `truncation`, `noise` and `figures`: the figures of the StyleGAN paper."""

import argparse
from collections.abc import Callable

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.images import enlarged, labelled_grid, save_png
from stylegan_tf.inference import figures
from stylegan_tf.inference.commands.options import (
    add_network_options,
    add_truncation_options,
    make_outdir,
    parse_layers,
    parse_numbers,
    parse_seeds,
)
from stylegan_tf.inference.commands.session import StyleSession, read_network, require_styles

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
    add("--rows", default="85,100,75", metavar="LIST", help="seeds of all other styles (default: %(default)s)")
    add("--cols", default="55,821,1789", metavar="LIST", help="seeds of the styles of --styles (default: %(default)s)")
    add("--styles", nargs="+", default=["0-3"], metavar="LAYERS", help="layers with the column's styles; one grid for each range given")
    add("--outdir", default="out", metavar="DIR", help="folder for the images (default: %(default)s)")


def run_style_mixing(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Figure 3: a grid for each range of styles, and every mixed image on its own."""
    rows, cols = parse_seeds(args.rows), parse_seeds(args.cols)
    ranges = {text: parse_layers(text) for text in args.styles}
    contents = read_network(args)
    require_styles(contents, "Style mixing")
    num_ws = contents.G.settings.num_ws(contents.shape.resolution)
    ranges = {text: parse_layers(text, num_ws) for text in ranges}
    outdir = make_outdir(args.outdir)
    session = StyleSession(args, contents)
    row_ws, col_ws = (session.truncated(session.ws(seeds)) for seeds in (rows, cols))
    for text, layers in ranges.items():
        grid, images = figures.style_mixing(session.sampler, row_ws, col_ws, [layers] * len(rows))
        grid = labelled_grid(grid, columns=["", *map(str, cols)], rows=["", *map(str, rows)])
        save_png(outdir / f"style-mixing-{text}.png", grid)
        for row, seed in enumerate(rows):
            for column, other in enumerate(cols):
                save_png(outdir / f"seed{seed:04d}-styles{text}-of-seed{other:04d}.png", images[row, column])
        report(f"style-mixing-{text}.png: rows {args.rows}, styles {text} of columns {args.cols}, in {outdir}")


def add_truncation_figure_options(parser: argparse.ArgumentParser) -> None:
    """Options of `truncation`."""
    add_network_options(parser)
    add = parser.add_argument
    add("--seeds", default=TRUNCATION_SEEDS, metavar="LIST", help="one row each (default: %(default)s)")
    add("--psis", default=TRUNCATION_PSIS, metavar="LIST", help="one column each (default: %(default)s)")
    add("--trunc-cutoff", default="all", metavar="N", help="layers that are truncated (default: all, as in the paper)")
    add("--outdir", default="out", metavar="DIR", help="folder for the image (default: %(default)s)")


def run_truncation(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Figure 8."""
    seeds, psis = parse_seeds(args.seeds), parse_numbers(args.psis, "psis")
    contents = read_network(args)
    require_styles(contents, "Truncation")
    outdir = make_outdir(args.outdir)
    session = StyleSession(args, contents)
    cutoff = None if args.trunc_cutoff == "all" else int(args.trunc_cutoff)
    grid = figures.truncation(session.sampler, session.ws(seeds), psis, cutoff)
    save_png(outdir / "truncation.png", labelled_grid(grid, columns=[f"psi {psi:g}" for psi in psis], rows=[str(seed) for seed in seeds]))
    report(f"truncation.png: seeds {args.seeds} in rows, psi {args.psis} in columns, in {outdir}")


def add_noise_options(parser: argparse.ArgumentParser) -> None:
    """Options of `noise`."""
    add_network_options(parser, has_noise=False)
    add_truncation_options(parser, default=1.0)
    add = parser.add_argument
    add("--seeds", default=DETAIL_SEEDS, metavar="LIST", help="one row each (default: %(default)s)")
    add("--samples", type=int, default=100, metavar="N", help="images that the deviation is taken over (default: %(default)s)")
    add("--crop", metavar="T,B,L,R", help="the enlarged part, as shares (default: the paper's at 1024x1024, else where noise changes most)")
    add("--outdir", default="out", metavar="DIR", help="folder for the images (default: %(default)s)")


def run_noise(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Figures 4 and 5."""
    seeds, crop = parse_seeds(args.seeds), None if args.crop is None else _parse_crop(args.crop)
    _check_samples(args)
    contents = read_network(args)
    require_styles(contents, "The noise figure")
    outdir = make_outdir(args.outdir)
    session = StyleSession(args, contents, noise_mode="const")
    if not session.G.synthesis.noise_maps:
        raise UserError(f"{args.network} has no noise inputs, so there is no noise to show.")
    ws = session.truncated(session.ws(seeds))
    detail = figures.noise_detail(session.random_noise_sampler(), ws, num_samples=args.samples, crop=crop)
    names = [str(seed) for seed in seeds]
    save_png(outdir / "noise-detail.png", labelled_grid(detail, columns=figures.DETAIL_COLUMNS, rows=names))
    report(f"noise-detail.png: seeds {args.seeds}; image, four details, deviation over {args.samples} images (4x), in {outdir}")
    grid, columns = figures.noise_components(session.sampler, ws)
    save_png(outdir / "noise-components.png", labelled_grid(grid, columns=columns, rows=names))
    report(f"noise-components.png: noise in {', '.join(columns)}, in {outdir}")


def add_figures_options(parser: argparse.ArgumentParser) -> None:
    """Options of `figures`."""
    add_network_options(parser, has_noise=False)
    parser.add_argument("--outdir", default="figures", metavar="DIR", help="folder for the images (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=100, metavar="N", help="images of one w in figure 4 (default: %(default)s)")


def run_figures(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """The figures 2, 3, 4, 5 and 8 with the seeds of the paper."""
    _check_samples(args)
    contents = read_network(args)
    require_styles(contents, "The set of figures")
    outdir = make_outdir(args.outdir)
    session = StyleSession(args, contents, noise_mode="const")
    sampler = session.sampler

    def save(name: str, image: np.ndarray, what: str) -> None:
        save_png(outdir / name, image)
        report(f"{name}: {what}, in {outdir}")

    levels = [level for level in (0, 1, 2, 2, 3, 3) if sampler.resolution >> level >= 8]
    z = np.random.RandomState(UNCURATED_SEED).randn(figures.num_uncurated(3, levels), session.G.z_dim).astype(np.float32)
    ws = sampler.truncate(sampler.ws(z, session.labels(range(len(z)))), 0.7, 8)
    uncurated = enlarged(figures.uncurated(sampler, ws, rows=3, levels=levels), sampler.resolution)
    save("figure02-uncurated.png", uncurated, f"seed {UNCURATED_SEED}, psi 0.7 on 8 layers")
    rows = parse_seeds(MIXING_ROWS)
    if session.G.num_ws > 1:
        layers = _paper_layers(session.G.num_ws)
        grid, _ = figures.style_mixing(sampler, session.ws(rows), session.ws(parse_seeds(MIXING_COLS)), layers)
        grid = labelled_grid(grid, columns=["", *MIXING_COLS.split(",")], rows=["", *MIXING_ROWS.split(",")])
        save("figure03-style-mixing.png", grid, f"rows {MIXING_ROWS}, columns {MIXING_COLS}")
    if session.G.synthesis.noise_maps:
        detail = figures.noise_detail(session.random_noise_sampler(), session.ws(parse_seeds(DETAIL_SEEDS)), num_samples=args.samples)
        detail = labelled_grid(detail, columns=figures.DETAIL_COLUMNS, rows=DETAIL_SEEDS.split(","))
        save("figure04-noise-detail.png", detail, f"seeds {DETAIL_SEEDS}, {args.samples} images each")
        grid, names = figures.noise_components(sampler, session.ws(parse_seeds(COMPONENT_SEEDS)))
        grid = labelled_grid(grid, columns=names, rows=COMPONENT_SEEDS.split(","))
        save("figure05-noise-components.png", grid, f"seeds {COMPONENT_SEEDS}, noise in {', '.join(names)}")
    psis = parse_numbers(TRUNCATION_PSIS)
    grid = figures.truncation(sampler, session.ws(parse_seeds(TRUNCATION_SEEDS)), psis)
    grid = labelled_grid(grid, columns=[f"psi {psi:g}" for psi in psis], rows=TRUNCATION_SEEDS.split(","))
    save("figure08-truncation.png", grid, f"seeds {TRUNCATION_SEEDS}, psi {TRUNCATION_PSIS}")


def _paper_layers(num_layers: int) -> list[list[int]]:
    """Coarse styles for three rows, middle for two, fine for one; small networks have fewer of each."""
    first, second = (4, 8) if num_layers > 8 else (max(num_layers // 4, 1), max(num_layers // 2, 1))
    coarse, middle, fine = range(first), range(first, second), range(second, num_layers)
    return [list(layers) for layers in (coarse, coarse, coarse, middle or fine, middle or fine, fine)]


def _check_samples(args: argparse.Namespace) -> None:
    if not 5 <= args.samples <= 100_000:
        raise UserError(f"--samples must be from 5 to 100000. Received: {args.samples}")


def _parse_crop(text: str) -> tuple[float, ...]:
    crop = tuple(parse_numbers(text, "--crop"))
    if len(crop) != 4 or not (0 <= crop[0] < crop[1] <= 1 and 0 <= crop[2] < crop[3] <= 1):
        raise UserError(f"--crop is top,bottom,left,right as shares of the side, such as 0.25,0.5,0.25,0.5. Received: {text}")
    return crop
