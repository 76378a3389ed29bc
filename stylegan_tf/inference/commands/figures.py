"""`generate.py style-mixing`, `truncation`, `noise` and `figures`: the figures of the StyleGAN paper."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.images import save_png
from stylegan_tf.inference import figures
from stylegan_tf.inference.commands.options import (
    add_network_options,
    add_truncation_options,
    check_numbers,
    make_outdir,
    parse_layers,
    parse_numbers,
    parse_seeds,
)
from stylegan_tf.inference.commands.pictures import Figure, described, file_names, save_figure, seed_names, text_fields, truncation_fields
from stylegan_tf.inference.commands.session import StyleSession, read_network, require_styles
from stylegan_tf.sheets import DPI, sheet

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
    add("--rows", default="85,100,75", metavar="LIST", help="seeds of the rows, with all other styles (default: %(default)s)")
    add(
        "--cols",
        default="55,821,1789",
        metavar="LIST",
        help="seeds of the columns, with the styles of the layers in --styles (default: %(default)s)",
    )
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
    seed_files = dict(zip(rows, file_names(session, rows), strict=True))
    for text, layers in ranges.items():
        figure = mixing_figure(session, rows, cols, [layers] * len(rows), f"The styles of layers {text}")
        fields = {"seed": args.rows, "styles_of": args.cols, "layers": text, **truncation_fields(session)}
        report(save_figure(outdir / f"style-mixing-{text}.png", figure, session, **fields))
        for row, seed in enumerate(rows):
            for column, other in enumerate(cols):
                name = f"{Path(seed_files[seed]).stem}-styles{text}-of-seed{other:04d}.png"
                fields |= {"seed": str(seed), "styles_of": str(other)}
                save_png(outdir / name, figure.pictures[row + 1, column + 1], text=text_fields(session, **fields))


def mixing_figure(session: StyleSession, rows: list[int], cols: list[int], layers: list[list[int]], what: str) -> Figure:
    """Style mixing of seeds; `layers` of each row come from the columns, and `what` names them."""
    row_ws, col_ws = (session.truncated(session.ws(seeds)) for seeds in (rows, cols))
    pictures = figures.style_mixing(session.sampler, row_ws, col_ws, layers)
    note = f"{what} are those of the column's seed, all other styles those of the row's seed."
    return Figure(pictures, ["", *seed_names(session, cols)], ["", *seed_names(session, rows)], note)


def add_truncation_figure_options(parser: argparse.ArgumentParser) -> None:
    """Options of `truncation`."""
    add_network_options(parser)
    add = parser.add_argument
    add("--seeds", default=TRUNCATION_SEEDS, metavar="LIST", help="seeds of the rows (default: %(default)s)")
    add("--psis", default=TRUNCATION_PSIS, metavar="LIST", help="psis of the columns (default: %(default)s)")
    add("--trunc-cutoff", default="all", metavar="N", help="number of truncated layers (default: all, as in the paper)")
    add("--outdir", default="out", metavar="DIR", help="folder for the image (default: %(default)s)")


def run_truncation(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Figure 8."""
    seeds, psis = parse_seeds(args.seeds), parse_numbers(args.psis, "psis")
    contents = read_network(args)
    require_styles(contents, "Truncation")
    outdir = make_outdir(args.outdir)
    session = StyleSession(args, contents)
    cutoff = None if args.trunc_cutoff == "all" else int(args.trunc_cutoff)
    figure = truncation_figure(session, seeds, psis, cutoff)
    report(save_figure(outdir / "truncation.png", figure, session, seed=args.seeds, psi=args.psis, trunc_cutoff=args.trunc_cutoff))


def truncation_figure(session: StyleSession, seeds: list[int], psis: list[float], cutoff: int | None) -> Figure:
    """Seeds in rows, psi in columns."""
    pictures = figures.truncation(session.sampler, session.ws(seeds), psis, cutoff)
    layers = "all layers" if cutoff is None else f"the first {cutoff} layers"
    note = f"Truncation of {layers}: one seed in each row, one psi in each column. Psi 0 is the average image."
    return Figure(pictures, [f"psi {psi:g}" for psi in psis], seed_names(session, seeds), note)


def add_noise_options(parser: argparse.ArgumentParser) -> None:
    """Options of `noise`."""
    add_network_options(parser, has_noise=False)
    add_truncation_options(parser, default=1.0)
    add = parser.add_argument
    add("--seeds", default=DETAIL_SEEDS, metavar="LIST", help="seeds of the rows (default: %(default)s)")
    add("--samples", type=int, default=100, metavar="N", help="images for the standard deviation (default: %(default)s)")
    add(
        "--crop",
        metavar="T,B,L,R",
        help="enlarged region as fractions of the side (default: the paper's at 1024x1024, else where noise changes most)",
    )
    add("--outdir", default="out", metavar="DIR", help="folder for the images (default: %(default)s)")


def run_noise(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """Figures 4 and 5."""
    seeds, crop = parse_seeds(args.seeds), None if args.crop is None else _parse_crop(args.crop)
    check_numbers(args, samples=(5, 100_000))
    contents = read_network(args)
    require_styles(contents, "The noise figure")
    outdir = make_outdir(args.outdir)
    session = StyleSession(args, contents, noise_mode="const")
    if not session.G.synthesis.noise_maps:
        raise UserError(f"{args.network} has no noise inputs. The noise figures need a network with noise inputs.")
    fields = {"seed": args.seeds, **truncation_fields(session)}
    report(save_figure(outdir / "noise-detail.png", detail_figure(session, seeds, args.samples, crop), session, **fields))
    report(save_figure(outdir / "noise-components.png", components_figure(session, seeds), session, **fields))


def detail_figure(session: StyleSession, seeds: list[int], num_samples: int, crop: tuple[float, ...] | None = None) -> Figure:
    """An image of each seed, four details and the deviation over many samples of noise."""
    ws = session.truncated(session.ws(seeds))
    pictures = figures.noise_detail(session.make_sampler("random"), ws, num_samples=num_samples, crop=crop)
    note = f"The same w with other noise: an image, the same detail of four images, standard deviation over {num_samples} images (4x)."
    return Figure(pictures, figures.DETAIL_COLUMNS, seed_names(session, seeds), note)


def components_figure(session: StyleSession, seeds: list[int]) -> Figure:
    """An image of each seed with noise in all, no, fine and coarse layers."""
    pictures, columns = figures.noise_components(session.sampler, session.truncated(session.ws(seeds)))
    return Figure(pictures, columns, seed_names(session, seeds), "Noise in the layers named above each column.")


def add_figures_options(parser: argparse.ArgumentParser) -> None:
    """Options of `figures`."""
    add_network_options(parser, has_noise=False)
    parser.set_defaults(trunc=1.0, trunc_cutoff=None)
    parser.add_argument("--outdir", default="figures", metavar="DIR", help="folder for the images (default: %(default)s)")
    parser.add_argument("--samples", type=int, default=100, metavar="N", help="images of one w in figure 4 (default: %(default)s)")


def run_figures(args: argparse.Namespace, report: Callable[[str], None]) -> None:
    """The figures 2, 3, 4, 5 and 8 with the seeds of the paper."""
    check_numbers(args, samples=(5, 100_000))
    contents = read_network(args)
    require_styles(contents, "The set of figures")
    outdir = make_outdir(args.outdir)
    session = StyleSession(args, contents, noise_mode="const")

    def save(name: str, figure: Figure, seeds: str, psi: str = "1") -> None:
        report(save_figure(outdir / name, figure, session, seed=seeds, psi=psi, trunc_cutoff="all"))

    _save_uncurated(outdir / "figure02-uncurated.png", session, report)
    if session.G.num_ws > 1:
        rows, cols = parse_seeds(MIXING_ROWS), parse_seeds(MIXING_COLS)
        what = "Coarse styles (first rows), middle styles (next rows) and fine styles (last row)"
        figure = mixing_figure(session, rows, cols, _paper_layers(session.G.num_ws), what)
        save("figure03-style-mixing.png", figure, f"rows {MIXING_ROWS}, columns {MIXING_COLS}")
    if session.G.synthesis.noise_maps:
        save("figure04-noise-detail.png", detail_figure(session, parse_seeds(DETAIL_SEEDS), args.samples), DETAIL_SEEDS)
        save("figure05-noise-components.png", components_figure(session, parse_seeds(COMPONENT_SEEDS)), COMPONENT_SEEDS)
    figure = truncation_figure(session, parse_seeds(TRUNCATION_SEEDS), parse_numbers(TRUNCATION_PSIS), None)
    save("figure08-truncation.png", figure, TRUNCATION_SEEDS, TRUNCATION_PSIS)


def _save_uncurated(path: Path, session: StyleSession, report: Callable[[str], None]) -> None:
    """Figure 2: the latents of one seed, in columns of several sizes."""
    sampler, note = session.sampler, "Uncurated images at several sizes, psi 0.7 on 8 layers."
    levels = [level for level in (0, 1, 2, 2, 3, 3) if sampler.resolution >> level >= 8]
    z = np.random.RandomState(UNCURATED_SEED).randn(figures.num_uncurated(3, levels), session.G.z_dim).astype(np.float32)
    ws = sampler.truncate(sampler.ws(z, session.labels(range(len(z)))), 0.7, 8)
    image = figures.uncurated(sampler, ws, rows=3, levels=levels)
    image = sheet(image[None], 1, note=f"{note} {described(session)}", text_width=sampler.resolution)
    save_png(path, image, text=text_fields(session, seed=str(UNCURATED_SEED), psi="0.7", trunc_cutoff="8"), dpi=DPI)
    report(f"{path}: {note}")


def _paper_layers(num_layers: int) -> list[list[int]]:
    """Coarse styles for three rows, middle for two, fine for one; small networks have fewer of each."""
    first, second = (4, 8) if num_layers > 8 else (max(num_layers // 4, 1), max(num_layers // 2, 1))
    coarse, middle, fine = range(first), range(first, second), range(second, num_layers)
    return [list(layers) for layers in (coarse, coarse, coarse, middle or fine, middle or fine, fine)]


def _parse_crop(text: str) -> tuple[float, ...]:
    crop = tuple(parse_numbers(text, "--crop"))
    if len(crop) != 4 or not (0 <= crop[0] < crop[1] <= 1 and 0 <= crop[2] < crop[3] <= 1):
        raise UserError(f"--crop must be top,bottom,left,right as fractions of the side, such as 0.25,0.5,0.25,0.5. Received: {text}")
    return crop
