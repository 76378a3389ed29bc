"""The metrics by name: which file computes "fid5k_full" or "ppl_wend", and what the parts of such a name mean."""

import dataclasses
import importlib
import re

from stylegan_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric as named.

    Attributes:
        name: in full, such as "fid50k_full".
        module: file of `metrics` with `score(bench, metric) -> Score`.
        num_images: images (pairs for path lengths) to draw.
        is_full: against each real image once, instead of as many as are drawn.
        variant: what else the name says: k of precision and recall, space and sampling of path lengths.
    """

    name: str
    module: str
    num_images: int
    is_full: bool = False
    variant: str = ""

    @property
    def value_names(self) -> tuple[str, ...]:
        """Names of the values that `score` gives, the main one first."""
        parts = _VALUES.get(self.module)
        return tuple(f"{self.name}_{part}" for part in parts) if parts else (self.name,)

    def score(self, bench):
        """Computes it; see metrics/bench.py."""
        return importlib.import_module(f"metrics.{self.module}").score(bench, self)


@dataclasses.dataclass(frozen=True)
class _Family:
    """Names of one metric: a pattern, the file, and the number where the name has none."""

    pattern: str
    module: str
    default_num: int
    example: str
    what: str


# What metrics of several values call them, behind the metric's own name; the others give one value under that name.
_VALUES = {
    "precision_recall": ("precision", "recall", "density", "coverage"),
    "linear_separability": ("z", "w"),
    "nearest_neighbours": ("features", "pixels"),
}
MIN_IMAGES = 10
MAX_IMAGES = 10_000_000  # 200 times the original's: more is a slip of the finger
_NUMBER = r"(?P<num>\d{1,20}k?)?"
FAMILIES = (
    _Family(rf"fid{_NUMBER}(?P<full>_full)?", "frechet_inception_distance", 50_000, "fid50k, fid50k_full, fid5k",
            "Fréchet Inception distance; _full: against each real image once"),
    _Family(rf"kid{_NUMBER}(?P<full>_full)?", "kernel_inception_distance", 50_000, "kid50k_full, kid5k", "Kernel Inception distance"),
    _Family(rf"is{_NUMBER}(?P<variant>_labels)?", "inception_score", 50_000, "is50k, is50k_labels",
            "Inception Score; _labels: by a classifier trained on the dataset's labels"),
    _Family(rf"pr{_NUMBER}_?(?P<variant>\d{{0,20}})(?P<full>_full)?", "precision_recall", 50_000, "pr50k3, pr5k_3_full",
            "improved precision and recall, density and coverage, k nearest neighbours (3)"),
    _Family(rf"ppl{_NUMBER}_(?P<variant>[zw](full|end))", "perceptual_path_length", 100_000, "ppl_zfull, ppl_wfull, ppl_zend, ppl_wend",
            "perceptual path length in z or w"),
    _Family(rf"ls{_NUMBER}", "linear_separability", 200_000, "ls", "linear separability in z and w"),
    _Family(rf"memorisation{_NUMBER}", "nearest_neighbours", 1_000, "memorisation, nn",
            "nearest training images, as a figure and as a test"),
)  # fmt: skip
_ALIASES = {"fid": "fid50k", "kid": "kid50k_full", "is": "is50k", "is_labels": "is50k_labels", "pr": "pr50k3", "nn": "memorisation"}


def parse(name: str, num_images: int | None = None) -> Metric:
    """The metric of a name.

    Args:
        name: such as "fid50k"; see `FAMILIES`.
        num_images: replaces the number of the name, and becomes part of it.

    Raises:
        UserError: unknown; the message lists what there is.
    """
    asked = _ALIASES.get(name, name)
    for family in FAMILIES:
        match = re.fullmatch(family.pattern, asked)
        if match:
            return _from_match(family, match.groupdict(), num_images)
    known = "\n".join(f"  {family.example}: {family.what}" for family in FAMILIES)
    raise UserError(f"There is no metric {name!r}. There are (with any number, such as fid500 or fid10k):\n{known}")


def parse_list(names: str, num_images: int | None = None) -> list[Metric]:
    """Metrics of a comma-separated list, each once."""
    metrics = [parse(name.strip(), num_images) for name in names.split(",") if name.strip()]
    if not metrics:
        raise UserError("No metric named. Example: fid50k,ppl_wfull")
    return list({metric.name: metric for metric in metrics}.values())


def _from_match(family: _Family, parts: dict, num_images: int | None) -> Metric:
    asked = _count(parts["num"]) if parts["num"] else family.default_num
    number = asked if num_images is None else num_images
    if not MIN_IMAGES <= number <= MAX_IMAGES:
        raise UserError(f"A score takes from {MIN_IMAGES} to {MAX_IMAGES:,} images. Received: {number}")
    is_full, variant = bool(parts.get("full")), parts.get("variant") or ""
    stem = family.module
    size = short_count(number)
    if stem == "precision_recall":
        if not variant and re.fullmatch(r"\d{3,}", parts["num"] or ""):
            raise UserError(f"pr{parts['num']} does not say where k begins. Write pr{number}_3 for {number} images and k = 3.")
        variant = variant or "3"
        if not 1 <= int(variant) < number:
            raise UserError(f"Precision and recall need k of 1 or more, and more than k images. Received: k = {variant}, {number} images")
        # Without a thousands sign k would run into the number: pr500_3, pr50k3.
        name = f"pr{size}{'' if size.endswith('k') else '_'}{variant}"
    elif stem == "perceptual_path_length":
        name = f"ppl{'' if number == family.default_num else size}_{variant}"
    elif stem in ("linear_separability", "nearest_neighbours"):
        name = ("ls" if stem == "linear_separability" else "memorisation") + ("" if number == family.default_num else size)
    else:
        name = re.match("[a-z]+", family.example)[0] + size + variant
    return Metric(name + ("_full" if is_full else ""), family.module, number, is_full, variant.removeprefix("_"))


def _count(text: str) -> int:
    return int(text[:-1]) * 1000 if text.endswith("k") else int(text)


def short_count(number: int) -> str:
    """50000 as "50k", 500 as "500"."""
    return f"{number // 1000}k" if number % 1000 == 0 and number else str(number)
