"""The progress bar on a pseudo-terminal and in a pipe: colours, NO_COLOR, and the width of its lines."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from stylegan_tf.progress_bar import track

ROOT = Path(__file__).parents[1]
CHILD = [sys.executable, "-m", "tests.test_terminal"]
SEQUENCE = re.compile(r"\x1b\[[\d;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d|10[0-7])[\d;]*m")
LABEL = "Reading images"


def environment(**more):
    """This process's variables without those that force or forbid colours or state a width."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES")
    }
    return {**kept, "TERM": "xterm-256color", **more}


def on_terminal(columns, **more):
    """What the child writes on a terminal of that width."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(CHILD, cwd=ROOT, env=environment(**more), stdin=terminal, stdout=terminal, stderr=terminal)
    os.close(terminal)
    written = b""
    try:
        while block := os.read(controller, 65536):
            written += block
    except OSError:  # Linux: the child has closed the terminal
        pass
    os.close(controller)
    assert child.wait(timeout=20) == 0
    return written.decode()


@pytest.mark.parametrize("columns", [40, 200])
def test_a_terminal_has_a_bar_in_colours_that_fits(columns):
    written = on_terminal(columns)
    assert COLOUR.search(written)
    lines = [SEQUENCE.sub("", line) for line in re.split(r"[\r\n]+", written)]
    assert any(LABEL[:7] in line for line in lines)
    assert max(map(len, lines)) <= columns


def test_no_color_is_respected():
    written = on_terminal(100, NO_COLOR="1")
    assert LABEL in written
    assert SEQUENCE.search(written)  # still a bar that is redrawn
    assert not COLOUR.search(written)


def test_redirected_output_has_neither_colours_nor_other_sequences():
    done = subprocess.run(CHILD, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    assert LABEL in done.stderr
    assert "\x1b" not in done.stdout + done.stderr


if __name__ == "__main__":
    for _ in track(range(20), label=LABEL):
        time.sleep(0.03)
