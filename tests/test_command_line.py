"""How programs end: messages for users, exit codes, tracebacks for bugs."""

import os
import subprocess
import sys
import time

import pytest

from stylegan_tf import command_line
from stylegan_tf.errors import MissingFileError, UserError


def ending(error):
    """A program that ends with an error."""

    def main(argv):
        raise error

    return main


def test_exit_codes_of_programs_that_return():
    assert command_line.run(lambda argv: None, []) == 0
    assert command_line.run(lambda argv: 3, []) == 3
    assert command_line.run(lambda argv: len(argv), ["a", "b"]) == 2


@pytest.mark.parametrize("kind", [UserError, MissingFileError])
def test_what_a_user_can_put_right_is_one_message_and_exit_code_2(capsys, kind):
    assert command_line.run(ending(kind("cats/0007.png is 512x511.")), []) == 2
    captured = capsys.readouterr()
    assert captured.err == "error: cats/0007.png is 512x511.\n"
    assert captured.out == ""


def test_an_interrupt_is_130(capsys):
    assert command_line.run(ending(KeyboardInterrupt()), []) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        command_line.run(ending(ZeroDivisionError()), [])


def test_a_pipe_that_breaks_elsewhere_keeps_its_traceback():
    with pytest.raises(BrokenPipeError):
        command_line.run(ending(BrokenPipeError()), [])


def test_a_missing_file_is_both_kinds_of_error():  # the library's callers expect FileNotFoundError, its programs UserError
    assert issubclass(MissingFileError, UserError)
    assert issubclass(MissingFileError, FileNotFoundError)
    assert str(MissingFileError("no snapshot in results/7")) == "no snapshot in results/7"


def test_tensorflow_is_imported_without_a_word_and_looks_for_devices():
    """oneDNN, cudart_stub, absl and "failed call to cuInit" stood before the first line of every program."""
    imports = "from stylegan_tf import command_line as c; c.LINE_SEC = 600; c.import_tensorflow(); import tensorflow as t"
    retraced = "[tf.function(lambda x: x)(1) for tf in [t] * 9]"  # a function in a loop: TensorFlow warns at the fifth
    script = f"{imports}; t.config.list_physical_devices(); {retraced}"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout + result.stderr == ""


@pytest.mark.parametrize(("of_the_user", "expected"), [(None, "true"), ("false", "false")])
def test_programs_that_score_or_draw_leave_gpu_memory_to_others_unless_the_user_chose(of_the_user, expected, monkeypatch):
    """Without it, a score beside a training run finds no memory left. TensorFlow reads it when it is imported."""
    at_import = []
    monkeypatch.setattr(command_line, "import_keras", lambda: at_import.append(os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH")))
    monkeypatch.delenv("TF_FORCE_GPU_ALLOW_GROWTH", raising=False)
    if of_the_user is not None:
        monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", of_the_user)
    command_line.import_tensorflow()
    assert at_import == [expected]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (None, "--xla_gpu_autotune_level=2"),
        ("--xla_dump_to=x", "--xla_dump_to=x --xla_gpu_autotune_level=2"),
        ("--xla_gpu_autotune_level=4", "--xla_gpu_autotune_level=4"),
    ],
)
def test_xla_tries_fewer_kernels_unless_the_user_chose(flags, expected, monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    if flags is not None:
        monkeypatch.setenv("XLA_FLAGS", flags)
    command_line._shorten_compilation()
    assert os.environ["XLA_FLAGS"] == expected


def test_a_slow_import_of_tensorflow_is_shown(capfd, monkeypatch):
    monkeypatch.setattr(command_line, "LINE_SEC", 0.01)
    with command_line.silenced_stderr() as stderr, command_line._lines_of_progress(stderr):
        os.write(2, b"CUDA")
        time.sleep(0.1)
    assert capfd.readouterr().err.startswith("Importing TensorFlow: 0s\n")


def test_silenced_stderr_comes_back(capfd):
    with command_line.silenced_stderr():
        os.write(2, b"from C++\n")
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"


UNHEARD = """
import sys, os
from stylegan_tf import command_line
from stylegan_tf.errors import UserError
def main(argv):
    print("x" * {size}, file={stream})
    {end}
sys.exit(command_line.run(main))
"""


@pytest.mark.parametrize("size", [5, 1_000_000])  # left in the buffer until the end, or written at once
@pytest.mark.parametrize("stream", ["sys.stdout", "sys.stderr"])
@pytest.mark.parametrize("end", ["return 0", "sys.exit(0)"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_is_gone_ends_a_program_quietly(size, stream, end, unbuffered):
    """A traceback, and "Exception ignored ... BrokenPipeError" after it, came of `dataset_tool.py info ... | head -1`."""
    read, write = os.pipe()
    os.close(read)
    kept_read, kept_write = os.pipe()
    command = [sys.executable, "-c", UNHEARD.format(size=size, stream=stream, end=end)]
    streams = {"stdout": write, "stderr": kept_write} if stream == "sys.stdout" else {"stdout": kept_write, "stderr": write}
    code = subprocess.run(command, check=False, env={**os.environ, "PYTHONUNBUFFERED": unbuffered}, **streams).returncode
    os.close(write)
    os.close(kept_write)
    with open(kept_read, "rb") as kept:
        assert kept.read() == b""
    assert code == 141


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (".", "is a folder"),
        ("/dev/null", "not a regular file"),  # a finished file is renamed onto it
        ("none/a.gif", "The folder none does not exist"),
        ("/proc/a.gif", "cannot be written"),
        ("a" * 250 + ".gif", "cannot be written"),  # a name for the finished file, not for the unfinished one
    ],
)
def test_files_that_cannot_be_written_are_said_beforehand(tmp_path, monkeypatch, path, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        command_line.check_output(path)
    command_line.check_output("a.gif")
    assert list(tmp_path.iterdir()) == []
