"""How every command-line program begins and ends: outputs checked first; 0 done, 2 bad input, 130 interrupted, 141 unheard."""

import contextlib
import os
import select
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from stylegan_tf.display import visible_lines
from stylegan_tf.errors import UserError

_UNHEARD = 128 + 13  # as the shell counts programs that SIGPIPE ended


def run(main: Callable[[Sequence[str]], int | None], argv: Sequence[str] | None = None) -> int:
    """Runs `main(argv)` and turns what a user can put right into a message instead of a traceback.

    Args:
        main: takes the arguments without the program name, returns an exit code (None means 0).
        argv: defaults to the arguments of this process.

    Returns:
        The exit code to hand to `sys.exit`; 141 where nobody reads the output any more (`... | head`), as other programs of
        the shell end then.
    """
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a character must not end a program
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _ending(main, sys.argv[1:] if argv is None else argv)
        _flush_output()  # here, not when the interpreter ends, where a reader that is gone can only be complained of
        return code
    except SystemExit:  # how argparse ends, after --help too
        try:
            _flush_output()
        except BrokenPipeError:
            _discard_output()
            return _UNHEARD
        raise
    except BrokenPipeError:
        if not _discard_output():
            raise
        return _UNHEARD


def _ending(main: Callable[[Sequence[str]], int | None], argv: Sequence[str]) -> int:
    try:
        return main(argv) or 0
    except UserError as error:
        print(f"error: {visible_lines(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _flush_output() -> None:
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def _discard_output() -> bool:
    """Points what has no reader to nowhere, so that its buffer can be emptied; False where both outputs are read."""
    unheard = [stream for stream in (sys.stdout, sys.stderr) if stream is not None and _is_unheard(stream)]
    for stream in unheard:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    return bool(unheard)


def _is_unheard(stream: TextIO) -> bool:
    try:
        stream.flush()
        poll = select.poll()  # what is not buffered can be flushed all the same
        poll.register(stream.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except BrokenPipeError:
        return True
    except (AttributeError, OSError):  # no `poll` on this system, no file behind this stream
        return False


def import_tensorflow() -> None:
    """Imports TensorFlow without what its C++ side writes to stderr meanwhile (no CUDA here, oneDNN is on, ...).

    Nor does it warn afterwards of functions that are traced again, which a program's user can do nothing about.
    Programs call this once their arguments are checked. An import that fails raises as ever.
    """
    with silenced_stderr():
        import tensorflow

        tensorflow.config.list_physical_devices()
    tensorflow.get_logger().addFilter(lambda record: "triggered tf.function retracing" not in record.getMessage())


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


def check_output(path: str | os.PathLike) -> Path:
    """Refuses, before anything slow, a file that could not be written.

    Raises:
        UserError: its folder does not exist or takes no files, or `path` is a folder or a device.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder. Expected the name of a file to write.")
        if path.exists() and not path.is_file():  # such as /dev/null, which the finished file would replace
            raise UserError(f"{path} is no ordinary file. Expected the name of a file to write.")
        if not path.parent.is_dir():
            raise UserError(f"The folder {path.parent} does not exist.")
        # Permissions do not tell: root may write everywhere, but not in /proc. The name is as long as that of `atomic_path`.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.stem}-", suffix=f".partial{path.suffix}"):
            pass
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error
    return path
