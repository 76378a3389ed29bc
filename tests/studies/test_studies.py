"""The studies: their rows and steps, what is skipped and resumed, the table; --quick as a whole in a slow test."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import config
from metrics import registry, report
from metrics.intervals import Estimate
from metrics.result import Result
from studies import added_digits, plan, program, table
from studies.rows import STUDIES
from studies.steps import ROOT, Runner, Step
from stylegan_tf import data
from stylegan_tf.errors import UserError
from stylegan_tf.snapshot_file import NetworkArrays
from stylegan_tf.training import run_dir

_MNIST = Path(__file__).resolve().parents[3] / "shared" / "data" / "mnist"


@pytest.mark.parametrize("name", STUDIES)
def test_every_row_is_a_preset_and_every_metric_is_known(name):
    study = STUDIES[name]
    assert {row.preset for row in study.rows} <= set(config.PRESETS)
    assert sum(row.is_quick for row in study.rows) >= 2
    for protocol in (study.full, study.quick):
        assert registry.parse_list(",".join([*protocol.final, *protocol.curve]))


def step(folder, name, code="open(OUT, 'w').close()", **options):
    out = folder / name
    command = ["-c", code.replace("OUT", repr(str(out)))]
    return Step(name, "kind", 1.0, lambda: command, out.exists, 10.0, **options)


def test_done_steps_are_skipped_and_a_failure_stops_only_what_needs_it(tmp_path, capsys):
    (tmp_path / "done").touch()
    steps = [
        step(tmp_path, "done", "raise SystemExit(9)"),
        step(tmp_path, "bad", "raise SystemExit('no such preset')"),
        step(tmp_path, "after bad", needs=("bad",)),
        step(tmp_path, "good", needs=("done",)),
    ]
    tables = []
    with pytest.raises(UserError, match="2 of 4 steps failed"):
        Runner(steps, tmp_path, lambda: tables.append(1)).run()
    assert (tmp_path / "good").exists()
    assert not (tmp_path / "after bad").exists()
    shown = capsys.readouterr().out
    assert "no such preset" in shown  # the end of the log
    assert "[4/4] good; " in shown
    assert len(tables) == 3
    steps[1:3] = [step(tmp_path, "bad"), step(tmp_path, "after bad", needs=("bad",))]
    Runner(steps, tmp_path, lambda: None).run()
    assert (tmp_path / "after bad").exists()


def test_remaining_time_counts_all_steps_at_the_measured_rates(tmp_path):
    (tmp_path / "times.json").write_text('{"train": 2.0}')
    steps = [Step(f"s{n}", "train" if n < 2 else "score", 10.0, list, lambda: False, 5.0) for n in range(3)]
    runner = Runner(steps, tmp_path, lambda: None)
    assert runner.left_sec(1, 0.0, 4.0, 0.0) == 20 - 4 + 20 + 50  # nothing measured yet in this step
    assert runner.left_sec(1, 5.0, 40.0, 0.0) == 5 * 8 + 20 + 50
    assert runner.left_sec(3, 6.0, 6.0, 4.0) == 4 * 3  # resumed at 4
    (tmp_path / "times.json").write_text("[damaged")
    assert Runner(steps, tmp_path, lambda: None).times == {}


def test_a_killed_study_ends_its_step(tmp_path):
    code = f"open({str(tmp_path / 'pid')!r}, 'w').write(str(__import__('os').getpid())); __import__('time').sleep(60)"
    script = (
        f"from pathlib import Path; from studies.steps import Runner, Step\n"
        f"step = Step('sleep', 'k', 1.0, lambda: ['-c', {code!r}], lambda: False, 1.0)\n"
        f"Runner([step], Path({str(tmp_path)!r}), lambda: None).run()"
    )
    study = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.DEVNULL)
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    study.send_signal(signal.SIGKILL)
    study.wait()
    child = int((tmp_path / "pid").read_text())
    wait_for(lambda: not is_running(child))


def is_running(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except OSError:
        return False


def wait_for(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def digits(tmp_path):
    """The study of digits on two tiny datasets, two rows, one of them trained and scored by hand."""
    for name in ("train", "test"):
        with data.DatasetWriter(tmp_path / name, resolution=32, channels=1, class_names=list("0123456789")) as writer:
            for number in range(10):
                writer.add(np.full((32, 32, 1), number, np.uint8), label=number)
    study = STUDIES["digits"]
    rows = tuple(row for row in study.rows if row.preset in ("digits-dcgan-compact", "digits-cdcgan-smoothing"))
    return plan.Plan(study, rows, tmp_path / "train", tmp_path / "test", tmp_path / "out", True, None)


def finish(study, row, kimg=30.0):
    """The files of a trained run with every score of the protocol."""
    run = study.out / "runs" / row.preset / "00000-dcgan-train-1gpu"
    run.mkdir(parents=True)
    (run / "training-state.pkl").touch()
    (run / "config.json").write_text("{}")
    tick = {"tick": 1, "nimg": int(1000 * kimg), "kimg": kimg, "lod": 0, "resolution": 32, "total_sec": 60.0, "images_per_sec": 66.0,
            "eta_sec": 0.0}  # fmt: skip
    (run / "stats.jsonl").write_text(json.dumps(tick) + "\n")
    return run


def score(run, metric, values, nimg=30_000):
    estimates = {name: Estimate(value) for name, value in values.items()}
    report.write(Result(metric, estimates, "network-final", nimg, {"network": "1a"}, {"digest": "d", "name": "n"}, "r", 1.0), run,
                 to_tensorboard=False)  # fmt: skip


def test_steps_of_digits_in_their_order(digits):
    names = [step.name for step in plan.steps(digits)]
    assert names == [
        "classifier document", "classifier converged",
        "train digits-dcgan-compact", "score digits-dcgan-compact", "curve digits-dcgan-compact",
        "train digits-cdcgan-smoothing", "score digits-cdcgan-smoothing", "curve digits-cdcgan-smoothing",
        "added digits of digits-cdcgan-smoothing",
    ]  # fmt: skip
    by_name = {step.name: step for step in plan.steps(digits)}
    assert not any("accuracy" in part for part in by_name["train digits-dcgan-compact"].command())
    digits.out.mkdir()
    run = finish(digits, digits.rows[0], kimg=2.0)
    begun = {step.name: step for step in plan.steps(digits)}["train digits-dcgan-compact"]
    assert not begun.is_done()
    assert begun.progress() == 2.0
    assert list(begun.command())[1:] == ["--resume", str(run), "--total-kimg", "30"]  # goes on after a kill


def test_a_row_is_scored_once_all_metrics_of_its_last_snapshot_exist(digits):
    digits.out.mkdir()
    row = digits.rows[0]
    run = finish(digits, row)
    assert not digits.is_trained(row)
    (run / "network-final.pkl").touch()
    assert digits.is_trained(row)
    names = digits.metrics_of(row, digits.protocol.final)
    assert not any("accuracy" in name for name in names)  # no labels
    for name in names:
        assert not digits.is_scored(row, names, every=False)
        score(run, name, {name: 1.0})
    assert digits.is_scored(row, names, every=False)


def test_table_has_every_row_with_the_figures_of_the_study(digits, monkeypatch):
    networks = [NetworkArrays(None, {"dense/kernel": np.zeros((count, 100)), "norm/moving_mean": np.zeros(9)}) for count in (20, 30)]
    contents = SimpleNamespace(G=networks[0], D=networks[1])
    monkeypatch.setattr(table, "loading", SimpleNamespace(snapshots_of=lambda run: [run], read=lambda path: contents))
    digits.out.mkdir()
    run = finish(digits, digits.rows[1])
    (run / "network-final.pkl").touch()
    (run / "fakes000030.png").write_bytes(b"png")
    score(run, "lenet_accuracy1k_document", {"lenet_accuracy1k_document": 0.87, "lenet_accuracy1k_document_classifier": 0.947})
    score(run, "lenet_is1k_converged", {"lenet_is1k_converged": 5.0}, nimg=2000)
    score(run, "lenet_is1k_converged", {"lenet_is1k_converged": 6.0})
    table.write(digits)
    text = (digits.out / "table.md").read_text()
    assert "| digits-dcgan-compact | not run |" in text
    assert "| digits-cdcgan-smoothing | 30.0 | 1m 00s | 66 | 2,000 | 3,000 |" in text
    assert "0.87; classifier 94.70 %" in text
    assert "| 87 % |" in text  # the study's own
    assert (digits.out / "grid-digits-cdcgan-smoothing.png").read_bytes() == b"png"
    assert (digits.out / "curve-lenet_is1k_converged.svg").exists()
    rows = json.loads((digits.out / "table.json").read_text())
    assert [row["status"] for row in rows] == ["not run", "trained"]
    assert {score["metric"] for score in rows[1]["scores"]} == {"lenet_accuracy1k_document", "lenet_is1k_converged"}


def test_parameters_are_counted_without_what_is_not_trained():
    arrays = {"conv/kernel": np.zeros((2, 3)), "norm/moving_mean": np.zeros(9), "synthesis/noise0": np.zeros(9), "w_avg": np.zeros(9),
              "synthesis/4x4/conv/noise_strength": np.zeros(4)}  # fmt: skip
    assert table.num_trained(arrays) == 10


def test_bad_arguments_are_refused_before_anything_is_written(digits, tmp_path):
    (tmp_path / "empty").mkdir()
    base = ["digits", "--outdir", str(tmp_path / "new")]
    records = ["--data", str(digits.data)]
    cases = {
        "There is no folder": [*base, "--data", str(tmp_path / "none")],
        "neither a dataset nor a folder with the four files": [*base, "--data", str(tmp_path / "empty")],
        "needs test digits": [*base, *records],
        "no such row": [*base, *records, "--only", "cdcgan"],
        "is not a dataset": [*base, *records, "--test", str(tmp_path / "empty")],
        "--kimg must be above 0": [*base, *records, "--kimg", "0"],
    }
    for message, arguments in cases.items():
        with pytest.raises(UserError, match=message):
            program.main(arguments)
    assert not (tmp_path / "new").exists()


def test_a_folder_holds_one_study(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "steps", lambda _: [])
    arguments = ["digits", "--data", str(digits.data), "--test", str(digits.test), "--outdir", str(tmp_path / "out")]
    assert program.main(arguments) == 0
    assert program.main([*arguments, "--only", "digits-cgan"]) == 0  # more rows of the same study
    with pytest.raises(UserError, match="contains a study with other choices"):
        program.main([*arguments, "--quick"])
    with run_dir.locked(tmp_path / "out", ""), pytest.raises(UserError, match=r"Another process .* or use another --outdir"):
        program.main(arguments)


def test_a_study_runs_on_a_disk_without_locks(digits, tmp_path, monkeypatch, capsys):  # it was an error
    monkeypatch.setattr(plan, "steps", lambda _: [])
    monkeypatch.setattr(run_dir.fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(38, "Function not implemented")))
    assert program.main(["digits", "--data", str(digits.data), "--test", str(digits.test), "--outdir", str(tmp_path / "out")]) == 0
    assert "without locks" in capsys.readouterr().err


def test_table_of_classifiers_goes_on_where_it_stopped(tmp_path):
    computed = []

    def accuracy(real, generated):
        computed.append((real, generated))
        if len(computed) == 2:
            raise KeyboardInterrupt
        return real / 1000 + generated / 10_000

    with pytest.raises(KeyboardInterrupt):
        added_digits.fill(tmp_path / "together.json", [0, 600], accuracy)
    found = added_digits.fill(tmp_path / "together.json", [0, 600], accuracy)
    assert computed == [(0, 600), (600, 0), (600, 0), (600, 600)]
    np.testing.assert_allclose(found, [[np.nan, 0.06], [0.6, 0.66]])
    assert "| 600 | 60.00 % | 66.00 % |" in added_digits.markdown(tmp_path, [0, 600], ["together"], 3)


def test_subsets_are_nested_and_the_source_plane_is_a_second_channel():
    digits = np.arange(50, dtype=np.uint8).reshape(50, 1, 1, 1), np.arange(50)
    small, large = added_digits.subset(digits, 10, 0), added_digits.subset(digits, 30, 0)
    assert set(small[1]) < set(large[1])
    assert len(added_digits.subset(digits, 100, 0)[1]) == 50
    np.testing.assert_array_equal(added_digits.with_plane(small[0], 255)[..., 1], 255)


def test_contour_is_darker_where_values_are_higher():
    image = np.asarray(added_digits.contour("t", ["0", "600"], ["0", "600"], np.array([[np.nan, 0.0], [1.0, 2.0]]))).astype(int)
    top_right, top_left, bottom = (image[row, column].sum() for row, column in ((75, 880), (75, 200), (450, 500)))
    assert top_right < top_left < bottom


@pytest.mark.parametrize("scheme", added_digits.SCHEMES)
def test_a_classifier_learns_from_real_and_generated_digits(scheme):
    rng = np.random.default_rng(0)

    def made(count):
        classes = np.arange(count) % 10
        images = rng.integers(0, 30, (count, 32, 32, 1)).astype(np.uint8)
        for image, digit in zip(images, classes, strict=True):
            image[2 + 3 * digit : 5 + 3 * digit] = 250  # a bar at the height of the class
        return images, classes

    assert added_digits.accuracy_of(scheme, made(200), made(200), made(50), epochs=6, seed=0) > 0.9


@pytest.mark.slow
def test_quick_study_of_digits_as_a_whole(tmp_path):
    if not _MNIST.is_dir():
        pytest.skip(f"MNIST is not in {_MNIST}")
    command = [sys.executable, "-m", "studies", "digits", "--data", str(_MNIST), "--outdir", str(tmp_path / "out"), "--quick"]
    first = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    wait_for(lambda: any((tmp_path / "out").glob("runs/*/*/stats.jsonl")), 600)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3000)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads((tmp_path / "out" / "table.json").read_text())
    assert {row["status"] for row in rows} == {"trained"}
    assert all((tmp_path / "out" / row["grid"]).exists() for row in rows)
    assert (tmp_path / "out" / "added_digits" / "together.png").exists()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0
    assert "[" not in again.stdout  # nothing is left to do
