"""Errors whose message is written for a user: what is wrong, which item, what was expected, what to try."""

import difflib
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


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ " Did you mean X?" with the known name that is most similar, "" where none is."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f" Did you mean {close[0]}?" if close else ""
