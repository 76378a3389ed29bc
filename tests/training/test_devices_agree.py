"""The same step on one, two or three devices, at once or in parts, gives the same weights."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.closeness import assert_close

RUNS = ["1 device in three parts", "2 devices", "3 devices"]
# Logical devices must be made before TensorFlow starts, and a process takes one number of devices for its sums: two processes.
PROCESSES = [["1 device", "1 device in three parts", "2 devices"], ["3 devices"]]
# Sums over the minibatch in another order, two steps of each network; measured below 2e-7.
TOLERANCE = 2e-6


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Weights and statistics of every run by name."""
    runs = {}
    for index, names in enumerate(PROCESSES):
        path = tmp_path_factory.mktemp("devices") / f"{index}.npz"
        command = [sys.executable, "-m", "tests.training.steps_on_devices", str(path), *names]
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(path) as arrays:
            for key in arrays:
                name, rest = key.split("|")
                runs.setdefault(name, {})[rest] = arrays[key]
    return runs


@pytest.mark.parametrize("run", RUNS)
def test_weights_and_statistics_do_not_depend_on_the_devices(results, run):
    assert set(results[run]) == set(results["1 device"])
    for name, expected in results["1 device"].items():
        assert_close(results[run][name], expected, TOLERANCE, f"{run}: {name}")


def test_two_rounds_moved_every_weight(results):  # or the test above would compare nothing
    random = np.random.RandomState(1)
    start = {name: random.normal(0, 0.7, value.shape) for name, value in sorted(results["1 device"].items()) if name.startswith("D/")}
    assert all(np.abs(results["1 device"][name] - value).max() > 1e-4 for name, value in start.items())


def test_averages_lag_behind(results):
    run = results["1 device"]
    assert np.abs(run["G/w_avg"]).max() > 1e-3
    assert np.abs(run["G/mapping/dense0/kernel"] - run["G_ema/mapping/dense0/kernel"]).max() > 1e-5
