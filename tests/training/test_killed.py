"""Runs that are killed or stopped at random moments, also while files are written, and resumed, equal uninterrupted ones."""

import fcntl
import os
import pty
import random
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from stylegan_tf.training import state_file
from tests.training.comparison import assert_same_run, lines

ROOT = Path(__file__).parents[2]
NUM_KILLS = 2
# A tick takes a few hundredths of a second with faked steps: most kills fall into the writing of files.
PROGRAM = """
import sys, time
import train
from stylegan_tf import command_line
from stylegan_tf.training import run as runs
from tests.training.fake_trainer import FakeTrainer
slow_down = lambda *_: time.sleep(0.002)
runs.make_trainer = lambda networks, settings, *_: FakeTrainer(networks, settings.run.seed, slow_down)
sys.exit(command_line.run(train.main))
"""
SETTINGS = [
    *("--set", "G.fmap_max=4", "--set", "D.fmap_max=4", "--set", "G.mapping_layers=1", "--set", "run.precision=float32"),
    *("--set", "schedule.start_resolution=8", "--set", "schedule.tick_kimg=0.032", "--total-kimg", "3"),
    *("--set", "data.conditional=false", "--set", "run.grid_columns=3", "--set", "run.grid_rows=2"),
    *("--set", "schedule.minibatch_base=8", "--set", "schedule.minibatch_by_resolution={}"),
    *("--set", "run.state_ticks=1", "--set", "run.network_snapshot_ticks=1", "--set", "run.keep_snapshots=2"),
]


def start(*arguments, program=PROGRAM):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(process, word):
    """Reads lines until one starts with `word`; returns whether one did."""
    return any(line.startswith(word) for line in process.stdout)


def test_killed_runs_equal_one_that_was_not(tmp_path, tiny_dataset):
    new = ["--preset", "demo", "--data", tiny_dataset, *SETTINGS]
    whole = start(*new, "--outdir", tmp_path / "whole")
    moments = random.Random(0)
    arguments = new
    num_killed = 0
    for _ in range(NUM_KILLS):
        cut = start(*arguments, "--outdir", tmp_path / "cut")
        if wait_for(cut, "tick "):
            time.sleep(moments.uniform(0.0, 0.6))
            cut.send_signal(signal.SIGKILL)
            num_killed += 1
        cut.communicate()
        arguments = ["--resume", "latest"]
    last = start("--resume", "latest", "--outdir", tmp_path / "cut")
    _, errors = last.communicate()
    assert last.returncode == 0, errors
    _, errors = whole.communicate()
    assert whole.returncode == 0, errors
    assert num_killed > 0
    paths = [tmp_path / name / "00000-stylegan-tiny-cpu" for name in ("whole", "cut")]
    assert len(lines(paths[0] / "stats.jsonl")) == 3000 // 32 + 1
    assert_same_run(*paths)
    assert not list(paths[1].glob(".*partial*"))
    assert len(list((tmp_path / "cut").iterdir())) == 1


HANGUP = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # nohup, under which these tests may run, ignores it


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_run_within_ten_seconds_with_a_state(tmp_path, tiny_dataset, name):
    run = start(
        "--preset", "demo", "--data", tiny_dataset, *SETTINGS, "--total-kimg", "1000", "--outdir", tmp_path, program=HANGUP + PROGRAM
    )
    assert wait_for(run, "tick 3")
    (path,) = tmp_path.iterdir()
    before = (path / "training-state.pkl").stat().st_mtime_ns
    asked = time.monotonic()
    run.send_signal(getattr(signal, name))
    printed, errors = run.communicate()
    assert time.monotonic() - asked < 10
    assert run.returncode == 0, errors
    assert f"Stopped by {name}" in printed
    assert (path / "training-state.pkl").stat().st_mtime_ns > before


def test_a_run_whose_terminal_is_closed_is_saved(tmp_path, tiny_dataset):
    controller, terminal = pty.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    arguments = ["--preset", "demo", "--data", tiny_dataset, *SETTINGS, "--total-kimg", "1000", "--outdir", tmp_path]
    command = [sys.executable, "-c", HANGUP + PROGRAM, *map(str, arguments)]
    run = subprocess.Popen(command, cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal, preexec_fn=take_terminal)
    os.close(terminal)
    printed = b""
    while b"tick 3" not in printed:
        printed += os.read(controller, 65536)
    os.close(controller)  # SIGHUP, and an error for whatever is printed afterwards
    assert run.wait(timeout=20) == 0
    (path,) = tmp_path.iterdir()
    assert "Stopped by SIGHUP" in (path / "log.txt").read_text()
    assert state_file.read(path / "training-state.pkl")["position"]["nimg"] >= 96


def test_training_leaves_no_files_of_autograph(tmp_path, tiny_dataset):
    (tmp_path / "tmp").mkdir()
    arguments = ["--preset", "demo", "--data", tiny_dataset, *SETTINGS, "--total-kimg", "0.128", "--outdir", tmp_path / "runs"]
    command = [sys.executable, "train.py", *map(str, arguments)]
    environment = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "tmp").rglob("*")] == []


STARTING = """
import runpy, time
from stylegan_tf import command_line
command_line.import_tensorflow = lambda: (print("importing", flush=True), time.sleep(60))
runpy.run_path("train.py", run_name="__main__")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_signals_while_starting(tmp_path, tiny_dataset, name):
    run = start("--preset", "demo", "--data", tiny_dataset, "--outdir", tmp_path / "runs", program=HANGUP + STARTING)
    assert wait_for(run, "importing")
    run.send_signal(getattr(signal, name))
    printed, errors = run.communicate(timeout=10)
    expected = (130, "") if name == "SIGINT" else (0, f"Stopped by {name} before training began; there is nothing to save.\n")
    assert (run.returncode, printed, errors) == (*expected, "")
    assert not (tmp_path / "runs").exists()


HANGING = """
from stylegan_tf.training.outputs import Outputs
def hang():
    print("hanging", flush=True)
    threading.Event().wait(60)
def on_iteration(trainer, stage, nimg):
    if {where!r} == "trace" and nimg == 72:
        trainer.G.w_avg.assign_add(trainer.G.w_avg + 1.0)  # what a step may have done already
        hang()
runs.make_trainer = lambda networks, settings, *_: FakeTrainer(networks, settings.run.seed, on_iteration)
FakeTrainer.has_traced = lambda self, stage, nimg, **_: nimg != 72
write_report = Outputs.write_report
def write_slowly(self):
    write_report(self)
    if {where!r} == "tick" and "nimg64" in str(sorted(self.run_dir.path.glob("fakes*.png"))):
        hang()
Outputs.write_report = write_slowly
"""


@pytest.mark.parametrize("where", ["tick", "trace"])
def test_sigterm_in_long_work_loses_nothing(tmp_path, tiny_dataset, where):
    new = ["--preset", "demo", "--data", tiny_dataset, *SETTINGS, "--total-kimg", "0.128", "--set", "run.state_ticks=100"]
    whole = start(*new, "--outdir", tmp_path / "whole")
    hanging = PROGRAM.replace("sys.exit", HANGING.format(where=where) + "sys.exit").replace("import sys", "import threading, sys")
    cut = start(*new, "--outdir", tmp_path / "cut", program=hanging)
    assert wait_for(cut, "hanging")
    asked = time.monotonic()
    cut.send_signal(signal.SIGTERM)
    printed, errors = cut.communicate()
    assert time.monotonic() - asked < 10
    assert cut.returncode == 0, errors
    assert "Stopped by SIGTERM between two steps; the training state is saved" in printed
    last = start("--resume", "latest", "--outdir", tmp_path / "cut")
    printed, errors = last.communicate()
    assert last.returncode == 0, errors
    assert "Resuming at kimg 0.1" in printed
    whole.communicate()
    paths = [tmp_path / name / "00000-stylegan-tiny-cpu" for name in ("whole", "cut")]
    assert_same_run(*paths)
