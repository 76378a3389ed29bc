"""The verdict on a run, one word and a sentence, with the rule behind it."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from stylegan_tf.training.best import BestValue
from stylegan_tf.training.records import Record

WINDOW = 5  # number of recent ticks, or of recent scores, that a rule uses
LOST_SIGN = 0.95  # mean sign of the logits above which D distinguishes nearly all reals from fakes
RISE = 1.5  # ratio of G's loss to that of the previous window, in a collapse
POOR_DIVERSITY = 0.25  # diversity of the fakes, relative to the reals
SMALL_GAIN = 0.02  # smallest relative improvement of the best score that counts
WORSE = 0.10  # relative distance from the best score that three scores in a row must exceed
NOISE = 1e-3  # and at least this distance: KID can be 0


class Verdict(NamedTuple):
    """The word, a sentence, and the rule that applied."""

    word: str
    sentence: str
    rule: str


def assess(ticks: Sequence[Record], metric: BestValue | None, scores: Sequence[tuple[float, float]]) -> Verdict:
    """The verdict on a run.

    Args:
        ticks: records of stats.jsonl, oldest first.
        metric: the score by which snapshots are compared, None without scores.
        scores: (kimg, value) of that metric, oldest first.
    """
    if len(ticks) < 2:
        return Verdict("starting", "Too early for a verdict.", "fewer than 2 ticks")
    return _collapse(ticks) or _by_scores(metric, scores) or _by_logits(ticks)


def _collapse(ticks: Sequence[Record]) -> Verdict | None:
    diversity = ticks[-1].get("Pictures/diversity")
    if _is_number(diversity) and diversity < POOR_DIVERSITY and ticks[-1]["kimg"] > 0 and len(ticks) > WINDOW:
        return Verdict(
            "collapsing",
            "Different latents give nearly the same image. Use an earlier snapshot; try a larger gamma or lower learning rates.",
            f"diversity of the fakes {diversity:.2f} (reals: 1), below {POOR_DIVERSITY}",
        )
    recent, before = ticks[-WINDOW:], ticks[-2 * WINDOW : -WINDOW]
    signs = [(tick.get("Loss/signs/real"), tick.get("Loss/signs/fake")) for tick in recent]
    losses = [[tick.get("Loss/G") for tick in part] for part in (before, recent)]
    if len(before) < WINDOW or not all(_is_number(value) for value in [*sum(signs, ()), *losses[0], *losses[1]]):
        return None
    is_lost = all(real > LOST_SIGN and fake < -LOST_SIGN for real, fake in signs)
    if is_lost and fmean(losses[1]) > RISE * fmean(losses[0]):
        return Verdict(
            "collapsing",
            "D classifies every image correctly, and the loss of G rises. Use an earlier snapshot; "
            "try a larger gamma or lower learning rates.",
            f"mean signs beyond {LOST_SIGN} for {WINDOW} ticks, and a loss of G above {RISE} times that of the {WINDOW} ticks before",
        )
    return None


def _by_scores(metric: BestValue | None, scores: Sequence[tuple[float, float]]) -> Verdict | None:
    if metric is None or len(scores) < 3:
        return None
    values = [value for _, value in scores]
    best = metric.best_of(values)
    best_at = values.index(best)
    since = len(values) - 1 - best_at
    margin = max(WORSE * abs(best), NOISE)
    limit = best + margin if metric.lower_is_better else best - margin
    if since >= 3 and all(metric.is_better(limit, value) for value in values[-3:]):
        return Verdict(
            "overfitting",
            f"{metric.name} was best at kimg {scores[best_at][0]:.0f} and has become worse since. Use the best snapshot; "
            "more data or mirroring helps.",
            f"the last 3 scores are more than {WORSE:.0%} worse than the best",
        )
    if len(values) > WINDOW:
        earlier = values[:-WINDOW]
        best_before = metric.best_of(earlier)
        gain = abs(best - best_before) / max(abs(best_before), 1e-9) if metric.is_better(best, best_before) else 0.0
        if gain < SMALL_GAIN:
            return Verdict(
                "plateau",
                f"{metric.name} has hardly improved; longer training is unlikely to help.",
                f"the best score improved by less than {SMALL_GAIN:.0%} over {WINDOW} scores",
            )
    return Verdict("improving", f"{metric.name} is still improving. Continue training.", f"no warning applied; {len(values)} scores")


def _by_logits(ticks: Sequence[Record]) -> Verdict:
    last = ticks[-1]
    if last["lod"] > 0:
        return Verdict("growing", "The networks are still growing. Evaluate them at full resolution.", f"lod {last['lod']:.2f} is above 0")
    signs = [tick.get("Loss/signs/real") for tick in ticks[-WINDOW:]]
    if all(_is_number(sign) for sign in signs) and fmean(signs) > LOST_SIGN:
        return Verdict(
            "overfitting",
            "D has memorised nearly all training images and gives G little to learn from. More data or mirroring helps; "
            "compute a score (--metrics).",
            f"mean sign of the real logits above {LOST_SIGN} over {WINDOW} ticks; no score computed",
        )
    return Verdict("improving", "Losses and logits are balanced. Check the picture grids, or compute a score (--metrics).",
                   "no warning applied; no score computed yet")  # fmt: skip


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
