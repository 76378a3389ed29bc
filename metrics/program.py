"""The command line of scores: python -m metrics NAMES --network RUN, and each metric's file by its path."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from metrics import registry
from metrics.metric import Metric
from metrics.options import CROPS, NOISE_MODES, PRECISIONS, RESIZES, Options
from stylegan_tf import command_line
from stylegan_tf.argument_parser import Parser
from stylegan_tf.command_line import spelled
from stylegan_tf.data.intake.options import add_max_pixels
from stylegan_tf.display import say
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.loading import find_snapshot, missing_network, named_network, read, snapshots_of

_EXAMPLES = """examples:
  python -m metrics fid50k,ppl_wfull --network latest
  python -m metrics kid50k_full,pr50k3 --network latest --all
  python -m metrics fid50k --network network-snapshot-000140.pkl --data datasets/leaves --num-images 5000
  python -m metrics fid,kid --images PICTURES --data datasets/leaves
"""


def run_all(argv: Sequence[str] | None = None) -> int:
    """`python -m metrics`."""
    return run(None, "Scores networks, or pictures of any program: FID, KID, precision and recall, ...", argv)


def run(name: str | None, description: str, argv: Sequence[str] | None = None) -> int:
    """A program of scores; `name` is the metric where the command line names none."""
    return command_line.run(lambda arguments: _main(arguments, name, description), argv)


def _main(arguments: Sequence[str], default: str | None, description: str) -> int:
    parser = _parser(default, description)
    parsed = parser.parse_args(arguments)
    if parsed.list:
        say(*(line for kind in registry.classes() for line in kind.description().split("\n")))
        return 0
    known = {field.name for field in dataclasses.fields(Options)}
    options = Options(**{name: value for name, value in vars(parsed).items() if name in known})
    if parsed.fetch:
        return _fetch(options)
    names = parsed.names or default
    if not names or not (parsed.network or parsed.images):
        example = spelled("python -m metrics fid50k")
        parser.error(f"Name the metrics, and the network or the pictures: {example} --network RUN (or --images PICTURES)")
    if parsed.images:
        return _score_images(parsed, names, options)
    if parsed.resolution is not None:
        raise UserError("--resolution needs --images. A network is scored at its own resolution.")
    metrics = registry.parse_list(names, parsed.num_images)
    return _score(parsed, metrics, options)


def _parser(default: str | None, description: str) -> Parser:
    parser = Parser(prog=None if default else "python -m metrics", description=description, epilog=_EXAMPLES)
    add = parser.add_argument
    add("names", nargs="?", default=default, help="metrics, separated by commas; --list shows them" + (f" ({default})" if default else ""))
    add("--network", metavar="PATH", help="snapshot, run folder (its latest snapshot), latest (the newest run) or official pickle")
    add("--images", metavar="PATH", help="pictures to score instead of a network: a folder, zip or tar, or a dataset")
    add("--all", action="store_true", help="score every snapshot of the run folder; existing scores are not computed again")
    add("--data", metavar="PATH", help="real images: a dataset, folder, zip or tar (default: what the network was trained on)")
    add("--num-images", type=int, metavar="N", help="number of images (ppl: pairs) instead of the number in the names")
    add("--outdir", metavar="PATH", help="folder of the results (default: that of the snapshot; none with --images)")
    add("--again", action="store_true", help="compute existing scores again")
    add(
        "--resolution",
        type=int,
        metavar="N",
        help="with --images: side in pixels at which both sets are compared (default: that of the smaller images)",
    )
    add_max_pixels(parser)
    protocol = parser.add_argument_group("protocol")
    add = protocol.add_argument
    add("--seed", type=int, default=0, help="seed of latents, labels, noise and resampling (default: 0)")
    add("--batch-size", type=int, metavar="N", help="images at a time (default: by resolution)")
    add("--trunc", dest="truncation_psi", type=float, default=1.0, metavar="PSI", help="truncation psi (default: 1, no truncation)")
    add("--noise", dest="noise_mode", choices=NOISE_MODES, default="random", help="noise inputs (default: random)")
    add("--resize", choices=RESIZES, default="legacy_tensorflow", help="resize to 299x299 before Inception (default: legacy_tensorflow)")
    add(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="precision of Inception; bfloat16 needs hardware support (default: float32)",
    )
    add("--mirror", action=argparse.BooleanOptionalAction, help="mirror real images at random (default: as in training)")
    add("--crop", choices=CROPS, default="none", help="crop for ppl; face: the original's for FFHQ and CelebA-HQ (default: none)")
    add("--held-out", metavar="PATH", help="dataset or pictures that were not used in training, for memorisation and d_scores")
    add("--classifier", action="append", default=[], metavar="FILE", help="Keras classifier of attributes for ls; repeatable")
    add("--lenet", action="append", default=[], metavar="FILE", help="LeNet (.npz) for lenet_is and lenet_accuracy; repeatable")
    weights = parser.add_argument_group("metric networks")
    weights.add_argument("--inception", metavar="FILE", help="local file of the Inception of 2015-12-05")
    weights.add_argument("--lpips", metavar="FILE", help="local file of LPIPS with VGG16")
    weights.add_argument("--fetch", action="store_true", help="download the metric networks and exit")
    weights.add_argument("--list", action="store_true", help="list the metrics and exit")
    return parser


def _fetch(options: Options) -> int:
    from metrics.networks import weights

    weights.load_inception(options.inception)
    weights.load_lpips(options.lpips)
    say(f"{weights.INCEPTION} and {weights.LPIPS_VGG16} are in {weights.cache_folder() / 'weights'}")
    return 0


def _score(parsed: argparse.Namespace, metrics: list[Metric], options: Options) -> int:
    """Scores one snapshot, or those of a run."""
    network = named_network(parsed.network)
    if not network.exists():
        raise MissingFileError(missing_network(network))
    if parsed.all and not network.is_dir():
        raise UserError(f"--all needs a run folder. {network} is a file.")
    from metrics import evaluate, report, sources

    paths = snapshots_of(network) if parsed.all else [find_snapshot(network)]
    if not paths:
        raise UserError(f"{network} contains no network snapshot (network-snapshot-*.pkl).")
    # The first snapshot is read before TensorFlow is imported, so that what cannot be scored is refused at once.
    first = read(paths[0])
    evaluate.check_suits(metrics, options, first.model)
    dataset = sources.open_dataset_of(first, parsed.data, options.max_pixels)
    sources.check_fit(first.shape, dataset)
    evaluate.prepare(metrics, options, dataset)
    command_line.import_tensorflow()
    from stylegan_tf.snapshot import make_networks

    written: list[Path] = []
    meanings = {metric.name: metric.meaning() for metric in metrics}
    for path in paths:
        if not path.exists():  # training has removed it meanwhile
            continue
        networks = make_networks(first if first is not None and Path(first.source) == path else read(path))
        first = None  # its arrays are in the networks now
        folder = Path(parsed.outdir) if parsed.outdir else path.parent
        evaluate.evaluate(
            networks, metrics, options, dataset=dataset, folder=folder, again=parsed.again,
            on_result=lambda result: say(*result.shown(meanings.get(result.metric, ""))), announce=command_line.print_to_stderr,
        )  # fmt: skip
        written = report.write_overview(folder)
    if parsed.all:
        say(*(f"wrote {path}" for path in written))
    return 0


def _score_images(parsed: argparse.Namespace, names: str, options: Options) -> int:
    """Scores images from elsewhere against a dataset or other images."""
    if parsed.network or parsed.all:
        raise UserError("--images scores pictures instead of a network. Omit --network and --all.")
    if not parsed.data:
        raise UserError("--images needs the real images, too: --data DATASET_OR_FOLDER")
    from metrics import evaluate, image_sets, report

    images = image_sets.open_image_set(parsed.images, options.max_pixels)
    metrics = registry.parse_list(names, parsed.num_images, images.num_images)
    evaluate.check_suits(metrics, options, None)
    reals = image_sets.open_image_set(parsed.data, options.max_pixels)
    scored = image_sets.choose(images, reals, parsed.resolution)
    evaluate.prepare(metrics, options, reals)
    command_line.import_tensorflow()
    folder = Path(parsed.outdir) if parsed.outdir else None
    meanings = {metric.name: metric.meaning() for metric in metrics}
    evaluate.evaluate(
        scored, metrics, options, dataset=reals, folder=folder, to_tensorboard=False, again=parsed.again,
        on_result=lambda result: say(*result.shown(meanings.get(result.metric, ""))),
    )  # fmt: skip
    if folder:
        report.write_overview(folder)
    return 0
