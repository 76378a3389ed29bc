"""The same step on one, two or three devices, at once or in parts, gives the same weights."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.closeness import assert_close

# Logical devices must be made before TensorFlow starts, and a process takes one number of devices for its sums: two processes.
QUICK = ("1 device", "1 device in three parts", "2 devices")
RUNS = [*QUICK[1:], pytest.param("3 devices", marks=pytest.mark.slow)]  # its trace takes as long as the others together
# Sums over the minibatch in another order, two steps of each network; measured below 2e-7.
TOLERANCE = 2e-6


@pytest.fixture(scope="module")
def run_process(tmp_path_factory):
    """A function that trains in a process of its own, once: names of runs to weights and statistics by run."""

    @functools.cache
    def run(*names):
        path = tmp_path_factory.mktemp("devices") / "results.npz"
        command = [sys.executable, "-m", "tests.training.steps_on_devices", str(path), *names]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        runs = {name: {} for name in names}
        with np.load(path) as arrays:
            for key in arrays:
                name, rest = key.split("|")
                runs[name][rest] = arrays[key]
        return runs

    return run


@pytest.fixture(scope="module")
def results(run_process):
    return run_process(*QUICK)


@pytest.mark.parametrize("run", RUNS)
def test_weights_and_statistics_do_not_depend_on_the_devices(results, run_process, run):
    found = results[run] if run in results else run_process(run)[run]
    assert set(found) == set(results["1 device"])
    for name, expected in results["1 device"].items():
        assert_close(found[name], expected, TOLERANCE, f"{run}: {name}")


def test_two_rounds_moved_every_weight(results):  # or the test above would compare nothing
    random = np.random.RandomState(1)
    start = {name: random.normal(0, 0.7, value.shape) for name, value in sorted(results["1 device"].items()) if name.startswith("D/")}
    moved = {name for name, value in start.items() if np.abs(results["1 device"][name] - value).max() > 1e-4}
    assert set(start) - moved == {"D/4x4/from_rgb/kernel", "D/4x4/from_rgb/bias"}


def test_averages_lag_behind(results):
    run = results["1 device"]
    assert np.abs(run["G/w_avg"]).max() > 1e-3
    assert np.abs(run["G/mapping/dense0/kernel"] - run["G_ema/mapping/dense0/kernel"]).max() > 1e-5
