"""The command line of training. Steps are faked, everything around them is real."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import generate
import train
from stylegan_tf import command_line
from tests.training.conftest import tiny_dataset  # noqa: F401  a fixture
from tests.training.fake_trainer import FakeTrainer

ROOT = Path(__file__).parents[1]
TINY = [
    *("--set", "G.fmap_max=4", "--set", "D.fmap_max=4", "--set", "G.mapping_layers=1", "--set", "run.precision=float32"),
    *("--set", "schedule.start_resolution=8", "--set", "schedule.tick_kimg=0.032", "--total-kimg", "0.064"),
    *("--set", "data.conditional=false", "--set", "run.grid_columns=3", "--set", "run.grid_rows=2"),
    *("--set", "schedule.minibatch_base=8", "--set", "schedule.minibatch_by_resolution={}"),
]


@pytest.fixture
def run(tmp_path, tiny_dataset, monkeypatch):  # noqa: F811
    """A function that runs train.py in this process with a tiny configuration; returns exit code, output, errors."""
    from stylegan_tf.training import run as runs

    made = []
    monkeypatch.setattr(runs, "make_trainer", lambda nets, settings, *_: made.append(FakeTrainer(nets, settings.run.seed)) or made[-1])

    def run(*arguments, capsys):
        code = command_line.run(train.main, ["--outdir", str(tmp_path / "results"), *arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    run.new = ["--preset", "demo", "--data", str(tiny_dataset), *TINY]
    run.results = tmp_path / "results"
    return run


def test_help_is_fast_and_needs_no_tensorflow():
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-X", "importtime", "train.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--resume" in done.stdout
    assert "python train.py --preset demo" in done.stdout
    assert "tensorflow" not in done.stderr
    assert time.monotonic() - start < 10  # a second on a quiet machine; benchmarks do the timing


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "schedule.speed=2"], "Unknown setting schedule.speed. Known here: schedule.total_kimg"),
        (["--data", "nowhere"], "--data nowhere does not exist"),
        (["--resume", "latest"], "--resume latest: no run in"),
        (["--seed", "-1"], "run.seed must be from 0 to 2000000000"),
        (["--preset", "dmo"], "Unknown preset dmo. Did you mean demo?"),
        (["--set", "gamma=10"], "Unknown setting gamma. Did you mean loss.gamma?"),
        (["--set", "loss.gamma_by_resolution={8:", "1}"], "Put it in quotes: --set 'loss.gamma_by_resolution={8: 1}'"),
        (["--init-from", "nowhere.pkl"], "--init-from nowhere.pkl does not exist. Expected a snapshot"),
        (["--set", "transfer.start_lod=5"], "A start at lod 5 is outside the schedule"),
        (["--set", "run.grid_columns=-1"], "run.grid_columns must be from 1"),
        (["--set", "schedule.G_lrate_by_resolution.8=-1"], "G_lrate_by_resolution at 8 must be at least 0"),
        (["--set", "transfer.min_share=2"], "transfer.min_share must be from 0 to 1"),
        (["--gpus", "1"], "there is none. Omit --gpus"),
        (["--set", "run.best_metric=fid5k"], "run.best_metric is fid5k, but no metric is computed"),
        (["--metrics", "fid5k", "--set", "run.best_metric=fid"], "run.best_metric is fid, which is not a score of the metrics"),
        (["--metrics", "fid5k", "--metric-images", "500", "--set", "run.best_metric=fid5k"], "There are: fid500."),
        # The name of the metric was taken, and no value of that name ever came: no snapshot was kept as the best.
        (["--metrics", "pr5k3", "--set", "run.best_metric=pr5k3"], "pr5k3_precision, pr5k3_recall, pr5k3_density, pr5k3_coverage."),
        (["--metrics", "ls10k,ppl_wend", "--set", "run.best_metric=ls10k"], "There are: ls10k_z, ls10k_w, ppl_wend."),
        (["--metrics", "fid5k", "--set", "run.best_metric=fid5k_recall"], "There are: fid5k."),
        (["--metrics", "nn", "--set", "run.best_metric=fid5k"], "There are: none by which snapshots can be compared."),
        (["--metrics", "memorisation", "--set", "run.best_metric=memorisation_pixels"], "for which neither higher nor lower"),
        (["--metrics", "fid5k", "--metric-minutes", "1", "--set", "run.best_metric=fid5k"], "Use --metric-images N instead"),
        (["--metrics", "fid5k", "--metric-images", "3"], "A score needs 10 to"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(run, capsys, arguments, message):
    code, _, errors = run(*run.new, *arguments, capsys=capsys)
    assert code == 2
    assert message in errors
    assert len(errors.splitlines()) == 1
    assert not list(run.results.glob("*"))


@pytest.mark.parametrize("arguments", [["--metrics", "fiid5k"], ["--metrics", "fid5k"]])
def test_metrics_that_cannot_be_leave_no_run_folder(run, capsys, monkeypatch, arguments):
    monkeypatch.setenv("STYLEGAN_TF_INCEPTION", "nowhere.npz")
    code, _, errors = run(*run.new, *arguments, capsys=capsys)
    assert code == 2
    assert "Unknown metric 'fiid5k'" in errors or "nowhere.npz does not exist" in errors
    assert not list(run.results.glob("*"))


@pytest.mark.parametrize(("gpus", "hint"), [("cpu", "Did you mean 0?"), ("all", "Omit --gpus to use all GPUs."), ("two", ""), ("-1", "")])
def test_names_of_devices_are_refused_with_what_to_type(gpus, hint, capsys):
    with pytest.raises(SystemExit):
        train.parser().parse_args(["--gpus", gpus])
    assert f"must be a number of GPUs, 0 for the CPU. Received: '{gpus}'. {hint}".strip() in capsys.readouterr().err


def test_a_run_is_resumed(run, capsys):
    code, printed, _ = run(*run.new, capsys=capsys)
    assert code == 0
    assert "tick 2 " in printed
    code, printed, _ = run("--resume", "latest", "--total-kimg", "0.128", "--set", "G.fmap_max=8", "--set", "loss.gamma=3", capsys=capsys)
    assert code == 0
    assert "Resuming at kimg 0.1" in printed
    assert "newer than the training state" not in printed  # the run had ended: nothing is newer than its state
    snapshots = sorted(path.name for path in (run.results / "00000-stylegan-tiny-cpu").glob("network-*.pkl"))
    assert snapshots == ["network-final.pkl", "network-snapshot-000000-nimg32.pkl", "network-snapshot-000000-nimg64.pkl"]
    assert "G.fmap_max: 4 in the run, 8 requested: not changed" in printed
    assert "in the run, 3.0 requested: changed from now on" in printed
    folder = run.results / "00000-stylegan-tiny-cpu"
    assert [json.loads(line)["nimg"] for line in (folder / "stats.jsonl").read_text().splitlines()] == [32, 64, 96, 128]
    config = json.loads((folder / "config.json").read_text())
    assert config["settings"]["loss"]["gamma"] == 3.0
    assert config["settings"]["G"]["fmap_max"] == 4
    assert len(list(run.results.glob("0*"))) == 1
    assert "This run is complete. To train it longer, add --total-kimg KIMG.\n" in run("--resume", "latest", capsys=capsys)[1]


def test_a_run_is_resumed_from_another_working_folder(run, tmp_path, tiny_dataset, monkeypatch, capsys):  # noqa: F811
    shutil.copytree(tiny_dataset, tmp_path / "datasets" / "tiny")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run(*run.new, "--data", "datasets/tiny", capsys=capsys)[0] == 0
    monkeypatch.chdir("elsewhere")
    (run.results / "00000-stylegan-tiny-cpu" / "fakes000009.png").touch()
    code, printed, errors = run("--resume", "latest", "--total-kimg", "0.096", capsys=capsys)
    assert (code, "data.path" in printed) == (0, False), errors
    assert "Removed because newer than the training state: fakes000009.png\n" in printed
    snapshot = str(run.results / "00000-stylegan-tiny-cpu" / "network-final.pkl")
    assert run("--resume", snapshot, "--total-kimg", "0.128", capsys=capsys)[0] == 0
    shutil.move(tmp_path / "datasets", "moved")
    for resumed in (snapshot, "0"):
        code, _, errors = run("--resume", resumed, "--total-kimg", "0.128", capsys=capsys)
        assert (code, len(errors.splitlines())) == (2, 1)
        assert "datasets/tiny, which does not exist here. Name it: --data FOLDER" in errors
    assert run("--resume", "0", "--total-kimg", "0.128", "--data", "moved/tiny", capsys=capsys)[0] == 0


def test_a_snapshot_starts_a_new_run_at_its_kimg(run, capsys):
    run(*run.new, capsys=capsys)
    snapshot = str(run.results / "00000-stylegan-tiny-cpu" / "network-final.pkl")
    code, _, errors = run("--resume", snapshot, capsys=capsys)
    assert code == 2
    assert "Try a larger --total-kimg" in errors
    assert not (run.results / "00001-stylegan-tiny-cpu").exists()
    code, printed, _ = run("--resume", snapshot, "--total-kimg", "0.128", capsys=capsys)
    assert code == 0
    assert "kimg (0.1) and schedule are from" in printed
    assert "both optimizers are initialised" in printed
    folder = run.results / "00001-stylegan-tiny-cpu"
    assert [json.loads(line)["nimg"] for line in (folder / "stats.jsonl").read_text().splitlines()] == [96, 128]


def test_init_from_prints_what_was_taken(run, capsys):
    run(*run.new, capsys=capsys)
    snapshot = str(run.results / "00000-stylegan-tiny-cpu" / "network-final.pkl")
    code, printed, _ = run(*run.new, "--init-from", snapshot, "--set", "G.mapping_layers=2", capsys=capsys)
    assert code == 0
    assert "G synthesis/8x8" in printed
    mapping = next(line for line in printed.splitlines() if line.startswith("G mapping")).split()
    assert [int(count.replace(",", "")) for count in mapping[2:]] == [64 * 64 + 64, 0, 64 * 64 + 64]  # one layer taken, one new
    assert "tick 1 " in printed


def test_a_refused_transfer_leaves_no_run_folder(run, capsys):
    run(*run.new, capsys=capsys)
    snapshot = str(run.results / "00000-stylegan-tiny-cpu" / "network-final.pkl")
    few = ["--set", "G.mapping_layers=2", "--set", "transfer.min_share=1"]
    code, _, errors = run(*run.new, "--init-from", snapshot, *few, capsys=capsys)
    assert code == 2
    assert "of the weights of" in errors
    assert [path.name for path in run.results.iterdir()] == ["00000-stylegan-tiny-cpu"]


def test_dry_run_trains_nothing(run, capsys):
    code, printed, _ = run(*run.new, "--dry-run", capsys=capsys)
    assert code == 0
    assert printed.startswith("devices  ")
    assert "parameters        G " in printed
    assert re.search(r"^time +\S+ to \S+, from 1 convolutions timed on this machine", printed, re.MULTILINE)
    assert '"fmap_max"' not in printed
    assert "more than a day" not in printed
    assert not run.results.exists()
    code, printed, _ = run(*run.new, "--dry-run", "--verbose", "--set", "schedule.total_kimg=1e9", capsys=capsys)
    assert "more than a day" in printed
    assert printed.index("devices") < printed.index('"fmap_max": 4')  # the summary first


def test_dry_run_refuses_impossible_devices_first(run, capsys):
    code, printed, errors = run(*run.new, "--dry-run", "--gpus", "1", capsys=capsys)
    assert (code, printed) == (2, "")
    assert "there is none" in errors


def test_dry_run_knows_earlier_runs(run, capsys):
    assert run(*run.new, "--total-kimg", "0.128", capsys=capsys)[0] == 0
    printed = run(*run.new, "--total-kimg", "64", "--dry-run", capsys=capsys)[1]
    assert re.search(r"^time +\S.* to \S.*, from the 4 ticks of \S*00000-stylegan-tiny", printed, re.MULTILINE)
    printed = run(*run.new, "--set", "G.fmap_max=8", "--dry-run", capsys=capsys)[1]
    assert "convolutions timed" in printed


def test_the_next_command_works_as_pasted(run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in range(2):  # whatever runs there are, and with a blank in the path
        _, printed, _ = run(*run.new, "--outdir", "my results", capsys=capsys)
        (command,) = [line.removeprefix("Next: ") for line in printed.splitlines() if line.startswith("Next: ")]
        assert f"{number:05d}-stylegan-tiny-cpu" in command
    program, *arguments = shlex.split(command)[1:]
    assert (program, command_line.run(generate.main, arguments)) == ("generate.py", 0)
    assert len(list(Path("out").glob("*.png"))) == 1


def test_damage_during_training_is_reported_with_file_and_record(run, capsys, tmp_path, tiny_dataset):  # noqa: F811
    """One bit of record 17 flipped: nothing to see when the run starts, and no weights are damaged by it."""
    from stylegan_tf import data

    damaged = tmp_path / "damaged"
    shutil.copytree(tiny_dataset, damaged)
    level = data.open_dataset(damaged).level(8)
    record, path = bytes(level.read_data(17)), level.file.path
    content = bytearray(path.read_bytes())
    assert content.count(record) == 1
    content[content.index(record) + len(record) // 2] ^= 1
    path.write_bytes(content)
    code, _, errors = run(*run.new, "--data", str(damaged), capsys=capsys)
    assert code == 2
    assert len(errors.splitlines()) == 1
    assert path.name in errors
    assert "record 17" in errors
    assert "dataset_tool.py check" in errors
    (folder,) = run.results.iterdir()
    assert (folder / "training-state.pkl").exists()  # of the moments before


def test_a_resumed_run_computes_scores(run, capsys, monkeypatch):
    """A run that was pre-empted is resumed by a script that only calls --resume latest."""
    from metrics import during_training, evaluate
    from stylegan_tf.training.best import SnapshotScores

    asked = []
    monkeypatch.setattr(evaluate, "prepare", lambda *_: None)
    scores = SnapshotScores(lambda *_: {})
    monkeypatch.setattr(during_training, "snapshot_scores", lambda names, *_, **options: asked.append((names, options)) or scores)
    assert run(*run.new, "--metrics", "fid5k", "--metric-images", "100", capsys=capsys)[0] == 0
    assert run("--resume", "latest", "--total-kimg", "0.096", capsys=capsys)[0] == 0
    assert asked == [("fid5k", {"num_images": 100, "time_budget_sec": None})] * 2


def test_an_added_metric_is_scored_during_training_and_names_the_best_snapshot(run, capsys, monkeypatch, tmp_path):
    from metrics import registry

    monkeypatch.setenv("STYLEGAN_TF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(registry, "METRICS", (*registry.METRICS, "tests.metrics.tiny_metric:MeanBrightness"))
    asked = ["--metrics", "brightness10", "--set", "run.best_metric=brightness10", "--set", "run.network_snapshot_ticks=1"]
    code, printed, errors = run(*run.new, *asked, capsys=capsys)
    assert code == 0, errors
    assert " failed (" not in printed
    (folder,) = run.results.iterdir()
    lines = [json.loads(line) for line in (folder / "stats.jsonl").read_text().splitlines()]
    values = {line["snapshot"]: line["Metrics/brightness10"] for line in lines if "snapshot" in line}
    assert len(values) == 2
    assert f"Best snapshot: <b>{max(values, key=values.get)}</b>, brightness10" in (folder / "report.html").read_text()


def test_files_that_cannot_be_read_or_written_are_one_message(run, capsys, monkeypatch):
    def fail(*_, **__):
        raise OSError(28, "No space left on device", "results/00000-x/config.json")

    from stylegan_tf.training import launch

    monkeypatch.setattr(launch.config_file, "write", fail)
    code, _, errors = run(*run.new, capsys=capsys)
    assert (code, errors) == (2, "error: results/00000-x/config.json: No space left on device.\n")
