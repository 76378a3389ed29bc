"""Errors whose message is written for a user: what is wrong, which item, what was expected, what to try."""


class UserError(ValueError):
    """Something the user can put right. The command-line programs print the message and exit with 2."""


class MissingFileError(UserError, FileNotFoundError):
    """A file or folder that should be there is not."""

    # OSError's own __str__ would print "None" for a message without errno.
    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""
