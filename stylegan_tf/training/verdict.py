"""How a run is going, in plain words, and the rule behind the words."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple

from stylegan_tf.training.best import BestValue

WINDOW = 5  # ticks, or measurements, that a judgement looks back
LOST_SIGN = 0.95  # mean sign of the logits from which D tells reals from fakes without fail
RISE = 1.5  # growth of G's loss, against the window before, that goes with a collapse
POOR_DIVERSITY = 0.25  # spread of the fakes against that of the reals
SMALL_GAIN = 0.02  # share by which the best score must improve to count
WORSE = 0.10  # share above the best score that three measurements in a row must lie
NOISE = 1e-3  # and at least so much: KID goes through 0


class Verdict(NamedTuple):
    """A judgement in one word, the sentence, and the rule that led to it."""

    word: str
    sentence: str
    rule: str


def judge(ticks: Sequence[dict[str, Any]], metric: BestValue | None, scores: Sequence[tuple[float, float]]) -> Verdict:
    """Judges a run.

    Args:
        ticks: records of stats.jsonl, oldest first.
        metric: the score that snapshots are compared by, None without one.
        scores: (kimg, value) of that metric, oldest first.
    """
    if len(ticks) < 2:
        return Verdict("starting", "Too early to say anything.", "fewer than 2 ticks")
    return _collapse(ticks) or _by_scores(metric, scores) or _by_logits(ticks)


def _collapse(ticks: Sequence[dict[str, Any]]) -> Verdict | None:
    diversity = ticks[-1].get("Pictures/diversity")
    if _is_number(diversity) and diversity < POOR_DIVERSITY and ticks[-1]["kimg"] > 0 and len(ticks) > WINDOW:
        return Verdict(
            "collapsing",
            "Different latents give nearly the same picture. Go back to an earlier snapshot; try a larger gamma or lower rates.",
            f"spread of the fakes {diversity:.2f} of that of the reals, below {POOR_DIVERSITY}",
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
            "D has won: it tells every picture, and G's loss climbs. Go back to an earlier snapshot; try a larger gamma or lower rates.",
            f"for {WINDOW} ticks signs beyond {LOST_SIGN}, and the loss of G up by more than {RISE} times",
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
            f"the last 3 scores more than {WORSE:.0%} worse than the best",
        )
    if len(values) > WINDOW:
        earlier = values[:-WINDOW]
        best_before = metric.best_of(earlier)
        gain = abs(best - best_before) / max(abs(best_before), 1e-9) if metric.is_better(best, best_before) else 0.0
        if gain < SMALL_GAIN:
            return Verdict(
                "plateau",
                f"{metric.name} has hardly moved: more of the same will bring little.",
                f"gain of the best score over {WINDOW} measurements below {SMALL_GAIN:.0%}",
            )
    return Verdict("improving", f"{metric.name} is still getting better. Go on.", f"none of the other rules, {len(values)} measurements")


def _by_logits(ticks: Sequence[dict[str, Any]]) -> Verdict:
    last = ticks[-1]
    if last["lod"] > 0:
        return Verdict("growing", "The network is still growing: judge it at full resolution.", f"lod {last['lod']:.2f} above 0")
    signs = [tick.get("Loss/signs/real") for tick in ticks[-WINDOW:]]
    if all(_is_number(sign) for sign in signs) and fmean(signs) > LOST_SIGN:
        return Verdict(
            "overfitting",
            "D knows nearly all training images by heart: G gets little to learn from. More data or mirroring helps; measure a metric.",
            f"mean sign of the real logits above {LOST_SIGN} over {WINDOW} ticks, no metric measured",
        )
    return Verdict("improving", "Losses and logits are in balance. Look at the pictures, or measure a metric (--metrics).",
                   "none of the other rules, no metric measured")  # fmt: skip


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
