"""Processes that are killed, or asked to end, at random moments, while files are written too: nothing is lost but time."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

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
runs.make_trainer = lambda settings, networks, *_: FakeTrainer(networks, settings.run.seed, slow_down)
sys.exit(command_line.run(train.main))
"""
SETTINGS = [
    *("--set", "G.fmap_max=4", "--set", "D.fmap_max=4", "--set", "G.mapping_layers=1", "--set", "run.precision=float32"),
    *("--set", "schedule.start_resolution=8", "--set", "schedule.tick_kimg=0.032", "--total-kimg", "3"),
    *("--set", "data.conditional=false", "--set", "run.grid_columns=3", "--set", "run.grid_rows=2"),
    *("--set", "schedule.minibatch_base=8", "--set", "schedule.minibatch_by_resolution={}"),
    *("--set", "run.state_ticks=1", "--set", "run.network_snapshot_ticks=1", "--set", "run.keep_snapshots=2"),
]


def start(*arguments):
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
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
    paths = [tmp_path / name / "00000-sgan-tiny-1gpu" for name in ("whole", "cut")]
    assert len(lines(paths[0] / "stats.jsonl")) == 3000 // 32 + 1
    assert_same_run(*paths)
    assert not list(paths[1].glob(".*partial*"))
    assert len(list((tmp_path / "cut").iterdir())) == 1


def test_sigterm_ends_within_ten_seconds_with_a_state(tmp_path, tiny_dataset):
    run = start("--preset", "demo", "--data", tiny_dataset, *SETTINGS, "--total-kimg", "1000", "--outdir", tmp_path)
    assert wait_for(run, "tick 3")
    (path,) = tmp_path.iterdir()
    before = (path / "training-state.pkl").stat().st_mtime_ns
    asked = time.monotonic()
    run.send_signal(signal.SIGTERM)
    printed, errors = run.communicate()
    assert time.monotonic() - asked < 10
    assert run.returncode == 0, errors
    assert "Stopped by SIGTERM" in printed
    assert (path / "training-state.pkl").stat().st_mtime_ns > before
