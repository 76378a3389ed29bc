"""The deterministic mode, in processes of their own: TensorFlow has no way to leave it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stylegan_tf.training import state_file
from tests.training.comparison import assert_same_run
from tests.training.test_killed import SETTINGS, start, wait_for

ROOT = Path(__file__).parents[2]
REAL = "import sys, train\nfrom stylegan_tf import command_line\nsys.exit(command_line.run(train.main))"


def test_steps_are_timed():  # TensorFlow refuses its clock in this mode: no run got beyond its first step
    code = """
import tensorflow as tf
from stylegan_tf.training import timing
tf.config.experimental.enable_op_determinism()
clock = tf.function(lambda: [timing.now_after(), timing.now_after()], autograph=False)
print(*[float(value) for value in [*clock(), *clock()]])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert np.diff([float(word) for word in done.stdout.split()]).max() < 60


@pytest.mark.slow
def test_real_steps_of_a_killed_run_are_those_of_one_that_was_not(tmp_path, tiny_dataset):
    new = ["--preset", "demo", "--data", tiny_dataset, *SETTINGS, "--total-kimg", "0.256", "--set", "run.is_deterministic=true"]
    whole = start(*new, "--outdir", tmp_path / "whole", program=REAL)
    cut = start(*new, "--outdir", tmp_path / "cut", program=REAL)
    assert wait_for(cut, "tick 2")
    cut.kill()
    cut.communicate()
    last = start("--resume", "latest", "--outdir", tmp_path / "cut", program=REAL)
    for process in (last, whole):
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    paths = [tmp_path / name / "00000-stylegan-tiny-cpu" for name in ("whole", "cut")]
    assert_same_run(*paths)
    assert state_file.read(paths[1] / "training-state.pkl")["position"]["nimg"] == 256
