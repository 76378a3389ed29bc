"""The argument parser of every program: errors in one line with what was probably meant, and values that begin with a minus sign."""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Sequence
from typing import NoReturn

from stylegan_tf.command_line import spelled
from stylegan_tf.display import say, visible_lines
from stylegan_tf.errors import did_you_mean


class Parser(argparse.ArgumentParser):
    """`argparse.ArgumentParser` whose errors are one line, without the usage, and name what was probably meant.

    Commands in `prog`, `description` and `epilog` are spelled as the user can type them, and examples keep their lines.
    """

    def __init__(self, *args, **options):
        options |= {name: spelled(options[name]) for name in ("prog", "description", "epilog") if options.get(name)}
        if "\n" in options.get("epilog", ""):
            options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **options)
        # Lists such as -1,0.5 are values, as -1 is for argparse.
        self._negative_number_matcher = re.compile(r"-\.?\d[\d.,e+-]*")

    def parse_known_args(self, args=None, namespace=None):
        """Parses arguments (~ is the home folder). Exits with 2 for options before the command, and for what the base class refuses."""
        args = [_with_home(argument) for argument in (sys.argv[1:] if args is None else args)]
        commands = list(self._commands())
        if commands and args and args[0].startswith("-") and args[0].split("=")[0] not in self._option_string_actions:
            command = next((argument for argument in args if argument in commands), "COMMAND")
            rest = shlex.join(argument for argument in args if argument != command)
            self.error(f"Options follow the command: {self._typed_prog()} {command} {rest}")
        return super().parse_known_args(args, namespace)

    def print_help(self, file=None) -> None:
        """Prints the help; `argparse` would hide that the output cannot be written."""
        if file is None:
            say(*self.format_help().rstrip("\n").split("\n"))
        else:
            super().print_help(file)

    def error(self, message: str) -> NoReturn:
        """Prints one line and exits with 2."""
        unknown = message.removeprefix("unrecognized arguments: ").split()
        if message.startswith("unrecognized arguments: ") and unknown[0].startswith("-"):
            name = unknown[0].split("=")[0]
            options = self._all_options()
            known = f" It is an option of {', '.join(options[name])}." if name in options else did_you_mean(name, options)
            message = f"Unknown option {name}.{known}"
        elif message.startswith("unrecognized arguments: "):
            message = f"Not expected here: {' '.join(unknown)}. Values that contain spaces or braces need quotes."
        see = f"All options: {self._typed_prog()} --help"
        self.exit(2, f"error: {visible_lines(message)}{'' if message.endswith(('.', '?', '!')) else '.'} {see}\n")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            known = list(map(str, action.choices))
            name = "command" if isinstance(action, argparse._SubParsersAction) else "/".join(action.option_strings) or action.dest
            raise argparse.ArgumentError(
                None, f"Unknown {name} {str(value)!r}.{did_you_mean(str(value), known)} Known: {', '.join(known)}."
            )

    def _typed_prog(self) -> str:
        """The program as a user types it."""
        return f"python {self.prog}" if ".py" in self.prog.split()[0] else self.prog

    def _commands(self) -> Sequence[str]:
        found = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        return list(found[0].choices) if found else []

    def _all_options(self) -> dict[str, list[str]]:
        """Long options of this parser and of its commands, with the programs and commands that have them."""
        parsers: list[argparse.ArgumentParser] = [self]
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
        options: dict[str, list[str]] = {}
        for parser in parsers:
            for name in filter(lambda name: name.startswith("--"), parser._option_string_actions):
                options.setdefault(name, []).append(parser.prog)
        return options


def _with_home(argument: str) -> str:
    """The argument with the home folder in place of a leading ~, which shells leave in --data=~/photos and data.path=~/photos."""
    start = re.match(r"(--[\w-]+=)?([\w.]+=)?(?=~)", argument)
    return start[0] + os.path.expanduser(argument[start.end() :]) if start else argument
