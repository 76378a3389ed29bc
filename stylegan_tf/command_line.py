"""Start and end of every program: exit codes 0 done, 2 bad input, 130 interrupted, 141 output closed; checks of output files."""

import contextlib
import os
import re
import select
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TextIO

from stylegan_tf import import_keras
from stylegan_tf.display import visible_lines
from stylegan_tf.errors import UserError, raised_in
from stylegan_tf.program_start import exit_on_interrupt

LINE_SEC = 5.0  # between two lines of progress in a pipe
_OUTPUT_CLOSED = 128 + 13  # the shell's exit code of programs that SIGPIPE ended

is_installed = False  # set by the command `stylegan-tf`
_INSTALLED = {"dataset_tool.py": "stylegan-tf dataset", "train.py": "stylegan-tf train", "generate.py": "stylegan-tf generate",
              "-m metrics": "stylegan-tf metrics"}  # fmt: skip


def spelled(text: str) -> str:
    """The text with commands as the user can type them: `python train.py` becomes `stylegan-tf train` in an installed package."""
    if not is_installed:
        return text
    return re.sub(r"(?:python )?(?<![\w/])(dataset_tool\.py|train\.py|generate\.py|-m metrics)", lambda match: _INSTALLED[match[1]], text)


def run(main: Callable[[Sequence[str]], int | None], argv: Sequence[str] | None = None) -> int:
    """Runs `main(argv)` and turns errors that a user can correct into a message instead of a traceback.

    Args:
        main: takes the arguments without the program name, returns an exit code (None means 0).
        argv: defaults to the arguments of this process.

    Returns:
        The exit code to hand to `sys.exit`; 141 where nobody reads the output any more (`... | head`), as other programs of
        the shell end then.
    """
    _open_closed_streams()
    if signal.getsignal(signal.SIGINT) is exit_on_interrupt:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what was begun is ended in order from here on
    for stream in (sys.stdout, sys.stderr):  # a terminal that cannot show a character must not end a program
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _ending(main, sys.argv[1:] if argv is None else argv)
        _flush_output()  # not when the interpreter ends: an error about a closed output could not be handled there
        return code
    except SystemExit:  # how argparse ends, after --help too
        try:
            _flush_output()
        except BrokenPipeError:
            _discard_output()
            return _OUTPUT_CLOSED
        except OSError as error:
            return _cannot_write_output(error)
        raise
    except BrokenPipeError:
        if not _discard_output():
            raise
        return _OUTPUT_CLOSED
    except OSError as error:
        return _cannot_write_output(error)


def _ending(main: Callable[[Sequence[str]], int | None], argv: Sequence[str]) -> int:
    try:
        return main(argv) or 0
    except UserError as error:
        first, *further = error.lines or ("",)
        print_to_stderr(f"error: {first}", *further)
        return 2
    except BrokenPipeError:
        raise
    except OSError as error:  # a file that cannot be read or written: a full disk, missing permission
        if error.filename == "<stdout>":
            raise
        place = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
        print_to_stderr(f"error: {place}{error.strerror or error}.")
        return 2
    except KeyboardInterrupt:
        print_to_stderr("interrupted")
        return 130
    except Exception as error:
        place = raised_in(error, "config.py")
        if place is None:
            raise
        print_to_stderr(f"error: {place}: {type(error).__name__}: {error}")
        return 2


def print_to_stderr(*lines: str) -> None:
    """Prints lines at once, as `display.say` does; if stderr cannot be written (a full disk), all later output to it is dropped."""
    try:
        print(visible_lines(*lines), file=sys.stderr, flush=True)
    except BrokenPipeError:
        raise
    except OSError:
        redirect_to_nowhere(sys.stderr)


def _open_closed_streams() -> None:
    """Connects closed outputs to /dev/null: otherwise the next file that is opened would receive what is written to them."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is not None:
            continue
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
        setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  until the program ends


def _cannot_write_output(error: OSError) -> int:
    redirect_to_nowhere(sys.stdout)
    print_to_stderr(f"error: The output cannot be written: {error.strerror or error}.")
    return 2


def _flush_output() -> None:
    if sys.stdout is not None and not sys.stdout.closed:
        sys.stdout.flush()


def _discard_output() -> bool:
    """Redirects outputs without a reader to /dev/null, so that their buffers can be flushed; False where both outputs have one."""
    unusable = [stream for stream in (sys.stdout, sys.stderr) if stream is not None and _is_unusable(stream)]
    for stream in unusable:
        redirect_to_nowhere(stream)
    return bool(unusable)


def redirect_to_nowhere(stream: TextIO) -> None:
    """Connects an output to /dev/null, so that later lines and the text in its buffer raise no more errors."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _is_unusable(stream: TextIO) -> bool:
    try:
        stream.flush()
        poll = select.poll()  # flushing an empty buffer succeeds even without a reader
        poll.register(stream.fileno(), 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))
    except BrokenPipeError:
        return True
    except (AttributeError, OSError):  # no `poll` on this system, no file behind this stream
        return False


def import_tensorflow() -> None:
    """Imports TensorFlow without the messages that its C++ code writes to stderr (no CUDA drivers, oneDNN is on, ...).

    TensorFlow's warnings of repeated tracing are suppressed as well, because a program's user cannot change that. Settings of
    Keras that belong to other programs (keras.json, KERAS_MAX_EPOCHS and others) have no effect. Programs call this when their
    arguments have been checked. An import that fails raises its own exception.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its errors reach us as exceptions
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # else the first program on a GPU holds all of its memory
    _shorten_compilation()
    with silenced_stderr() as stderr, _lines_of_progress(stderr):
        for name in [name for name in os.environ if name.startswith("KERAS_") and name != "KERAS_BACKEND"]:
            del os.environ[name]
        import_keras()
        import tensorflow

        tensorflow.config.list_physical_devices()
    tensorflow.get_logger().addFilter(lambda record: "triggered tf.function retracing" not in record.getMessage())


def _shorten_compilation() -> None:
    """Lets XLA try fewer kernels on GPUs, unless the user chose: a step at 256x256 took 140 s to compile, and longer otherwise."""
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_gpu_autotune_level" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_autotune_level=2".strip()


@contextlib.contextmanager
def _lines_of_progress(stderr: int) -> Iterator[None]:
    """Writes a line every 5 seconds: on a busy machine the import takes that long, and `progress_bar` writes to what is silenced."""
    ended, start = threading.Event(), time.monotonic()

    def write() -> None:
        with contextlib.suppress(OSError):
            while not ended.wait(LINE_SEC):
                os.write(stderr, f"Importing TensorFlow: {time.monotonic() - start:.0f}s\n".encode())

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def silenced_stderr() -> Iterator[int]:
    """Redirects file descriptor 2 to /dev/null: output of C++ code does not pass through sys.stderr. Gives a copy of the descriptor."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield kept
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def check_output(path: str | os.PathLike) -> Path:
    """Refuses a file that cannot be written, before slow work begins.

    Raises:
        UserError: its folder does not exist or is not writable, or `path` is a folder or a device.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder. Expected the name of a file to write.")
        if path.exists() and not path.is_file():  # such as /dev/null, which the finished file would replace
            raise UserError(f"{path} is not a regular file. Expected the name of a file to write.")
        if not path.parent.is_dir():
            raise UserError(f"The folder {path.parent} does not exist.")
        # Permissions are not enough: root may write everywhere, but not in /proc. The name is as long as that of `atomic_path`.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.stem}-", suffix=f".partial{path.suffix}"):
            pass
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}.") from error
    return path
