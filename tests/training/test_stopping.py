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


@pytest.mark.parametrize(("ending", "code"), [("print('done', end='') or 3", 3), ("print('done', end='') or sys.exit(0)", 0)])
def test_the_process_ends_without_being_taken_apart(ending, code):
    # After its last words a run took up to 25 s more: Python destroyed the objects of TensorFlow one by one.
    program = f"""
import sys, time
from stylegan_tf import command_line
from stylegan_tf.training import stopping
class Slow:
    def __del__(self): time.sleep(60)
kept = Slow()
stopping.end_at_once(lambda: command_line.run(lambda argv: {ending}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (code, "done"), done.stderr


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
    assert printed == [
        "saved",
        "Stopped by SIGTERM between two steps; the training state is saved. Resume with: python train.py --resume latest",
    ]


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


FAKE = """
stopping.FAREWELL_SEC = 0.1
class Notices:
    def __init__(self, is_chief, asked=None, ended=None): self.is_chief, self.asked, self.ended = is_chief, asked, ended
    def ask_for_end(self, who): say(f"asks: {{who}}")
    def who_asked(self): return self.asked
    def tell_end(self, message): say(f"tells: {{message}}")
    def end(self): return self.ended
def leave(): say("leaves")
"""


def test_the_chief_of_several_workers_saves_for_another_and_tells_them():
    printed = run(f"""{FAKE.format()}
with stopping.StopRequest(say, notices=Notices(True, asked="SIGTERM"), leave=leave) as stop, stop.resting(lambda: say("saved")):
    work(20)
""")
    message = (
        "Stopped by another worker (SIGTERM) between two steps; the training state is saved. Resume with: python train.py --resume latest"
    )
    assert printed == ["asks: another worker (SIGTERM)", "saved", message, f"tells: The first worker: {message}", "leaves"]


@pytest.mark.parametrize(
    ("ended", "grace_sec", "message"),
    [("The first worker: saved", 20, "The first worker: saved"), (None, 0.1, "Nothing was heard of the first worker.")],
)
def test_a_worker_that_is_signalled_leaves_when_the_chief_has_saved(ended, grace_sec, message):
    # Its own state counts for nothing: it left alone, and the others waited for it.
    printed = run(f"""{FAKE.format()}
notices = Notices(False, ended={ended!r})
with stopping.StopRequest(say, notices=notices, leave=leave, grace_sec={grace_sec}) as stop, stop.resting(lambda: say("saved")):
    os.kill(os.getpid(), signal.SIGTERM)
    work(20)
""")
    assert printed == ["asks: SIGTERM", f"Stopped by SIGTERM. {message}", "leaves"]


def test_a_chief_whose_step_fails_does_not_wait_for_it():
    printed = run(f"""{FAKE.format()}
with stopping.StopRequest(say, notices=Notices(True, asked="SIGTERM"), leave=leave, grace_sec=60) as stop:
    stop.await_end(OSError("no route"))
    say("a traceback")
""")
    message = "The step that is running could not be finished without the other workers: ending now, the last training state counts."
    assert printed[-3:] == [message, f"tells: The first worker: {message}", "leaves"]


def test_a_step_that_fails_because_the_others_leave_is_no_fault():
    printed = run(f"""{FAKE.format()}
with stopping.StopRequest(say, notices=Notices(False, asked="SIGTERM", ended="The first worker: saved")) as stop:
    stop.await_end(OSError("no route"))
    say("a traceback")
""")
    assert "While the run was ending: OSError: no route" in printed
    assert printed[-1] == "Stopped by another worker (SIGTERM). The first worker: saved"
