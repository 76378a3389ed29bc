"""control.json in the run folder, read at the end of every tick: changes of learning rates and gamma, and commands.

    {"G_lrate": 0.0005, "gamma": 20, "snapshot": true}

G_lrate, D_lrate and gamma apply until they are changed again (null: the value of the schedule); the commands snapshot and stop are
executed once and removed from the file.
"""

import contextlib
import os
import time
from dataclasses import dataclass, field

from stylegan_tf.errors import UserError
from stylegan_tf.files import read_json
from stylegan_tf.training.devices import Workers
from stylegan_tf.training.run_dir import RunDir

FILE_NAME, REFUSED_NAME = "control.json", "control-refused.json"
MAX_BYTES = 1 << 16
LARGEST = 1e9  # float32 holds it and its square
VALUES = ("G_lrate", "D_lrate", "gamma")
COMMANDS = ("snapshot", "stop")


@dataclass
class Control:
    """The contents of control.json so far."""

    values: dict[str, float] = field(default_factory=dict)  # G_lrate, D_lrate and gamma, if they are set
    commands: set[str] = field(default_factory=set)  # "snapshot" and "stop", if they were in the file at the end of this tick
    _last_message: str = field(default="", init=False, repr=False, compare=False)

    def read(self, run_dir: RunDir) -> None:
        """Reads control.json if it exists. Logs every change; a file that is not valid is renamed and changes nothing."""
        self.commands = set()
        path = run_dir / FILE_NAME
        if not os.path.lexists(path):
            return
        try:
            content = read_json(path, MAX_BYTES)
            problem = _problem(content)
        except UserError as error:
            content, problem = {}, str(error).removesuffix(".")
        if problem:
            self._refuse(problem, run_dir)
            return
        for name in VALUES:
            if name in content and content[name] != self.values.get(name):
                self._set(name, content[name], run_dir)
        self.commands = {name for name in COMMANDS if content.get(name)}
        if self.commands:
            run_dir.log(f"{FILE_NAME}: {', '.join(sorted(self.commands))}")

    def read_on_all(self, run_dir: RunDir, workers: Workers) -> None:
        """The chief reads control.json, and all workers apply its contents."""
        if workers.is_chief:
            self.read(run_dir)
        if workers.is_single:
            return
        sent = [0.0] * (2 * len(VALUES) + len(COMMANDS))
        if workers.is_chief:
            values = [(float(name in self.values), self.values.get(name, 0.0)) for name in VALUES]
            sent = [number for pair in values for number in pair] + [float(name in self.commands) for name in COMMANDS]
        received = workers.sum(sent)
        self.values = {name: received[2 * i + 1] for i, name in enumerate(VALUES) if received[2 * i]}
        self.commands = {name for i, name in enumerate(COMMANDS) if received[2 * len(VALUES) + i]}

    def remove_commands(self, run_dir: RunDir) -> None:
        """Removes the executed commands from control.json. Called after the tick is written: a killed run executes them when resumed."""
        path = run_dir / FILE_NAME
        with contextlib.suppress(OSError, UserError):  # deleted or being edited: it is read again at the next tick
            content = read_json(path, MAX_BYTES) if self.commands else {}
            if isinstance(content, dict) and content.keys() & self.commands:
                run_dir.write_json(FILE_NAME, {name: value for name, value in content.items() if name not in self.commands})

    def _refuse(self, problem: str, run_dir: RunDir) -> None:
        """Renames a file that is not valid, or ignores it if that is not possible; training continues."""
        path, refused = run_dir / FILE_NAME, run_dir / REFUSED_NAME
        result = f"It was renamed to {REFUSED_NAME}; nothing was changed."
        try:
            if refused.is_dir() and not refused.is_symlink():
                refused = run_dir / f"{refused.stem}-{time.time_ns()}.json"
            path.replace(refused)
        except OSError as error:
            result = f"It cannot be renamed ({error.strerror}) and is ignored."
        message = f"{FILE_NAME} is not valid: {problem}. {result}"
        if message != self._last_message:
            run_dir.log(message)
        self._last_message = message

    def _set(self, name: str, value: float | None, run_dir: RunDir) -> None:
        old = f"{self.values[name]:g}" if name in self.values else "the schedule's value"
        if value is None:
            del self.values[name]
        else:
            self.values[name] = float(value)
        new = f"{value:g}" if value is not None else "the schedule's value"
        run_dir.log(f"{FILE_NAME}: {name} changes from {old} to {new}")


def _problem(content: object) -> str | None:
    """What is wrong with the contents of control.json, None for valid ones."""
    if not isinstance(content, dict):
        return 'expected an object such as {"G_lrate": 0.0005, "snapshot": true}'
    for name, value in content.items():
        if name in VALUES:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (is_number and 0 <= value <= LARGEST):
                return f"{name} must be a number from 0 to {LARGEST:g}, or null. Received: {str(value)[:40]}"
        elif name not in COMMANDS:
            return f"unknown name {name[:40]!r}. Known: {', '.join((*VALUES, *COMMANDS))}"
        elif not isinstance(value, bool):
            return f"{name} must be true or false. Received: {str(value)[:40]}"
    return None
