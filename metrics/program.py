"""The command line of scores: python -m metrics NAMES --network RUN, and each metric's file by its path."""

import argparse
import os
import sys
from pathlib import Path

from metrics import registry
from metrics.options import CROPS, NOISE_MODES, PRECISIONS, RESIZES, Options
from stylegan_tf import command_line
from stylegan_tf.errors import UserError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_EXAMPLES = """examples:
  python -m metrics fid50k,ppl_wfull --network results/00003-sgan-leaves-1gpu
  python -m metrics kid50k_full,pr50k3 --network results/00003-sgan-leaves-1gpu --all
  python metrics/frechet_inception_distance.py --network network-snapshot-000140.pkl --data datasets/leaves --num-images 5000
"""


def run_all(argv=None) -> int:
    """`python -m metrics`."""
    return command_line.run(lambda arguments: _main(arguments, None, "Scores networks: FID, KID, precision and recall, ..."), argv)


def run_metric(name: str, description: str) -> int:
    """A metric's own file, run by its path; `name` is what it computes unless told otherwise."""
    return command_line.run(lambda arguments: _main(arguments, name, description))


def _main(arguments, default: str | None, description: str) -> int:
    parser = _parser(default, description)
    parsed = parser.parse_args(arguments)
    if parsed.list:
        print("\n".join(f"{family.example:44} {family.what}" for family in registry.FAMILIES))
        return 0
    options = _options(parsed)
    if parsed.fetch:
        return _fetch(options)
    names = parsed.names or default
    if not names or not parsed.network:
        parser.error("name the metrics and a --network (python -m metrics fid50k --network RUN), or --fetch or --list")
    metrics = registry.parse_list(names, parsed.num_images)
    return _score(parsed, metrics, options)


def _parser(default: str | None, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=None if default else "python -m metrics", description=description, epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    add = parser.add_argument
    add("names", nargs="?", default=default, help="metrics, separated by commas; --list shows them" + (f" ({default})" if default else ""))
    add("--network", metavar="PATH", help="a snapshot (.pkl), ours or official, or a run folder: its latest snapshot")
    add("--all", action="store_true", help="every snapshot of the run folder; those scored before are not scored again")
    add("--watch", action="store_true", help="as --all, and go on with each snapshot, until the final one or the end of training")
    add("--data", metavar="PATH", help="dataset of real images (default: what the network was trained on)")
    add("--num-images", type=int, metavar="N", help="images (pairs for ppl) instead of the number in the names")
    add("--outdir", metavar="PATH", help="where results go (default: beside the snapshot)")
    add("--again", action="store_true", help="score again what has been scored")
    protocol = parser.add_argument_group("protocol")
    add = protocol.add_argument
    add("--seed", type=int, default=0, help="of latents, labels, noise and resampling (0)")
    add("--batch-size", type=int, metavar="N", help="images at a time (default: by resolution)")
    add("--trunc", type=float, default=1.0, metavar="PSI", help="truncation psi (1: none)")
    add("--noise", choices=NOISE_MODES, default="random", help="noise inputs (random)")
    add("--resize", choices=RESIZES, default="legacy_tensorflow", help="way to 299x299 before Inception (legacy_tensorflow)")
    add("--precision", choices=PRECISIONS, default="float32", help="of Inception; bfloat16 is for chips that have it (float32)")
    add("--mirror", action=argparse.BooleanOptionalAction, help="mirror real images at random (default: as in training)")
    add("--crop", choices=CROPS, default="none", help="crop before path lengths (none; face: the original's for FFHQ and CelebA-HQ)")
    add("--held-out", metavar="PATH", help="dataset kept out of training, for memorisation")
    add("--classifier", action="append", default=[], metavar="FILE", help="Keras attribute classifier for ls (may be repeated)")
    weights = parser.add_argument_group("metric networks")
    weights.add_argument("--inception", metavar="FILE", help="local file of the Inception of 2015-12-05")
    weights.add_argument("--lpips", metavar="FILE", help="local file of LPIPS with VGG16")
    weights.add_argument("--fetch", action="store_true", help="get the metric networks now, and end")
    weights.add_argument("--list", action="store_true", help="list the metrics, and end")
    return parser


def _options(parsed: argparse.Namespace) -> Options:
    return Options(
        seed=parsed.seed, batch_size=parsed.batch_size, truncation_psi=parsed.trunc,
        noise_mode=parsed.noise, resize=parsed.resize, precision=parsed.precision, mirror=parsed.mirror, crop=parsed.crop,
        inception=parsed.inception, lpips=parsed.lpips, classifier=tuple(parsed.classifier), held_out=parsed.held_out,
    )  # fmt: skip


def _fetch(options: Options) -> int:
    from metrics.networks import weights

    weights.load_inception(options.inception)
    weights.load_lpips(options.lpips)
    print(f"{weights.INCEPTION} and {weights.LPIPS_VGG16} are in {weights.cache_folder() / 'weights'}")
    return 0


def _score(parsed: argparse.Namespace, metrics: list, options: Options) -> int:
    """Scores one snapshot, or those of a run."""
    network = Path(parsed.network)
    if not network.exists():
        raise UserError(f"{network}: no such file or run folder. Expected a snapshot (.pkl) or a run folder.")
    if (parsed.all or parsed.watch) and not network.is_dir():
        raise UserError(f"--all and --watch take a run folder. {network} is a file.")
    from metrics import evaluate, report
    from metrics.watch import snapshots_as_they_come
    from stylegan_tf.loading import find_snapshot, snapshots_of

    evaluate.prepare(metrics, options, _open_dataset(network, parsed))
    command_line.import_tensorflow()
    if not (parsed.all or parsed.watch):
        folder = _score_one(find_snapshot(network), parsed, metrics, options)
        report.write_overview(folder)
        return 0
    num_scored = 0
    for path in snapshots_as_they_come(network) if parsed.watch else snapshots_of(network):
        report.write_overview(_score_one(path, parsed, metrics, options))
        num_scored += 1
    if not num_scored:
        raise UserError(f"{network} holds no network snapshot (network-snapshot-*.pkl).")
    folder = Path(parsed.outdir) if parsed.outdir else network
    for path in report.write_overview(folder):
        print(f"wrote {path}")
    return 0


def _open_dataset(network: Path, parsed: argparse.Namespace):
    """The real images, held against the newest snapshot; None where --watch has neither yet."""
    from metrics.sources import check_snapshot
    from stylegan_tf import data
    from stylegan_tf.loading import snapshots_of

    if parsed.watch and not snapshots_of(network):
        return data.open_dataset(parsed.data) if parsed.data else None
    return check_snapshot(network, parsed.data)


def _score_one(path: Path, parsed: argparse.Namespace, metrics: list, options: Options) -> Path:
    """Scores a snapshot and prints a line a metric; returns where the results lie."""
    import stylegan_tf
    from metrics import evaluate

    folder = Path(parsed.outdir) if parsed.outdir else path.parent
    networks = stylegan_tf.load(path)
    networks.source = str(path)
    evaluate.evaluate(
        networks, metrics, options, dataset_path=parsed.data, folder=folder, again=parsed.again,
        on_result=lambda result: print(result.text(), flush=True),
    )  # fmt: skip
    return folder


if __name__ == "__main__":
    sys.exit(run_all())
