"""One finished score as a line of text and as a line of JSON."""

import dataclasses
import datetime
import json
import re
from collections.abc import Sequence

from metrics.intervals import LEVEL, Estimate
from metrics.options import Json
from stylegan_tf.display import visible
from stylegan_tf.progress_bar import format_sec

_LARGEST = 1e300  # of a number in a file


@dataclasses.dataclass(frozen=True)
class Result:
    """A score with everything that is needed to compare or to repeat it."""

    metric: str  # name in full, such as "fid50k"
    values: dict[str, Estimate]  # estimates by name, the main one first
    snapshot: str  # file name of the network, without ".pkl"
    nimg: int  # real images the network had seen
    protocol: dict[str, Json]  # every choice that the score depends on
    dataset: dict[str, Json]  # name, digest and number of images
    request: str  # key of the request; equal requests give equal scores.
    elapsed_sec: float
    # of the library and of TensorFlow, empty for results of earlier versions.
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    notes: Sequence[str] = ()  # sentences on what the values do not say
    classes: dict[str, float] = dataclasses.field(default_factory=dict)  # the main value for each class by name, of scores by class

    def text(self) -> str:
        """The original's line, with intervals, protocol and dataset behind it."""
        values = "  ".join(f"{name} {_number(estimate)}" for name, estimate in self.values.items())
        protocol = " ".join(f"{name}={_short(value)}" for name, value in self.protocol.items())
        dataset = f"data={self.dataset['name']}/{self.dataset['digest']}"
        versions = "".join(f" {name}={version}" for name, version in self.versions.items())
        classes = (
            "  | by class: " + ", ".join(f"{visible(name)} {value:.4g}" for name, value in self.classes.items()) if self.classes else ""
        )
        notes = "".join(f"  | note: {note}" for note in self.notes)
        return f"{self.snapshot:<32}time {format_sec(self.elapsed_sec):<12} {values}  | {protocol} {dataset}{versions}{classes}{notes}"

    def shown(self, meaning: str) -> list[str]:
        """Lines for a terminal: values and time, what they mean, notes. The files of the metric have the protocol."""
        values = "  ".join(f"{name} {_number(estimate)}" for name, estimate in self.values.items())
        below = [*([meaning] if meaning else []), *(f"note: {note}" for note in self.notes)]
        return [f"{self.snapshot}: {values}  ({format_sec(self.elapsed_sec)})", *(f"  {line}" for line in below)]

    def json(self) -> str:
        """One line; values are numbers as they are, not rounded."""
        line = dataclasses.asdict(self)
        line["level"] = LEVEL
        line["written"] = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        return json.dumps(line, default=str)

    @classmethod
    def from_json(cls, line: str | bytes) -> "Result":
        """The inverse of `json`.

        Raises:
            ValueError, KeyError, TypeError, AttributeError, RecursionError: not such a line.
        """
        fields = json.loads(line)
        fields["values"] = {name: Estimate(**estimate) for name, estimate in fields["values"].items()}
        result = cls(**{field.name: fields[field.name] for field in dataclasses.fields(cls) if field.name in fields})
        if not result._is_valid():
            raise ValueError("a field of another type")
        return result

    def _is_valid(self) -> bool:
        """Whether all fields have their types, and the values names that can be part of a file's name."""
        estimates = self.values.values()
        numbers = [self.nimg, self.elapsed_sec, *self.classes.values(), *(estimate.value for estimate in estimates)]
        numbers += [end for estimate in estimates if estimate.low is not None for end in (estimate.low, estimate.high)]
        texts = [
            self.metric,
            self.snapshot,
            self.request,
            self.dataset["name"],
            self.dataset["digest"],
            *self.notes,
            *self.versions.values(),
        ]
        are_numbers = all(type(number) in (int, float) and not abs(number) >= _LARGEST for number in numbers)
        are_names = all(re.fullmatch(r"[\w.-]{1,100}", name, re.ASCII) for name in (self.metric, *self.values))
        return (
            bool(self.values)
            and are_numbers
            and are_names
            and all(isinstance(text, str) for text in texts)
            and isinstance(self.protocol, dict)
        )


def _number(estimate: Estimate) -> str:
    """value [low, high]."""
    digits = 4 if abs(estimate.value) >= 0.1 else 6
    interval = "" if estimate.low is None else f" [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"
    return f"{estimate.value:.{digits}f}{interval}"


def _short(value: Json) -> str:
    """Without blanks, so that a line can be split."""
    return f"{value:g}" if isinstance(value, float) else str(value).replace(" ", "_")
