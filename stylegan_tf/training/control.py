"""Steering a run that goes on: control.json in the run folder, read at the end of every tick.

    {"G_lrate": 0.0005, "gamma": 20, "snapshot": true}

G_lrate, D_lrate and gamma hold from then on (null: the schedule's or the configuration's again); snapshot and stop are
done once and taken out of the file.
"""

import contextlib
import json
import math
from dataclasses import dataclass, field
from typing import Any

from stylegan_tf.training.run_dir import RunDir

FILE_NAME = "control.json"
VALUES = ("G_lrate", "D_lrate", "gamma")
ORDERS = ("snapshot", "stop")


@dataclass
class Control:
    """What control.json has asked for so far.

    Attributes:
        values: G_lrate, D_lrate and gamma where they are set.
        orders: "snapshot", "stop": asked for at the last look, and to be done now.
    """

    values: dict[str, float] = field(default_factory=dict)
    orders: set[str] = field(default_factory=set)

    def read(self, run_dir: RunDir) -> None:
        """Reads control.json where there is one; logs what has changed and what is refused."""
        self.orders = set()
        path = run_dir / FILE_NAME
        if not path.exists():
            return
        try:
            asked = json.loads(path.read_text(encoding="utf-8"))
            problem = _problem(asked)
        except (OSError, ValueError, OverflowError, RecursionError) as error:
            asked, problem = {}, f"it is not JSON of plain numbers ({error})"
        if problem:
            path.replace(run_dir / "control-refused.json")
            run_dir.log(f"{FILE_NAME} is refused: {problem}. It was moved to control-refused.json; nothing has changed.")
            return
        for name in VALUES:
            if name in asked and asked[name] != self.values.get(name):
                self._set(name, asked[name], run_dir)
        self.orders = {name for name in ORDERS if asked.get(name)}
        if self.orders:
            run_dir.log(f"{FILE_NAME}: {', '.join(sorted(self.orders))}")

    def settle(self, run_dir: RunDir) -> None:
        """Takes the orders out of control.json once the tick that obeys them is written: one that is cut off has them still."""
        path = run_dir / FILE_NAME
        with contextlib.suppress(OSError, ValueError):  # gone, or being edited: the next look tells
            asked = json.loads(path.read_text(encoding="utf-8")) if self.orders else {}
            if isinstance(asked, dict) and asked.keys() & self.orders:
                run_dir.write_json(FILE_NAME, {name: value for name, value in asked.items() if name not in self.orders})

    def _set(self, name: str, value: float | None, run_dir: RunDir) -> None:
        if value is None:
            del self.values[name]
            run_dir.log(f"{FILE_NAME}: {name} follows the configuration again")
        else:
            run_dir.log(f"{FILE_NAME}: {name} is {value:g} from here on (was {self.values.get(name, 'the configuration')})")
            self.values[name] = float(value)


def _problem(asked: Any) -> str | None:
    """What is wrong with the contents of control.json, None where they can be obeyed."""
    if not isinstance(asked, dict):
        return 'expected an object such as {"G_lrate": 0.0005, "snapshot": true}'
    for name, value in asked.items():
        if name in VALUES:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (is_number and math.isfinite(value) and value >= 0):
                return f"{name} must be a number from 0 on, or null. Received: {value!r}"
        elif name not in ORDERS:
            return f"unknown name {name!r}. Known: {', '.join((*VALUES, *ORDERS))}"
        elif not isinstance(value, bool):
            return f"{name} must be true or false. Received: {value!r}"
    return None
