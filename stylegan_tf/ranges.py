"""Ranges of settings, stated where a setting is declared: `fade_kimg: NotNegative = 600.0`."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

INFINITY = float("inf")
MAX_WIDTH = 1 << 24  # of a layer; the arrays in a file limit it further, since they cannot be larger than the file


@dataclass(frozen=True)
class Range:
    """Numbers from `least` to `most`; `is_open` excludes the ends named in it ("least", "most")."""

    least: float = -INFINITY
    most: float = INFINITY
    is_open: tuple[str, ...] = ()

    def problem(self, value: Any) -> str | None:
        """What is wrong with a number, None where it lies in the range. NaN lies in no range."""
        is_above = value > self.least if "least" in self.is_open else value >= self.least
        is_below = value < self.most if "most" in self.is_open else value <= self.most
        return None if is_above and is_below else f"must be {self}"

    def __str__(self) -> str:
        least, most = (f"{end:.10g}" for end in (self.least, self.most))
        if self.most == INFINITY:
            return f"above {least}" if "least" in self.is_open else f"at least {least}"
        return f"in [{least}, {most})" if "most" in self.is_open else f"from {least} to {most}"


@dataclass(frozen=True)
class PowerOfTwo:
    """Resolutions: powers of two from `least` to `most`."""

    least: int = 4
    most: int = 1024

    def problem(self, value: int) -> str | None:
        """What is wrong with a resolution, None where it is one."""
        is_power = value > 0 and value & (value - 1) == 0
        return None if is_power and self.least <= value <= self.most else f"must be a power of two from {self.least} to {self.most}"


@dataclass(frozen=True)
class Length:
    """Tuples of `least` to `most` entries."""

    least: int
    most: int

    def problem(self, value: tuple) -> str | None:
        """What is wrong with a tuple, None where it has a length of this range."""
        return None if self.least <= len(value) <= self.most else f"must have {self.least} to {self.most} entries"


Number = Annotated[float, Range(-1e9, 1e9)]  # finite, and of a size that float32 holds
Positive = Annotated[float, Range(0, is_open=("least",))]
NotNegative = Annotated[float, Range(0)]
Share = Annotated[float, Range(0, 1)]
PositiveShare = Annotated[float, Range(0, 1, is_open=("least",))]
Decay = Annotated[float, Range(0, 1, is_open=("most",))]
Count = Annotated[int, Range(1, MAX_WIDTH)]
CountOrZero = Annotated[int, Range(0, MAX_WIDTH)]
Seed = Annotated[int, Range(0, 2_000_000_000)]  # TensorFlow's stateless generators take int32
Resolution = Annotated[int, PowerOfTwo()]
Channels = Literal[1, 3, 4]  # grey, RGB, RGBA
