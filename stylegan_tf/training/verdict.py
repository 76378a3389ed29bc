"""The verdict on a run: a word, what it means, what to do, and the rule behind it."""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from stylegan_tf.training.best import BestValue
from stylegan_tf.training.records import Record

WINDOW = 5  # ticks of a trend, or recent scores, that a rule uses
FEW_TICKS = 3  # fewer do not show anything
SURE = 0.9  # mean sign of the logits above which D is right about nearly all images of one kind
FAR_AHEAD = 5.0  # mean loss of G above which its images hardly ever pass (logistic loss: D gives them a chance below 1 %)
NOT_PASSING = 0.85  # mean sign of the fakes' logits, negated: D rejects nearly all of them
POOR_DIVERSITY = 0.25  # diversity of the fakes, relative to the reals
RISING = 1.25  # growth of the diversity over a window of ticks above which G is still learning to make different images
WRECKED = 5.0  # mean loss of D in a tick that only steps much too large reach (1.4 for random output)
INFORMED = 0.4  # mean sign of the reals' logits below which the output of D is random, so that G's loss says nothing
TREND = 0.05  # smallest relative fall of G's loss between two windows that counts as a trend
MANY_EPOCHS = 30  # times that every image was shown, before D can have memorised it
KNOWN = 0.7  # mean sign of the reals' logits above which it has (adaptive augmentation aims at 0.6)
SMALL_GAIN = 0.02  # smallest relative improvement of the best score that counts
WORSE = 0.10  # relative distance from the best score that three scores in a row must exceed
NOISE = 1e-3  # and at least this distance: KID can be 0


class Verdict(NamedTuple):
    """The word, what it means, what to do about it, and the rule that applied."""

    word: str
    meaning: str
    advice: str
    rule: str


def assess(
    ticks: Sequence[Record],
    metric: BestValue | None,
    scores: Sequence[tuple[float, float]],
    *,
    total_kimg: float = math.inf,
    num_images: int | None = None,
) -> Verdict:
    """The verdict on a run: the first rule that applies.

    Args:
        ticks: records of stats.jsonl, oldest first.
        metric: the score by which snapshots are compared, None without scores.
        scores: (kimg, value) of that metric, oldest first.
        total_kimg: length of the run.
        num_images: of the dataset, None if not known.
    """
    if len(ticks) < FEW_TICKS:
        return _too_early(f"fewer than {FEW_TICKS} ticks")
    epochs = ticks[-1]["kimg"] * 1000 / num_images if num_images else 0.0
    by_scores = _by_scores(metric, scores)
    fault = _collapsed(ticks) or _unstable(ticks) or _discriminator_wins(ticks) or _scores_got_worse(metric, scores, ticks, epochs)
    # Scores are the better evidence: with 300 photographs, they improved for hundreds of epochs after D had memorised them.
    if not fault and (by_scores is None or by_scores.word != "improving"):
        fault = _memorises(ticks, epochs)
    if fault:
        return fault
    if ticks[-1]["kimg"] >= total_kimg:
        return _finished(metric, scores)
    if ticks[-1]["lod"] > 0:
        return _too_early(f"the networks are still growing (lod {ticks[-1]['lod']:.2f} is above 0)")
    return by_scores or _by_losses(ticks)


def _too_early(rule: str) -> Verdict:
    return Verdict("too early to tell", "Nothing is wrong so far.", "Continue training, and look at the image grids.", rule)


def _collapsed(ticks: Sequence[Record]) -> Verdict | None:
    """G makes one image."""
    recent = [tick.get("Pictures/diversity") for tick in ticks[-WINDOW - 1 :]]
    if len(ticks) <= WINDOW or not all(map(_is_number, recent)):
        return None
    advice = "Use an earlier snapshot. Start again with a larger loss.gamma or lower learning rates."
    if max(recent[-2:]) < POOR_DIVERSITY and recent[-1] <= RISING * recent[0]:
        rule = (
            f"diversity of the fakes {recent[-1]:.2f} (reals: 1), below {POOR_DIVERSITY} in two ticks; {recent[0]:.2f} {WINDOW} ticks ago"
        )
        return Verdict("G has collapsed", "Different latents give nearly the same image.", advice, rule)
    return None


def _unstable(ticks: Sequence[Record]) -> Verdict | None:
    """Steps so large that they destroy what was learned."""
    losses = {tick["tick"]: tick.get("Loss/D") for tick in ticks[-WINDOW:]}
    wrecked = [number for number, loss in losses.items() if _is_number(loss) and loss > WRECKED]
    if not wrecked:
        return None
    return Verdict(
        "unstable",
        "Single steps are so large that they destroy what the networks have learned.",
        "Use an earlier snapshot. Start again with lower learning rates or a larger loss.gamma.",
        f"the loss of D was {losses[wrecked[-1]]:.1f} in tick {wrecked[-1]} (above {WRECKED:g}; 1.4 is the loss of random guesses)",
    )


def _discriminator_wins(ticks: Sequence[Record]) -> Verdict | None:
    """D is right about nearly every image, and G cannot follow."""
    recent = ticks[-WINDOW:]
    real, fake, loss = _mean(recent, "Loss/signs/real"), _mean(recent, "Loss/signs/fake"), _mean(recent, "Loss/G")
    if len(ticks) < WINDOW or real is None or fake is None or loss is None:
        return None
    if real > SURE and fake < -NOT_PASSING and loss > FAR_AHEAD:
        return Verdict(
            "D is far ahead",
            "D classifies nearly every image correctly, so its gradients are of little use to G.",
            "Look at the image grids: if they do not improve, use an earlier snapshot and a larger loss.gamma or a smaller D_lrate.",
            f"over {len(recent)} ticks: mean sign of the logits {real:+.2f} for reals (above {SURE}) and {fake:+.2f} for fakes "
            f"(below -{NOT_PASSING}), mean loss of G {loss:.1f} (above {FAR_AHEAD:g})",
        )
    return None


def _memorises(ticks: Sequence[Record], epochs: float) -> Verdict | None:
    """D knows images that it was shown often."""
    real = _mean(ticks[-WINDOW:], "Loss/signs/real")
    if len(ticks) >= WINDOW and real is not None and real > KNOWN and epochs > MANY_EPOCHS:
        return Verdict(
            "memorising",
            "D has memorised the training images. Further training may still improve G, but only a score shows whether it does.",
            "Compare snapshots by a score (--metrics), and use the best one. More images, data.mirror, or --set augment.kind=ada help.",
            f"each image was shown {epochs:.0f} times (more than {MANY_EPOCHS}), and the mean sign of the reals' logits is {real:+.2f} "
            f"(above {KNOWN}) over {min(len(ticks), WINDOW)} ticks",
        )
    return None


def _scores_got_worse(
    metric: BestValue | None, scores: Sequence[tuple[float, float]], ticks: Sequence[Record], epochs: float
) -> Verdict | None:
    if metric is None or len(scores) < 4:
        return None
    values = [value for _, value in scores]
    best = metric.best_of(values)
    best_at = values.index(best)
    margin = max(WORSE * abs(best), NOISE)
    limit = best + margin if metric.lower_is_better else best - margin
    if best_at >= len(values) - 3 or not all(metric.is_better(limit, value) for value in values[-3:]):
        return None
    sign = _mean(ticks[-WINDOW:], "Loss/signs/real")
    is_memorising = epochs > MANY_EPOCHS and sign is not None and sign > KNOWN
    return Verdict(
        "memorising" if is_memorising else "past its best",
        f"{metric.name} was best at kimg {scores[best_at][0]:.0f} and has become worse since.",
        "Use the best snapshot. More images, data.mirror, or --set augment.kind=ada help."
        if is_memorising
        else "Use the best snapshot. A larger loss.gamma or lower learning rates may help.",
        f"the last 3 scores are more than {WORSE:.0%} worse than the best",
    )


def _finished(metric: BestValue | None, scores: Sequence[tuple[float, float]]) -> Verdict:
    verdict = _by_scores(metric, scores)
    if verdict is None:
        return Verdict(
            "finished",
            "The run has reached its full length. Without scores, it is not known whether longer training would help.",
            "Look at the image grids, or compute a score. Continue with --resume and a larger --total-kimg.",
            "all images of the schedule were shown; fewer than 3 scores",
        )
    advice = "Continue with --resume and a larger --total-kimg." if verdict.word == "improving" else verdict.advice
    return Verdict("finished", f"The run has reached its full length. {verdict.meaning}", advice, f"all images were shown; {verdict.rule}")


def _by_scores(metric: BestValue | None, scores: Sequence[tuple[float, float]]) -> Verdict | None:
    if metric is None or len(scores) < 3:
        return None
    values = [value for _, value in scores]
    best = metric.best_of(values)
    earlier = values[:-WINDOW] or values[:1]
    best_before = metric.best_of(earlier)
    gain = abs(best - best_before) if metric.is_better(best, best_before) else 0.0
    since = len(values) - len(earlier)
    if gain >= max(SMALL_GAIN * abs(best_before), NOISE):
        rule = f"the best {metric.name} improved from {best_before:.4g} to {best:.4g} over the last {since} scores"
        return Verdict("improving", f"{metric.name} is still improving.", "Continue training.", rule)
    if len(values) > WINDOW:
        rule = f"the best {metric.name} improved by less than {SMALL_GAIN:.0%} over the last {since} scores"
        advice = "Longer training is unlikely to help. Use the best snapshot."
        return Verdict("plateau", f"{metric.name} has hardly improved.", advice, rule)
    return None


def _by_losses(ticks: Sequence[Record]) -> Verdict:
    """Without scores: whether D recognises fewer of the fakes than it did."""
    full = [tick for tick in ticks if tick["lod"] == 0]
    if len(full) < WINDOW:
        return _too_early(f"{len(full)} ticks at full resolution, fewer than {WINDOW}; no score")
    before, after = full[-2 * WINDOW : -WINDOW] or full[:2], full[-min(WINDOW, len(full) - 2) :]
    names = ("Loss/G", "Loss/signs/fake")
    pairs = [(_mean(before, name), _mean(after, name)) for name in names]
    if all(value is not None for pair in pairs for value in pair):
        (loss_before, loss), (sign_before, sign) = pairs
        real = _mean(after, "Loss/signs/real")
        if loss < (1 - TREND) * loss_before and sign > sign_before and real is not None and real > INFORMED:
            return Verdict(
                "improving",
                "D recognises fewer of the generated images than before, at the same resolution.",
                "Continue training. A score (--metrics) would show it with more certainty.",
                f"between ticks {before[0]['tick']} and {after[-1]['tick']}, the mean loss of G fell from {loss_before:.2f} to {loss:.2f} "
                f"and the mean sign of the fakes' logits rose from {sign_before:+.2f} to {sign:+.2f}; reals: above {INFORMED}",
            )
    return Verdict(
        "too early to tell",
        "G and D are balanced, but their losses cannot show whether images improve.",
        "Look at the image grids, or compute a score (--metrics).",
        "no trend in G's loss; no other rule applied; fewer than 3 scores",
    )


def _mean(ticks: Sequence[Record], name: str) -> float | None:
    """Mean of a statistic over ticks, None where it is missing in one of them."""
    values = [tick.get(name) for tick in ticks]
    return fmean(values) if values and all(map(_is_number, values)) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
