"""Two processes on loopback train one run together (MultiWorkerMirroredStrategy), with real steps."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.training.comparison import lines

ROOT = Path(__file__).parents[2]
SETTINGS = [
    *("--set", "G.fmap_max=4", "--set", "D.fmap_max=4", "--set", "G.mapping_layers=1", "--set", "run.precision=float32"),
    *("--set", "schedule.start_resolution=8", "--set", "schedule.tick_kimg=0.032", "--total-kimg", "0.064"),
    *("--set", "data.conditional=false", "--set", "run.grid_columns=3", "--set", "run.grid_rows=2"),
    *("--set", "schedule.minibatch_base=8", "--set", "schedule.minibatch_by_resolution={}"),
]


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def start(index, ports, *arguments):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    config = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
    command = [sys.executable, "train.py", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "TF_CONFIG": config}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.slow
def test_two_machines_train_as_one_does(tmp_path, tiny_dataset):
    new = ["--preset", "demo", "--data", tiny_dataset, *SETTINGS]
    ports = free_ports(2)
    together = [start(index, ports, *new, "--outdir", tmp_path / "two") for index in range(2)]
    printed = [worker.communicate(timeout=900)[0] for worker in together]
    assert [worker.returncode for worker in together] == [0, 0], "\n".join(printed)
    assert "2 x CPU" in printed[0]
    assert "on 2 machines" in printed[0]
    alone = subprocess.run(
        [sys.executable, "train.py", *map(str, new), "--outdir", str(tmp_path / "one")], cwd=ROOT, capture_output=True, check=False
    )
    assert alone.returncode == 0, alone.stderr.decode()
    (two,), (one,) = (list((tmp_path / name).iterdir()) for name in ("two", "one"))
    assert two.name.endswith("-2gpu")
    for a, b in zip(lines(one / "stats.jsonl"), lines(two / "stats.jsonl"), strict=True):
        # Noise is drawn by part, so losses differ a little; what D sees of the reals at first does not.
        assert a["nimg"] == b["nimg"]
        assert np.isclose(a["Loss/D"], b["Loss/D"], rtol=0.05)


@pytest.mark.slow
def test_two_machines_roll_back_together(tmp_path, tiny_dataset):
    # Every logit is above the limit: one rollback, and then both end. A worker that continued alone would wait forever.
    limits = ["--set", "run.max_logit=1e-9", "--set", "run.on_nan=rollback", "--set", "run.max_rollbacks=1"]
    ports = free_ports(2)
    new = ["--preset", "demo", "--data", tiny_dataset, *SETTINGS, *limits, "--outdir", tmp_path]
    together = [start(index, ports, *new) for index in range(2)]
    printed = [worker.communicate(timeout=900)[0] for worker in together]
    assert [worker.returncode for worker in together] == [2, 2], "\n".join(printed)
    for text in printed:
        assert "returned to kimg 0.0 with another seed (rollback 1 of 1)" in text
        assert "Training diverged at kimg 0.0" in text


def wait_until(condition, workers, sec=300):
    start = time.monotonic()
    while not condition():
        assert all(worker.poll() is None for worker in workers)
        assert time.monotonic() - start < sec
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("signalled", [0, 1])
def test_two_machines_that_trace_stop_together(tmp_path, tiny_dataset, signalled):
    # A worker that was signalled in a trace ended alone: the state was not written, and the other one hung or crashed.
    ports = free_ports(2)
    traces_long = ["--set", "run.iterations_per_call=32", "--set", "schedule.iterations_per_update=32"]
    new = ["--preset", "demo", "--data", tiny_dataset, *SETTINGS, *traces_long, "--total-kimg", "10", "--outdir", tmp_path]
    together = [start(index, ports, *new) for index in range(2)]
    wait_until(lambda: list(tmp_path.glob("*/reals.png")), together)
    (state,) = tmp_path.glob("*/training-state.pkl")
    before = state.stat().st_mtime_ns
    time.sleep(1)
    together[signalled].send_signal(signal.SIGTERM)
    asked = time.monotonic()
    printed = [worker.communicate(timeout=60)[0] for worker in together]
    assert [worker.returncode for worker in together] == [0, 0], "\n".join(printed)
    assert time.monotonic() - asked < 10
    assert state.stat().st_mtime_ns > before
    assert "between two steps; the training state is saved" in printed[0]
    for index, text in enumerate(printed):
        assert ("Stopped by SIGTERM" if index == signalled else "Stopped by another worker (SIGTERM)") in text
        assert "Traceback" not in text
