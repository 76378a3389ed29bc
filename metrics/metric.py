"""The base class of metrics: name, requirements, values with the better direction of each, and computation."""

import abc
import dataclasses
import enum
import re
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from metrics.intervals import Estimate
from metrics.options import Json, Options
from stylegan_tf.errors import UserError

if TYPE_CHECKING:
    from metrics.bench import Bench
    from metrics.generated import Worker
    from metrics.image_sets import ImageSet
    from metrics.real_images import RealSelection

MIN_IMAGES = 10
MAX_IMAGES = 10_000_000  # 200 times the original's number: more is a typing error
_NUMBER = r"(?P<number>\d{1,20}k?)?"


class Need(enum.Enum):
    """A requirement of a metric; the value is its name in messages."""

    REALS = "real images"
    FEATURES = "Inception features"
    LOGITS = "Inception logits"
    LPIPS = "LPIPS"
    STYLES = "a generator with styles"
    LABELS = "labels or a classifier"
    CLASSES = "class labels"
    CONDITIONAL = "images of requested classes"
    DISCRIMINATOR = "a discriminator"


@dataclasses.dataclass(frozen=True)
class Value:
    """One number of the result of a metric."""

    part: str = ""  # appended to the name of the metric; "" for the value that has the metric's own name
    lower_is_better: bool | None = True  # None if neither direction is better


@dataclasses.dataclass(frozen=True)
class Score:
    """The result of a metric."""

    values: dict[str, Estimate]  # estimates by name, in the order of `Metric.value_names`
    protocol: dict[str, Json]  # choices of this metric only; those that all metrics share are in `Bench.common_protocol`
    picture: np.ndarray | None = None  # uint8 [H, W, C] to save beside the values, or None
    charts: dict[str, str] = dataclasses.field(default_factory=dict)  # SVG files to save beside the values, by name
    notes: tuple[str, ...] = ()  # sentences on the limits of the values
    classes: dict[str, float] = dataclasses.field(default_factory=dict)  # scores by class: the value of each class by name


@dataclasses.dataclass(frozen=True)
class Metric(abc.ABC):
    """A metric with its parameters, such as fid5k_full.

    A name consists of `stem`, a number of images, `suffix`, and "_full" if the metric has this form. A subclass sets the class
    attributes below and defines `score`. Other parameters are fields of the subclass: `suffix` returns them as a part of the
    name, and `parameters` reads them from a name.
    """

    num_images: int  # generated images (pairs for path lengths)
    is_full: bool = False  # each real image counts once, instead of as many real images as generated ones

    stem: ClassVar[str]  # first part of the name
    suffix_pattern: ClassVar[str] = ""  # regular expression of `suffix`; its groups are arguments of `parameters`
    has_full: ClassVar[bool] = False  # whether there is a form that ends in "_full"
    default_images: ClassVar[int] = 50_000  # if the name has no number
    is_default_named: ClassVar[bool] = True  # whether the name shows the default number ("fid50k", but "ls")
    min_images: ClassVar[int] = MIN_IMAGES
    least_reals: ClassVar[int] = 1  # different real images
    aliases: ClassVar[dict[str, str]] = {}  # other spellings of a name
    examples: ClassVar[str]  # names, for lists and messages
    summary: ClassVar[str]
    protocol_summary: ClassVar[str]
    scale: ClassVar[str] = ""  # meaning of the values, for a line below a score
    needs: ClassVar[frozenset[Need]]  # what must be available
    values: ClassVar[tuple[Value, ...]] = (Value(),)  # the numbers of a result, the main one first
    uses_held_out: ClassVar[bool] = False  # whether held-out images are compared as well

    @abc.abstractmethod
    def score(self, bench: "Bench") -> Score:
        """Computes the metric for the network and the dataset of a bench."""

    @property
    def suffix(self) -> str:
        """The part of the name after the number."""
        return ""

    @property
    def name(self) -> str:
        """The whole name; two metrics with the same name are equal."""
        is_shown = self.is_default_named or self.num_images != self.default_images
        return self.stem + (short_count(self.num_images) if is_shown else "") + self.suffix + ("_full" if self.is_full else "")

    @property
    def value_names(self) -> tuple[str, ...]:
        """Names of the values of a result, the main one first."""
        return tuple(f"{self.name}_{value.part}" if value.part else self.name for value in self.values)

    def request(self, bench: "Bench") -> dict[str, Json]:
        """What the score depends on besides name, dataset, options and common protocol."""
        return {}

    def least_images(self, bench: "Bench") -> int:
        """Least number of images for the network of a bench."""
        return self.min_images

    def check_options(self, options: Options) -> None:  # noqa: B027 - most metrics need no option
        """Raises UserError if a file that the metric needs is missing from the options; called before any work."""

    def check_reals(self, dataset: "ImageSet", held_out: "ImageSet | None") -> None:
        """Raises UserError if there are too few real images for the metric."""
        for images in (dataset, held_out if self.uses_held_out else None):
            if images is not None and images.num_images < self.least_reals:
                raise UserError(f"{self.name} needs {self.least_reals} real images or more. {images.path} has {images.num_images}.")

    def check_size(self, bench: "Bench") -> None:
        """Raises UserError if the metric cannot be computed for this network with this number of images."""
        from metrics.sources import check_asked_classes, check_classes  # not for --help: data take a while to import

        if Need.REALS in self.needs:
            self.check_reals(bench.dataset, bench.held_out)
        if Need.CLASSES in self.needs:
            check_classes(bench.dataset)
        if Need.CONDITIONAL in self.needs:
            check_asked_classes(bench.scored, bench.label_size, bench.dataset)
        if self.num_images < self.least_images(bench):
            raise UserError(f"{self.name}: a network of this width needs --num-images {self.least_images(bench)} or more for this score.")
        if self.num_images > bench.num_available:
            raise UserError(f"{self.name} needs {self.num_images:,} images, {bench.scored.source} has {bench.num_available:,}.")

    def num_passes(self, bench: "Bench") -> dict[str, int]:
        """Number of images that pass through the networks of the metric, by kind; stored features are not subtracted."""
        return {"generated": self.num_images * (2 if Need.LPIPS in self.needs else 1)}

    def meaning(self) -> str:
        """Meaning of the values, and the scores with which they can be compared, in one line."""
        directions = {value.lower_is_better for value in self.values}
        direction = {frozenset([True]): "lower is better", frozenset([False]): "higher is better"}.get(frozenset(directions))
        return "; ".join(filter(None, [direction, self.scale, f"compare only {self.name} with {self.name}"]))

    def run_batch(self, worker: "Worker", count: int) -> None:
        """Computes the slow part of the score for one batch of images; its time is used for estimates."""
        if Need.FEATURES in self.needs:
            worker.generated_features(0, count)
        else:
            for _, images in worker.generated.batches(0, count):
                images.numpy()

    @classmethod
    def parameters(cls, number: str | None, num_images: int, **suffix: str | None) -> dict[str, Json]:
        """Values of the fields that a subclass adds.

        Args:
            number: the number as written in the name; None if the name has no number.
            num_images: the number of images in use.
            suffix: groups of `suffix_pattern`.

        Raises:
            UserError: invalid parameters.
        """
        return {}

    @classmethod
    def parse(cls, name: str, num_images: int | None = None, available: int | None = None) -> "Metric | None":
        """The metric of a name, None for the name of another metric.

        Args:
            name: such as "fid50k".
            num_images: replaces the number in the name.
            available: number of available images; a name without a number then means all of them against all real images.

        Raises:
            UserError: a number outside the range, or invalid parameters.
        """
        full = "(?P<full>_full)?" if cls.has_full else "(?P<full>)"
        match = re.fullmatch(cls.stem + _NUMBER + cls.suffix_pattern + full, cls.aliases.get(name, name))
        if match is None:
            return None
        parts = match.groupdict()
        number, is_full = parts.pop("number"), bool(parts.pop("full"))
        if num_images is None and number is None and available is not None:
            num_images, is_full = available, cls.has_full
        elif num_images is None:
            num_images = int(number.replace("k", "000")) if number else cls.default_images
        if not cls.min_images <= num_images <= MAX_IMAGES:
            raise UserError(f"A score needs {cls.min_images} to {MAX_IMAGES:,} images. Received: {num_images}")
        return cls(num_images, is_full, **cls.parameters(number, num_images, **parts))

    @classmethod
    def cost(cls) -> str:
        """What is computed for each image and what is computed once, as text."""
        if Need.LPIPS in cls.needs:
            return "two generated images and their LPIPS"
        return "a generated image" + (" and a pass of Inception, once for all metrics" if Need.FEATURES in cls.needs else "")

    @classmethod
    def least(cls) -> str:
        """Least number of images, as text for a list of metrics."""
        return f"{cls.min_images:,} images or more"

    @classmethod
    def description(cls) -> str:
        """Three lines for a list of metrics."""
        directions = {True: "lower is better", False: "higher is better", None: "neither direction is better"}
        parts: dict[str, list[str]] = {}
        for value in cls.values:
            parts.setdefault(directions[value.lower_is_better], []).append(value.part)
        is_named = any(value.part for value in cls.values)
        values = [f"{', '.join(name or 'score' for name in names)}: {way}" if is_named else way for way, names in parts.items()]
        needs = ", ".join(need.value for need in Need if need in cls.needs)
        return (
            f"{cls.examples:44} {cls.summary}\n    {cls.protocol_summary}\n"
            f"    {'; '.join(values)}; needs {needs or 'generated images only'}; "
            f"{cls.least()}, {cls.default_images:,} by default; cost: {cls.cost()}"
        )


def short_count(number: int) -> str:
    """50000 as "50k", 500 as "500"."""
    return f"{number // 1000}k" if number % 1000 == 0 and number else str(number)


class AgainstReals(Metric):
    """A metric that compares generated and real features: as many real images as generated ones, or each real image once ("_full")."""

    has_full = True
    least_reals = 2
    needs = frozenset({Need.FEATURES, Need.REALS})
    repeats_reals: ClassVar[bool] = False  # whether a dataset is repeated if it has fewer images than are generated

    def select(self, bench: "Bench") -> "RealSelection":
        """The real images."""
        from metrics import real_images

        count = None if self.is_full else self.num_images
        options = {"is_mirrored": bench.is_mirrored, "seed": bench.options.seed, "repeat": self.repeats_reals}
        return real_images.select(bench.dataset.num_images, count, **options)

    def num_passes(self, bench: "Bench") -> dict[str, int]:
        return {**super().num_passes(bench), "real": len(self.select(bench).indices)}

    def check_size(self, bench: "Bench") -> None:
        super().check_size(bench)
        found = self.select(bench).num_distinct
        if found < self.least_reals:
            raise UserError(f"{self.name} needs {self.least_reals} real images or more. {bench.dataset.path} has {found}.")

    def shared_protocol(self, bench: "Bench", selection: "RealSelection") -> dict[str, Json]:
        """The part of the protocol that these metrics share."""
        return {
            **bench.feature_protocol(), "num_fakes": self.num_images, "num_reals": selection.total,
            "mirrored_reals": bench.is_mirrored, **selection.protocol,
        }  # fmt: skip

    def request(self, bench: "Bench") -> dict[str, Json]:
        return self.select(bench).protocol
