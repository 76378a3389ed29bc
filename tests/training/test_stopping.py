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


RESTING = """
import os, signal, threading, time
from stylegan_tf.training import stopping
stopping.PATIENCE_SEC = 0.2
def say(text): print(text, flush=True)
def work(seconds): threading.Event().wait(seconds)
{code}
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", RESTING.format(code=code)], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_state_is_written_beside_long_work_that_leaves_it_alone():
    printed = run("""
with stopping.StopRequest(say) as stop, stop.resting(lambda: say("saved")):
    os.kill(os.getpid(), signal.SIGTERM)
    work(20)
    say("too late")
""")
    assert printed == ["saved", "Stopped by SIGTERM between two steps; the training state is saved. Go on: --resume latest"]


def test_a_file_is_seen_in_the_middle_of_long_work_too():
    printed = run("""
with stopping.StopRequest(say, lambda: "abort.txt") as stop, stop.resting(lambda: say("saved")):
    work(20)
""")
    assert printed[0] == "saved"
    assert printed[1].startswith("Stopped by abort.txt")


def test_a_state_that_cannot_be_written_is_told():
    printed = run("""
with stopping.StopRequest(say, lambda: "abort.txt") as stop, stop.resting(lambda: 1 / 0):
    work(20)
""")
    assert printed == ["Stopped by abort.txt; the state could not be written (ZeroDivisionError: division by zero): the last one counts."]


def test_work_that_ends_in_time_is_not_cut_off():
    printed = run("""
stopping.PATIENCE_SEC = 5
with stopping.StopRequest(say) as stop:
    with stop.resting(lambda: say("saved")):
        os.kill(os.getpid(), signal.SIGTERM)
        work(0.5)
    say(stop.reason)
""")
    assert printed == ["SIGTERM"]
