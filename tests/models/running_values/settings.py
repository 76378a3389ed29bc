"""Settings of the tiny model with a running value, for test_running_values.py."""

from dataclasses import dataclass
from typing import Literal

from tests.tiny_model import settings as tiny


@dataclass(frozen=True)
class Settings(tiny.Settings):
    """A run that trains the model."""

    model: Literal["running_values"] = "running_values"
