"""The steps of a study: datasets, classifiers, and for each row training and scores."""

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

import config
from metrics import registry, report
from studies.rows import Protocol, Row, Study
from studies.steps import ROOT, Step
from stylegan_tf.errors import UserError
from stylegan_tf.lenet_training import DOCUMENT_ACCURACY
from stylegan_tf.loading import runs, snapshots_of
from stylegan_tf.training import records
from stylegan_tf.training.run_dir import FINAL_NAME, STATE_NAME

_MNIST_FILES = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")
CLASSIFIERS = ("document", "converged")
QUICK_IMAGES = 300  # photographs of a dataset
SIZES, QUICK_SIZES = (0, 600, 6_000, 12_000, 30_000, 60_000), (0, 600)
CLASSIFIER_EPOCHS, QUICK_CLASSIFIER_EPOCHS = 30, 4


@dataclasses.dataclass(frozen=True)
class Plan:
    """A study in a folder."""

    study: Study
    rows: tuple[Row, ...]
    data: Path  # of the user: a dataset, or what one is made from
    test: Path | None  # dataset of test images, None where it is made from `data` or there is none
    out: Path  # folder of the results
    is_quick: bool  # see `--quick`
    kimg: float | None  # length of every run; None for that of the preset.

    @property
    def protocol(self) -> Protocol:
        """How every row is scored."""
        return self.study.quick if self.is_quick else self.study.full

    @property
    def train_data(self) -> Path:
        """The dataset of every run."""
        return self.data if is_dataset(self.data) else self.out / "datasets" / "train"

    @property
    def test_data(self) -> Path | None:
        """Images that no run is trained on, None without any."""
        return self.test or (self.out / "datasets" / "test" if self.study.is_digits and not is_dataset(self.data) else None)

    def classifier(self, name: str) -> Path:
        """File of a LeNet."""
        return self.out / "classifiers" / f"{name}.npz"

    def run_of(self, row: Row) -> Path | None:
        """The run folder of a row, None before it has a training state or a network."""
        found = [run for run in runs(self.out / "runs" / row.preset) if (run / STATE_NAME).exists() or (run / FINAL_NAME).exists()]
        return found[-1] if found else None

    def kimg_of(self, row: Row) -> float:
        """Length of the run of a row."""
        preset = self.study.quick_kimg if self.is_quick else config.preset(row.preset).schedule.total_kimg
        return preset if self.kimg is None else self.kimg

    def trained_kimg(self, row: Row) -> float:
        """How far the run of a row is."""
        run = self.run_of(row)
        if run is None:
            return 0.0
        return max((record["nimg"] for record in records.read(run)), default=0) / 1000

    def is_trained(self, row: Row) -> bool:
        """Whether its run has reached its length."""
        run = self.run_of(row)
        # The last iteration ends at the first whole minibatch above the length.
        return run is not None and (run / FINAL_NAME).exists() and self.trained_kimg(row) >= self.kimg_of(row) - 1e-6

    def metrics_of(self, row: Row, names: Sequence[str]) -> list[str]:
        """Those of some metrics that a row can have: scores by class need labels."""
        is_conditional = config.preset(row.preset).data.conditional
        has_styles = config.preset(row.preset).has_styles
        names = [name for name in names if is_conditional or not ("accuracy" in name or "classes" in name)]
        return [registry.parse(name).name for name in names if has_styles or not name.startswith("ppl")]

    def is_scored(self, row: Row, names: Sequence[str], *, every: bool) -> bool:
        """Whether its last snapshot, or every one, has these scores."""
        run = self.run_of(row)
        if run is None or not self.is_trained(row):
            return False
        snapshots = {path.stem for path in (snapshots_of(run) if every else [run / FINAL_NAME])}
        kimg = self.trained_kimg(row)
        found = {(result.metric, result.snapshot) for result in report.read(run) if every or result.nimg / 1000 >= kimg}
        return set(itertools.product(names, snapshots)) <= found


def is_dataset(path: Path) -> bool:
    """Whether a folder holds records."""
    return path.is_dir() and any(path.glob("*.tfrecords"))


def check(plan: Plan) -> None:
    """Refuses data that the study cannot use, before anything is written.

    Raises:
        UserError: says what was expected.
    """
    if not plan.data.exists():
        raise UserError(f"There is no folder {plan.data}.")
    if plan.test is not None and not is_dataset(plan.test):
        raise UserError(f"--test {plan.test} is not a dataset. Make one: python dataset_tool.py create_mnist NEW MNIST_FOLDER --split test")
    if not plan.study.is_digits:
        return
    if is_dataset(plan.data):
        if plan.test is None:
            raise UserError("The study of digits needs test digits: --test DATASET, or --data FOLDER with the four files of MNIST.")
        return
    missing = [name for name in _MNIST_FILES if not any(plan.data.glob(f"{name}*"))]
    if missing:
        raise UserError(f"{plan.data} is neither a dataset nor a folder with the four files of MNIST: {missing[0]} is missing.")


def steps(plan: Plan) -> list[Step]:
    """All steps, in order."""
    found = _datasets(plan)
    if plan.study.is_digits:
        found += _classifiers(plan, tuple(step.name for step in found))
    prepared = tuple(step.name for step in found)
    for row in plan.rows:
        found += _row(plan, row, prepared)
    return found + (_added_digits(plan) if plan.study.is_digits else [])


def _datasets(plan: Plan) -> list[Step]:
    if is_dataset(plan.data):
        return []
    tool = str(ROOT / "dataset_tool.py")
    if not plan.study.is_digits:
        limit = ["--max-images", QUICK_IMAGES] if plan.is_quick else []
        command = [tool, "create_from_images", plan.train_data, plan.data, "--resolution", plan.study.resolution, *limit]
        return [_step("dataset train", "dataset", command, plan.train_data, default_sec=30)]
    folders = {"train": plan.train_data, "test": None if plan.test else plan.test_data}
    commands = {split: [tool, "create_mnist", folder, plan.data, "--split", split] for split, folder in folders.items() if folder}
    return [_step(f"dataset {split}", "dataset", command, folders[split], default_sec=30) for split, command in commands.items()]


def _classifiers(plan: Plan, needs: tuple[str, ...]) -> list[Step]:
    found = []
    for name in CLASSIFIERS:
        length = ["--stop-at", DOCUMENT_ACCURACY] if name == "document" else ["--epochs", 2] if plan.is_quick else []
        command = ["-m", "stylegan_tf.lenet_training", "--data", plan.train_data, "--test", plan.test_data, "--out", plan.classifier(name)]
        found.append(_step(f"classifier {name}", "classifier", [*command, *length], plan.classifier(name), default_sec=60, needs=needs))
    return found


def _step(name: str, kind: str, command: Sequence[object], result: Path, *, default_sec: float, needs: tuple[str, ...] = ()) -> Step:
    """A step that leaves one file or folder."""
    return Step(name, kind, 1.0, lambda: list(map(str, command)), result.exists, default_sec, needs=needs)


def _row(plan: Plan, row: Row, prepared: tuple[str, ...]) -> list[Step]:
    """Training of a row, and its scores."""
    name = f"train {row.preset}"
    found = [
        Step(
            name, "train", plan.kimg_of(row), lambda: _training(plan, row), lambda: plan.is_trained(row), 10.0,
            progress=lambda: plan.trained_kimg(row), needs=prepared,
        )
    ]  # fmt: skip
    for kind, metrics in (("score", plan.protocol.final), ("curve", plan.protocol.curve)):
        names, every = plan.metrics_of(row, metrics), kind == "curve"
        if names:
            found.append(
                Step(
                    f"{kind} {row.preset}", kind, 1.0, lambda names=names, every=every: _scoring(plan, row, names, every=every),
                    lambda names=names, every=every: plan.is_scored(row, names, every=every),
                    60.0 if plan.is_quick else 900.0, needs=(name,),
                )
            )  # fmt: skip
    return found


def _training(plan: Plan, row: Row) -> list[str]:
    length = ["--total-kimg", str(plan.kimg_of(row))]
    run = plan.run_of(row)
    if run is not None:
        return [str(ROOT / "train.py"), "--resume", str(run), *length]
    changes = list(row.quick) if plan.is_quick else []
    if plan.is_quick:
        changes += [f"schedule.tick_kimg={plan.kimg_of(row) / 2}", "schedule.tick_kimg_by_resolution={}", "run.network_snapshot_ticks=1"]
    if row.preset == "digits-cdcgan-feedback":
        changes.append(f"G_step.classifier={plan.classifier('document')}")
    sets = [part for change in changes for part in ("--set", change)]
    target = ["--data", str(plan.train_data), "--outdir", str(plan.out / "runs" / row.preset)]
    return [str(ROOT / "train.py"), "--preset", row.preset, *target, *length, *sets]


def _scoring(plan: Plan, row: Row, names: Sequence[str], *, every: bool) -> list[str]:
    command = ["-m", "metrics", ",".join(names), "--network", str(plan.run_of(row)), "--data", str(plan.train_data)]
    if every:
        command.append("--all")
    if plan.test_data is not None:
        command += ["--held-out", str(plan.test_data)]
    for name in CLASSIFIERS if plan.study.is_digits else ():
        command += ["--lenet", str(plan.classifier(name))]
    return command


def _added_digits(plan: Plan) -> list[Step]:
    """The classifier on real and generated digits, by the first conditional row."""
    rows = [row for row in plan.rows if config.preset(row.preset).data.conditional]
    if not rows:
        return []
    sizes = QUICK_SIZES if plan.is_quick else SIZES
    target = plan.out / "added_digits"

    def command() -> list[str]:
        epochs = QUICK_CLASSIFIER_EPOCHS if plan.is_quick else CLASSIFIER_EPOCHS
        files = ["--network", plan.run_of(rows[0]), "--data", plan.train_data, "--test", plan.test_data, "--outdir", target]
        choices = ["--classifier", plan.classifier("document"), "--epochs", epochs, "--sizes", ",".join(map(str, sizes))]
        return ["-m", "studies.added_digits", *map(str, files), *map(str, choices)]

    default_sec = 90.0 if plan.is_quick else 7200.0
    name = f"added digits of {rows[0].preset}"
    return [Step(name, "added", 1.0, command, (target / "table.md").exists, default_sec, needs=(f"train {rows[0].preset}",))]
