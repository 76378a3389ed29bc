"""How every command-line program ends: 0 when done, 2 with one clear message for bad input, 130 when interrupted."""

import sys
from collections.abc import Callable, Sequence

from stylegan_tf.errors import UserError


def run(main: Callable[[Sequence[str]], int | None], argv: Sequence[str] | None = None) -> int:
    """Runs `main(argv)` and turns what a user can put right into a message instead of a traceback.

    Args:
        main: takes the arguments without the program name, returns an exit code (None means 0).
        argv: defaults to the arguments of this process.

    Returns:
        The exit code to hand to `sys.exit`.
    """
    try:
        return main(sys.argv[1:] if argv is None else argv) or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
