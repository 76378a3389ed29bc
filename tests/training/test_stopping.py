"""Signals end a run between two steps, or after the grace where a step takes too long."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stylegan_tf.training.stopping import StopRequest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_and_nothing_is_interrupted(number):
    with StopRequest(print) as stop:
        assert stop.reason is None
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        assert stop.reason == number.name


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest(print):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("saving", [False, True])
def test_a_step_that_does_not_end_is_left_after_the_grace(tmp_path, saving):
    # time.sleep in C would be interrupted by the signal: a busy thread lock stands for a long step, as TensorFlow's do.
    work = "\n    with stop.saving(): time.sleep(1.0); print('saved', flush=True)" if saving else ""
    code = f"""
import os, signal, threading, time
from stylegan_tf.training.stopping import StopRequest
with StopRequest(lambda text: print(text, flush=True), grace_sec=0.2) as stop:
    os.kill(os.getpid(), signal.SIGTERM){work}
    threading.Lock().acquire() or 0
    lock = threading.Lock(); lock.acquire(); lock.acquire()
"""
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr
    assert "takes too long" in done.stdout
    assert ("saved" in done.stdout) == saving
    assert time.monotonic() - start < 8
