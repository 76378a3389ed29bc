"""Lists of numbers as people type them: seeds "85,265,297-305", layers "0-3", psis "1,0.7,0"."""

import math
import re

from stylegan_tf.errors import UserError

MAX_SEED = 2**32 - 1  # what NumPy's RandomState takes
MAX_COUNT = 1_000_000


def parse_seeds(text: str) -> list[int]:
    """Seeds in the order given, ranges included at both ends: "85,297-299" is [85, 297, 298, 299].

    Raises:
        UserError: not such a list, empty, a range that runs backwards, or a seed beyond 2^32 - 1.
    """
    seeds = _parse_ranges(text, "seeds", "85,265,297-305")
    if max(seeds) > MAX_SEED:
        raise UserError(f"Seeds go from 0 to {MAX_SEED}. Received: {max(seeds)}")
    return seeds


def parse_layers(text: str, num_layers: int | None = None) -> list[int]:
    """Layers, counted from 0 at 4x4: "0-3" is [0, 1, 2, 3].

    Args:
        text: numbers and ranges.
        num_layers: where it is known, layers from it on are refused.
    """
    layers = sorted(set(_parse_ranges(text, "layers", "0-3")))
    if num_layers is not None and layers[-1] >= num_layers:
        raise UserError(f"The network has layers 0 to {num_layers - 1}. Received: {text}")
    return layers


def parse_numbers(text: str, what: str = "numbers") -> list[float]:
    """Finite numbers: "1,0.7,-0.5" is [1.0, 0.7, -0.5]."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"{what} must be numbers with commas between them, such as 1,0.7,-0.5. Received: {text!r}") from None
    if not all(math.isfinite(number) for number in numbers):
        raise UserError(f"{what} must be finite. Received: {text!r}")
    return numbers


def parse_grid(text: str) -> tuple[int, int]:
    """Columns and rows: "4x2" is (4, 2)."""
    match = re.fullmatch(r"(\d{1,3})x(\d{1,3})", text)
    if match is None or not int(match[1]) or not int(match[2]):
        raise UserError(f"A grid is columns x rows, such as 4x2. Received: {text!r}")
    return int(match[1]), int(match[2])


def _parse_ranges(text: str, what: str, example: str) -> list[int]:
    numbers = []
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\d{1,12})(?:-(\d{1,12}))?", part)
        if match is None:
            raise UserError(f"{what} must look like {example}. Received: {text!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UserError(f"The range {part} of {what} runs backwards and is empty. Received: {text!r}")
        if len(numbers) + last - first >= MAX_COUNT:
            raise UserError(f"At most {MAX_COUNT:,} {what} at a time. Received: {text!r}")
        numbers.extend(range(first, last + 1))
    return numbers
