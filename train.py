"""Command line of training: preset and overrides in, a run folder out; the work is done in stylegan_tf.training."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import config
from stylegan_tf import command_line, models, settings_text
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training import run_dir as run_dirs
from stylegan_tf.training import stopping

if TYPE_CHECKING:
    from stylegan_tf.data import Dataset
    from stylegan_tf.training.best import SnapshotScores

EXAMPLES = """examples:
  python train.py --preset demo --data datasets/leaves32
  python train.py --preset leaves64 --data datasets/apple --mirror --metrics fid50k --metric-images 5000
  python train.py --resume latest --total-kimg 500
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="train.py",
        description="Trains a GAN on a dataset made by dataset_tool.py.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--preset", choices=list(config.PRESETS), help=f"settings to start from, see config.py (default: {config.DEFAULT_PRESET})")
    add("--data", metavar="DIR", help="dataset folder (default: the preset's)")
    add("--outdir", metavar="DIR", default=config.RESULTS_DIR, help="where run folders are made (default: %(default)s)")
    add("--total-kimg", type=float, metavar="KIMG", help="length of the run in thousands of real images (default: the preset's)")
    add("--seed", type=int, metavar="N", help="seed of weights, latents and data order (default: the preset's, 0)")
    add("--mirror", nargs="?", const="true", metavar="BOOL", help="flip half of the images (default: the preset's)")
    add("--gpus", type=int, metavar="N", help="GPUs to use (default: all visible ones, the CPU where there is none)")
    add("--metrics", metavar="NAMES", help="metrics of each snapshot, such as fid50k,kid50k_full (default: none)")
    add("--metric-images", type=int, metavar="N", help="images of every score, instead of the number in its name (default: as named)")
    add("--metric-minutes", type=float, metavar="MIN", help="time that scoring a snapshot may take (default: no limit)")
    add("--resume", metavar="RUN", help="go on with 'latest', a run folder or number; or start a new run from a snapshot file")
    add("--init-from", metavar="PKL", help="start from the weights of another network, of any resolution (default: fresh weights)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="change one setting, such as schedule.fade_kimg=60; repeatable")
    add("--dry-run", action="store_true", help="print configuration, parameters, memory and time estimate; train nothing")
    return parser


def overridden(settings: TrainingSettings, options: argparse.Namespace) -> TrainingSettings:
    """The settings with every flag that was given."""
    flags = {
        "data.path": options.data,
        "schedule.total_kimg": options.total_kimg,
        "run.seed": options.seed,
        "data.mirror": options.mirror,
        "run.num_gpus": options.gpus,
        "run.metrics": options.metrics,
        "run.metric_images": options.metric_images,
        "run.metric_minutes": options.metric_minutes,
        "transfer.init_from": options.init_from,
    }
    assignments = [f"{name}={value}" for name, value in flags.items() if value is not None]
    return settings_text.override(settings, [*assignments, *options.set])


def main(argv: Sequence[str]) -> int:
    """Runs the command line."""
    options = parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if options.resume is not None:
        path = run_dirs.find(options.outdir, options.resume)
        if path.is_dir():
            return resume_run(path, options)
        return start_from_snapshot(path, options)
    return start(overridden(config.preset(options.preset or config.DEFAULT_PRESET), options), options)


def start(settings: TrainingSettings, options: argparse.Namespace, source: Path | None = None) -> int:
    """A new run in a new folder; with `source`, from the weights, kimg and schedule of a snapshot."""
    dataset, settings = checked(settings)
    if options.dry_run:
        return print_estimate(settings, dataset)
    from stylegan_tf.training import devices as device_choice
    from stylegan_tf.training import launch, settings_check

    check_metrics(settings, dataset)
    check_source(settings.transfer.init_from)
    devices = device_choice.open_devices(settings.run)
    settings_check.check_devices(settings, devices.num_devices)
    name = run_name(settings.model, dataset.name, devices.num_devices)
    folder = run_dirs.create(options.outdir, name) if devices.is_chief else run_dirs.scratch()
    on_snapshot = metrics_callback(settings, dataset, folder.path)
    return launch.start(settings, folder, dataset, devices, command=sys.argv, source=source, on_snapshot=on_snapshot)


def resume_run(path: Path, options: argparse.Namespace) -> int:
    """Goes on in a run folder where its training state was taken."""
    saved = read_config(path)
    base = config.preset(options.preset) if options.preset else saved
    wanted = overridden(base, options)
    from stylegan_tf.training import devices as device_choice
    from stylegan_tf.training import launch, resume, settings_check

    settings, report = resume.merged(saved, wanted)
    dataset, settings = checked(settings)
    if options.dry_run:
        print("\n".join(report))
        return print_estimate(settings, dataset)
    check_metrics(settings, dataset)
    devices = device_choice.open_devices(settings.run)
    settings_check.check_devices(settings, devices.num_devices)
    folder = run_dirs.RunDir(path) if devices.is_chief else run_dirs.scratch()
    state = resume.read(path / run_dirs.STATE_NAME)
    on_snapshot = metrics_callback(settings, dataset, path)
    return launch.resume(settings, folder, dataset, devices, state=state, report=report, on_snapshot=on_snapshot)


def start_from_snapshot(path: Path, options: argparse.Namespace) -> int:
    """A new run that takes networks, kimg and schedule from a snapshot; optimizers start fresh."""
    folder = path.parent
    base = config.preset(options.preset) if options.preset else read_config(folder)
    return start(overridden(base, options), options, source=path)


def checked(settings: TrainingSettings) -> "tuple[Dataset, TrainingSettings]":
    """Opens the dataset and refuses what cannot work."""
    from stylegan_tf.training.settings_check import check

    check(settings)
    from stylegan_tf import data

    dataset = data.open_dataset(settings.data.path)
    settings = check(settings, dataset)
    command_line.import_tensorflow()
    return dataset, settings


def check_source(init_from: str | None) -> None:
    """Refuses a network to start from that is not there, before a run folder is made."""
    if init_from is not None and not Path(init_from).exists():
        raise MissingFileError(f"--init-from {init_from}: no such snapshot, run folder or official pickle.")


def check_metrics(settings: TrainingSettings, dataset: "Dataset") -> None:
    """Refuses unknown metrics and missing metric networks before a run folder is made."""
    run = settings.run
    best = run.best_metric
    if not run.metrics:
        if best:
            raise UserError(f"run.best_metric is {best}, but --metrics asks for none. Name the metric that gives it.")
        return
    from metrics import evaluate, registry
    from metrics.options import Options

    metrics = registry.parse_list(run.metrics, run.metric_images)
    names = [name for metric in metrics for name in metric.value_names]
    if best in names and registry.best_value(best) is None:
        raise UserError(f"run.best_metric is {best}, of which neither end is better: it cannot name the best snapshot.")
    if best and best not in names:
        known = ", ".join(filter(registry.best_value, names)) or "none that has a better direction"
        raise UserError(f"run.best_metric is {best}, which is not a value of what --metrics asks for. There are: {known}.")
    if best and run.metric_minutes is not None:
        raise UserError("run.best_metric needs a fixed name, and --metric-minutes changes its number. Use --metric-images N instead.")
    evaluate.check_styles(metrics, Options(), settings.model)
    evaluate.prepare(metrics, Options(), dataset)


def metrics_callback(settings: TrainingSettings, dataset: "Dataset", folder: Path) -> "SnapshotScores | None":
    """The scores that training computes after each snapshot, None where no metric was asked for."""
    run = settings.run
    if not run.metrics:
        return None
    from metrics.during_training import snapshot_scores

    budget_sec = None if run.metric_minutes is None else run.metric_minutes * 60
    return snapshot_scores(run.metrics, dataset.path, folder, num_images=run.metric_images, time_budget_sec=budget_sec)


def read_config(folder: Path) -> TrainingSettings:
    """The settings that a run folder was started with."""
    path = folder / run_dirs.CONFIG_NAME
    if not path.exists():
        raise MissingFileError(f"{folder} has no {run_dirs.CONFIG_NAME}: not a run folder. Name a preset with --preset.")
    try:
        return models.read_settings(json.loads(path.read_text(encoding="utf-8"))["settings"])
    except (ValueError, KeyError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def run_name(model: str, dataset_name: str, num_devices: int) -> str:
    """Name of a run folder without its number."""
    return f"{model}-{dataset_name}-{num_devices}gpu"


def print_estimate(settings: TrainingSettings, dataset: "Dataset") -> int:
    """Prints what a run would be."""
    from stylegan_tf.training import estimate

    print(json.dumps(settings_text.to_plain(settings), indent=2))
    print(estimate.describe(settings, dataset))
    return 0


if __name__ == "__main__":
    stopping.obey_while_starting()
    stopping.end_at_once(lambda: command_line.run(main))
