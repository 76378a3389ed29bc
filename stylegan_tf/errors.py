"""Errors whose message is written for a user: what is wrong, which item, what was expected, what to try."""

import difflib
import os
import traceback
from collections.abc import Iterable


class UserError(ValueError):
    """An error that the user can correct. The command-line programs print its message and exit with 2.

    Args:
        lines: the message; further ones are shown beneath it. Line ends within a line are shown as escapes.
    """

    def __init__(self, *lines: str):
        super().__init__(*lines)
        self.lines = lines

    def __str__(self) -> str:  # OSError's would print "None" for a message without errno
        return "\n".join(map(str, self.lines))


class MissingFileError(UserError, FileNotFoundError):
    """A file or folder does not exist."""


def raised_in(error: BaseException, file_name: str) -> str | None:
    """ "FILE, line N" if an error was raised by the code of a file of that name, such as config.py; None if by other code."""
    if isinstance(error, SyntaxError) and os.path.basename(error.filename or "") == file_name:
        return f"{error.filename}, line {error.lineno}"
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        path = frame.f_code.co_filename
        if os.path.basename(path) == file_name:
            return f"{path}, line {line}"
        if path.startswith(os.path.dirname(__file__)):  # frames of Python and other libraries belong to the code that called them
            return None
    return None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ " Did you mean X?" with the known name that is most similar, "" where none is."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f" Did you mean {close[0]}?" if close else ""
