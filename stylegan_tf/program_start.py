"""The first steps of every program, before the imports that take time: Ctrl-C and errors of config.py give no traceback."""

import os
import signal
import sys
from collections.abc import Callable
from types import ModuleType

# What train.py and generate.py read from config.py.
_CONFIG_NAMES = {"PRESETS": dict, "preset": Callable, "RESULTS_DIR": str, "CPU_RESOLUTION": int, "GPU_RESOLUTION": int}
_CONFIG_NAMES |= {"PHOTOGRAPH_RESOLUTION": dict, "automatic": Callable}


def begin(*, needs_config: bool = False) -> None:
    """Handles Ctrl-C until `command_line.run` does; a program that needs config.py ends with 2 if the file has an error.

    SIGTERM (batch systems) and SIGHUP (a closed terminal) end the program like an error: partial results are removed.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not where the shell ignores it
        signal.signal(signal.SIGINT, exit_on_interrupt)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda number, _: sys.exit(128 + number))
    if needs_config:
        from importlib import import_module

        from stylegan_tf.display import visible_lines
        from stylegan_tf.errors import UserError

        try:
            loaded_config(lambda: import_module("config"))
        except UserError as error:
            print(f"error: {visible_lines(error)}", file=sys.stderr)
            sys.exit(2)


def exit_on_interrupt(*_: object) -> None:
    """Ends the process: there is nothing to remove yet."""
    os._exit(130)


def loaded_config(load: Callable[[], ModuleType]) -> ModuleType:
    """The presets that `load` imports.

    Raises:
        UserError: their code raises an error, or does not define what the programs need.
    """
    from stylegan_tf.errors import UserError, raised_in

    try:
        module = load()
    except UserError:
        raise
    except Exception as error:  # the file is the user's
        reason = error.msg if isinstance(error, SyntaxError) else error  # its text repeats the file
        raise UserError(f"{raised_in(error, 'config.py') or 'config.py'}: {type(error).__name__}: {reason}") from error
    wrong = [name for name, kind in _CONFIG_NAMES.items() if not isinstance(getattr(module, name, None), kind)]
    if wrong:
        raise UserError(
            f"{module.__file__} does not define {', '.join(wrong)} as the presets of stylegan-tf do. Begin the file with "
            "`from stylegan_tf.programs.config import *`. If it belongs to another program, use stylegan-tf in another folder."
        )
    return module
