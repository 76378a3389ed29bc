"""Errors whose message is written for a user: what is wrong, which item, what was expected, what to try."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """An error that the user can correct. The command-line programs print its message and exit with 2."""


class MissingFileError(UserError, FileNotFoundError):
    """A file or folder does not exist."""

    # OSError's own __str__ would print "None" for a message without errno.
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ " Did you mean X?" with the known name that is most similar, "" where none is."""
    close = difflib.get_close_matches(name, list(known), 1)
    return f" Did you mean {close[0]}?" if close else ""
