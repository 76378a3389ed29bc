"""How every command-line program ends: 0 when done, 2 with one clear message for bad input, 130 when interrupted."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence

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


def import_tensorflow() -> None:
    """Imports TensorFlow without what its C++ side writes to stderr meanwhile (no CUDA here, oneDNN is on, ...).

    Programs call this once their arguments are checked. An import that fails raises as ever.
    """
    with silenced_stderr():
        import tensorflow

        tensorflow.config.list_physical_devices()


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Sends file descriptor 2 to nowhere: what C++ code writes does not pass through sys.stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
