"""A signal or abort.txt ends a run between two steps, or after a time limit if a step takes too long."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stylegan_tf.training.stopping import StopRequest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_is_recorded_and_interrupts_nothing(number):
    before = signal.signal(number, signal.SIG_DFL)  # nohup ignores SIGHUP
    with StopRequest(print) as stop:
        assert stop.reason is None
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        assert stop.reason == number.name
    signal.signal(number, before)


def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with StopRequest(print) as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.01)
        assert stop.reason is None
    assert signal.signal(signal.SIGHUP, before) == signal.SIG_IGN


def test_handlers_are_restored():
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest(print):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("saving", [False, True])
def test_a_step_that_does_not_end_is_abandoned_after_the_time_limit(tmp_path, saving):
    # time.sleep in C would be interrupted by the signal: a lock that is never released stands for a long step of TensorFlow.
    work = "\n    with stop.saving(): time.sleep(1.0); print('saved', flush=True)" if saving else ""
    code = f"""
import os, signal, threading, time
from stylegan_tf.training.stopping import StopRequest
with StopRequest(lambda text: print(text, flush=True), step_sec=0.2) as stop:
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
def test_the_process_ends_without_destroying_its_objects(ending, code):
    # A run took up to 25 s to end: Python destroyed the objects of TensorFlow one by one.
    program = f"""
import sys, time
from stylegan_tf import command_line
from stylegan_tf.training import stopping
class Slow:
    def __del__(self): time.sleep(60)
kept = Slow()
stopping.exit_immediately(lambda: command_line.run(lambda argv: {ending}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (code, "done"), done.stderr


IDLE = """
import os, signal, threading, time
from stylegan_tf.training import stopping
stopping.WORK_SEC = 0.2
def say(text): print(text, flush=True)
def work(seconds): threading.Event().wait(seconds)
{code}
"""


def run(code):
    done = subprocess.run([sys.executable, "-c", IDLE.format(code=code)], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_state_is_written_during_long_work_that_does_not_change_it():
    printed = run("""
with stopping.StopRequest(say) as stop, stop.idle(lambda: say("saved")):
    os.kill(os.getpid(), signal.SIGTERM)
    work(20)
    say("too late")
""")
    assert printed == [
        "saved",
        "Stopped by SIGTERM between two steps; the training state is saved. Resume with: python train.py --resume latest",
    ]


def test_abort_txt_ends_long_work_too():
    printed = run("""
with stopping.StopRequest(say, lambda: "abort.txt") as stop, stop.idle(lambda: say("saved")):
    work(20)
""")
    assert printed[0] == "saved"
    assert printed[1].startswith("Stopped by abort.txt")


def test_a_process_with_other_work_is_not_ended():
    printed = run("""
with stopping.StopRequest(say, step_sec=0.1, may_exit=False) as stop, stop.idle(lambda: say("saved")):
    os.kill(os.getpid(), signal.SIGTERM)
    work(0.6)
    os.kill(os.getpid(), signal.SIGINT)
    say(stop.reason)
say("continues")
""")
    assert printed == ["SIGINT", "continues"]


def test_a_state_that_cannot_be_written_is_reported():
    printed = run("""
with stopping.StopRequest(say, lambda: "abort.txt") as stop, stop.idle(lambda: 1 / 0):
    work(20)
""")
    problem = "The training state could not be written (ZeroDivisionError: division by zero)"
    assert printed == [f"Stopped by abort.txt. {problem}; resume from the last one: python train.py --resume latest"]


def test_work_that_ends_in_time_is_not_abandoned():
    printed = run("""
stopping.WORK_SEC = 5
with stopping.StopRequest(say) as stop:
    with stop.idle(lambda: say("saved")):
        os.kill(os.getpid(), signal.SIGTERM)
        work(0.5)
    say(stop.reason)
""")
    assert printed == ["SIGTERM"]


FAKE = """
stopping.ANNOUNCE_SEC = 0.1
class Messages:
    def __init__(self, is_chief, requested=None, ended=None): self.is_chief, self.requested, self.ended = is_chief, requested, ended
    def request_stop(self, reason): say(f"request: {{reason}}")
    def stop_requested(self): return self.requested
    def announce_end(self, message): say(f"announcement: {{message}}")
    def announced_end(self): return self.ended
def on_exit(): say("exit")
"""


def test_the_chief_saves_on_the_request_of_another_worker_and_announces_its_end():
    printed = run(f"""{FAKE.format()}
with stopping.StopRequest(say, messages=Messages(True, requested="SIGTERM"), on_exit=on_exit) as stop, stop.idle(lambda: say("saved")):
    work(20)
""")
    message = (
        "Stopped by another worker (SIGTERM) between two steps; the training state is saved. Resume with: python train.py --resume latest"
    )
    assert printed == ["request: another worker (SIGTERM)", "saved", message, f"announcement: The first worker: {message}", "exit"]


@pytest.mark.parametrize(
    ("ended", "step_sec", "message"),
    [("The first worker: saved", 20, "The first worker: saved"), (None, 0.1, "The first worker did not announce its end.")],
)
def test_a_signalled_worker_ends_when_the_chief_has_saved(ended, step_sec, message):
    # It ended alone, although only the chief writes the state, and the others waited for it.
    printed = run(f"""{FAKE.format()}
messages = Messages(False, ended={ended!r})
with stopping.StopRequest(say, messages=messages, on_exit=on_exit, step_sec={step_sec}) as stop, stop.idle(lambda: say("saved")):
    os.kill(os.getpid(), signal.SIGTERM)
    work(20)
""")
    assert printed == ["request: SIGTERM", f"Stopped by SIGTERM. {message}", "exit"]


def test_a_chief_whose_step_fails_does_not_wait_for_the_time_limit():
    printed = run(f"""{FAKE.format()}
with stopping.StopRequest(say, messages=Messages(True, requested="SIGTERM"), on_exit=on_exit, step_sec=60) as stop:
    stop.wait_for_end(OSError("no route"))
    say("a traceback")
""")
    message = "Stopped by another worker (SIGTERM). The running step failed without the other workers and is lost; "
    message += "resume from the last training state: python train.py --resume latest"
    assert printed[-3:] == [message, f"announcement: The first worker: {message}", "exit"]


def test_a_step_that_fails_because_others_end_is_not_an_error():
    printed = run(f"""{FAKE.format()}
with stopping.StopRequest(say, messages=Messages(False, requested="SIGTERM", ended="The first worker: saved")) as stop:
    stop.wait_for_end(OSError("no route"))
    say("a traceback")
""")
    assert "While the run was ending: OSError: no route" in printed
    assert printed[-1] == "Stopped by another worker (SIGTERM). The first worker: saved"
