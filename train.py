"""Command line of training: reads preset and options, checks them, and starts or resumes a run (stylegan_tf.training)."""

if __name__ == "__main__":  # before the imports that take time
    from stylegan_tf import program_start

    program_start.begin(needs_config=True)

import argparse
import dataclasses
import functools
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import config
from stylegan_tf import command_line, settings_text
from stylegan_tf.argument_parser import Parser
from stylegan_tf.command_line import spelled
from stylegan_tf.display import say
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.loading import find_dataset, missing_network
from stylegan_tf.resolution import MAX_RESOLUTION
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training import cluster, config_file, stopping
from stylegan_tf.training import run_dir as run_dirs

if TYPE_CHECKING:
    from stylegan_tf.data import Dataset
    from stylegan_tf.training.best import SnapshotScores
    from stylegan_tf.training.devices import Devices

EXAMPLES = """examples:
  python train.py --data photos/cats
  python train.py --preset demo --data datasets/leaves32
  python train.py --preset leaves64 --data datasets/apple --mirror --metrics fid50k --metric-images 5000
  python train.py --resume latest --total-kimg 500
"""


def parser() -> Parser:
    """The command line."""
    parser = Parser(
        prog="train.py",
        description="Trains a GAN on a folder or archive of photographs, or on a dataset of dataset_tool.py.",
        epilog=EXAMPLES,
    )
    add = parser.add_argument
    add(
        "--preset",
        metavar="NAME",
        help=f"one of the presets below (default: settings for these images and this machine): {', '.join(config.PRESETS)}",
    )
    add("--data", metavar="PATH", help="a dataset, or photographs: a folder, zip or tar (default: the preset's dataset)")
    add("--conditional", action="store_true", help="train with the labels of the dataset, so that a class can be generated on request")
    add("--outdir", metavar="DIR", default=config.RESULTS_DIR, help="folder of the run folders (default: %(default)s)")
    add("--total-kimg", type=float, metavar="KIMG", help="length of the run in thousands of real images (default: the preset's)")
    add("--seed", type=int, metavar="N", help="seed of weights, latents and data order (default: the preset's, usually 0)")
    add("--mirror", nargs="?", const="true", metavar="BOOL", help="mirror half of the images (default: the preset's)")
    add(
        "--gpus",
        type=_number_of_gpus,
        metavar="N",
        help="number of GPUs; 0: the CPU (default: all GPUs that TensorFlow finds, else the CPU)",
    )
    add("--metrics", metavar="NAMES", help="metrics to compute for each snapshot, such as fid50k,kid50k_full (default: none)")
    add("--metric-images", type=int, metavar="N", help="number of images of each metric (default: the number in its name)")
    add("--metric-minutes", type=float, metavar="MIN", help="time limit for the metrics of a snapshot (default: no limit)")
    add("--resume", metavar="RUN", help="resume 'latest', a run folder or its number; or start a new run from a snapshot file")
    add("--init-from", metavar="PKL", help="initialise with the weights of another network, of any resolution (default: random weights)")
    add("--set", action="append", default=[], metavar="NAME=VALUE", help="change one setting, such as schedule.fade_kimg=60; repeatable")
    add("--dry-run", action="store_true", help="print estimates of memory and time; do not train")
    add("--verbose", action="store_true", help="with --dry-run: also print all settings")
    return parser


def overridden(settings: TrainingSettings, options: argparse.Namespace) -> TrainingSettings:
    """The settings, changed by the options of the command line."""
    flags = {
        "data.path": options.data,
        "data.conditional": "true" if options.conditional else None,
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
    """Starts or resumes what the command line describes."""
    settings_text.check_unsplit(argv)
    options = parser().parse_args(argv)
    cluster.read_cluster(os.environ.get("TF_CONFIG"))  # checked before TensorFlow is imported
    if options.resume is not None:
        path = run_dirs.find(options.outdir, options.resume)
        if path.is_dir():
            return resume_run(path, options)
        return start_from_snapshot(path, options)
    if options.preset is None and options.data is None:
        raise UserError("Name the training data: --data PATH, a dataset or photographs. Or use a --preset, which names its dataset.")
    settings = overridden(config.preset(options.preset), options) if options.preset else None
    prepare_data(options, settings)
    if settings is None:
        settings = overridden(chosen_settings(options), options)
    elif options.data is not None:
        settings = dataclasses.replace(settings, data=dataclasses.replace(settings.data, path=options.data))
    return start(settings, options)


def prepare_data(options: argparse.Namespace, settings: TrainingSettings | None) -> None:
    """Replaces photographs in `--data` by the dataset of them, which is built if there is none.

    Args:
        options: of the command line.
        settings: of its preset, None for settings that are yet to be chosen.
    """
    from stylegan_tf.data.intake import photographs

    if options.data is not None and not Path(options.data).exists():
        raise MissingFileError(f"--data {options.data} does not exist. Expected a dataset, or photographs: a folder, zip or tar.")
    if options.data is None or not photographs.are_photographs(options.data):
        return
    # Before the work of a build: what would be refused after it.
    if settings is not None:
        from stylegan_tf.training import settings_check

        settings_check.check(settings)
    if options.gpus:
        command_line.import_tensorflow()
        from stylegan_tf.training import devices

        devices.find_gpus(options.gpus)
    requested = settings.data.resolution if settings else requested_resolution(options)
    if settings:
        largest = config.PHOTOGRAPH_RESOLUTION.get(options.preset, MAX_RESOLUTION)
    else:
        largest = config.GPU_RESOLUTION if count_gpus(options.gpus) else config.CPU_RESOLUTION
    options.data = str(photographs.dataset_of(options.data, max_resolution=largest, resolution=requested))


def requested_resolution(options: argparse.Namespace) -> int | None:
    """The resolution of `--set data.resolution=...`, None without it."""
    assignments = [assignment for assignment in options.set if assignment.partition("=")[0].strip() == "data.resolution"]
    return settings_text.override(TrainingSettings(""), assignments).data.resolution


def _number_of_gpus(text: str) -> int:
    """The value of --gpus. Names such as "all" or "cpu" are refused with what to type instead."""
    try:
        if (number := int(text)) < 0:
            raise ValueError
        return number
    except ValueError:
        name = text.lower().partition(":")[0]
        hints = {"cpu": " Did you mean 0?", "none": " Did you mean 0?", "all": " Omit --gpus to use all GPUs.", "auto": " Omit --gpus."}
        raise argparse.ArgumentTypeError(f"must be a number of GPUs, 0 for the CPU. Received: {text!r}.{hints.get(name, '')}") from None


@functools.cache
def count_gpus(requested: int | None) -> int:
    """Number of GPUs of the run. If TensorFlow does not find any, prints why: the dataset and the settings depend on the number."""
    if requested is not None:
        return requested
    command_line.import_tensorflow()
    import tensorflow as tf

    from stylegan_tf import devices, nvidia

    num_gpus = len(tf.config.list_physical_devices("GPU"))
    if not num_gpus and (reason := devices.unseen_gpu(nvidia.read_driver(), tf.sysconfig.get_build_info())):
        say(f"{reason} Dataset and settings are chosen for the CPU.")
    return num_gpus


def chosen_settings(options: argparse.Namespace) -> TrainingSettings:
    """Settings for the dataset and this machine; says what was chosen and why."""
    from stylegan_tf import data

    dataset = data.open_dataset(options.data)
    settings, reasons = config.automatic(
        dataset.resolution, dataset.num_images, num_gpus=count_gpus(options.gpus), wanted_resolution=requested_resolution(options)
    )
    if options.total_kimg is not None:
        reasons["length"] = f"{options.total_kimg:g} kimg, as requested"
    say("Settings chosen for these images and this machine (for others: --preset NAME):")
    say(*(f"  {name:<13} {reason}" for name, reason in reasons.items()))
    return settings


def start(settings: TrainingSettings, options: argparse.Namespace, source: Path | None = None) -> int:
    """Starts a new run in a new folder; with `source`, from the weights, kimg and schedule of a snapshot."""
    dataset, settings = checked(settings)
    for assignment in options.set:
        name = assignment.partition("=")[0].strip()
        if effect := settings_text.overridden_by_table(settings, name):
            say(f"Note: {name}: {effect}")
    from stylegan_tf.training import launch

    on_snapshot = snapshot_scores(settings, dataset)
    source_of_weights = settings.transfer.init_from
    if source_of_weights is not None and not Path(source_of_weights).exists():
        raise MissingFileError(f"--init-from {missing_network(source_of_weights)}")
    if options.dry_run:
        return print_estimate(settings, dataset, launch.open_devices(settings), options)
    folder, devices = launch.open_run(settings, dataset, options.outdir)
    command = [*spelled("train.py").split(), *sys.argv[1:]]
    return launch.start(settings, folder, dataset, devices, command=command, source=source, on_snapshot=on_snapshot)


def resume_run(path: Path, options: argparse.Namespace) -> int:
    """Resumes the run in a folder from its training state."""
    saved = config_file.read(path).settings
    base = config.preset(options.preset) if options.preset else saved
    requested = overridden(base, options)
    command_line.import_tensorflow()  # silently; the imports below need it
    from stylegan_tf.training import launch, state_file, states

    settings, report = states.merged(saved, requested)
    settings = with_found_data(settings, saved, path / run_dirs.STATE_NAME)
    dataset, settings = checked(settings)
    on_snapshot = snapshot_scores(settings, dataset)
    devices = launch.open_devices(settings)
    if options.dry_run:
        say(*report)
        return print_estimate(settings, dataset, devices, options)
    folder = run_dirs.RunDir(path) if devices.is_chief else run_dirs.scratch()
    state = state_file.read(path / run_dirs.STATE_NAME)
    return launch.resume(settings, folder, dataset, devices, state=state, report=report, on_snapshot=on_snapshot)


def start_from_snapshot(path: Path, options: argparse.Namespace) -> int:
    """Starts a new run with the networks, kimg and schedule of a snapshot; optimizers are initialised."""
    folder = path.parent
    base = config.preset(options.preset) if options.preset else config_file.read(folder).settings
    settings = overridden(base, options)
    return start(settings if options.preset else with_found_data(settings, base, path), options, source=path)


def with_found_data(settings: TrainingSettings, saved: TrainingSettings, source: Path) -> TrainingSettings:
    """The settings with the place of the run's dataset as seen from here; `source` is a file of the run folder."""
    path = settings.data.path
    if path != saved.data.path or not path:
        return settings
    return dataclasses.replace(settings, data=dataclasses.replace(settings.data, path=str(find_dataset(source, {"path": path}, None))))


def checked(settings: TrainingSettings) -> "tuple[Dataset, TrainingSettings]":
    """Opens the dataset, and checks and completes the settings."""
    from stylegan_tf.training.settings_check import check

    check(settings)
    from stylegan_tf import data

    dataset = data.open_dataset(settings.data.path)
    settings = check(settings, dataset)
    command_line.import_tensorflow()
    return dataset, settings


def snapshot_scores(settings: TrainingSettings, dataset: "Dataset") -> "SnapshotScores | None":
    """The scores of each snapshot, None without metrics. Unknown metrics and missing metric networks are refused here."""
    run = settings.run
    best = run.best_metric
    if not run.metrics:
        if best:
            raise UserError(f"run.best_metric is {best}, but no metric is computed. Add the metric to --metrics.")
        return None
    from metrics import during_training, evaluate, registry
    from metrics.options import Options

    metrics = registry.parse_list(run.metrics, run.metric_images)
    names = [name for metric in metrics for name in metric.value_names]
    if best in names and registry.best_value(best) is None:
        raise UserError(f"run.best_metric is {best}, for which neither higher nor lower values are better. Use another score.")
    if best and best not in names:
        known = ", ".join(filter(registry.best_value, names)) or "none by which snapshots can be compared"
        raise UserError(f"run.best_metric is {best}, which is not a score of the metrics in --metrics. There are: {known}.")
    if best and run.metric_minutes is not None:
        raise UserError("run.best_metric needs a fixed name, but --metric-minutes changes the number in it. Use --metric-images N instead.")
    evaluate.check_suits(metrics, Options(), settings.model)
    budget_sec = None if run.metric_minutes is None else run.metric_minutes * 60
    return during_training.snapshot_scores(run.metrics, dataset.path, num_images=run.metric_images, time_budget_sec=budget_sec)


def print_estimate(settings: TrainingSettings, dataset: "Dataset", devices: "Devices", options: argparse.Namespace) -> int:
    """Prints estimates of memory and time of a run, and with --verbose its configuration."""
    from stylegan_tf.training import estimate

    say(*estimate.describe(settings, dataset, devices, options.outdir))
    if options.verbose:
        say(*json.dumps(settings_text.to_plain(settings), indent=2).split("\n"))
    return 0


if __name__ == "__main__":
    stopping.handle_signals_before_training()
    stopping.exit_immediately(lambda: command_line.run(main))
