"""How programs end: messages for users, exit codes, tracebacks for bugs."""

import os

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


def test_a_missing_file_is_both_kinds_of_error():  # the library's callers expect FileNotFoundError, its programs UserError
    assert issubclass(MissingFileError, UserError)
    assert issubclass(MissingFileError, FileNotFoundError)
    assert str(MissingFileError("no snapshot in results/7")) == "no snapshot in results/7"


def test_silenced_stderr_comes_back(capfd):
    with command_line.silenced_stderr():
        os.write(2, b"from C++\n")
    os.write(2, b"heard\n")
    assert capfd.readouterr().err == "heard\n"
