"""What a metric hands back: values with intervals, its own part of the protocol, and a picture where there is one."""

import dataclasses
from typing import Any

import numpy as np

from metrics.intervals import Estimate


@dataclasses.dataclass(frozen=True)
class Score:
    """What a metric found.

    Attributes:
        values: estimates by name, the main one first; names start with the metric's.
        protocol: choices of this metric alone, JSON values; the bench adds what is common to all.
        picture: uint8 [H, W, 3] to show beside the values, or None.
    """

    values: dict[str, Estimate]
    protocol: dict[str, Any]
    picture: np.ndarray | None = None
