"""The verdict on runs: recorded ones of each kind, and the scores of invented ones."""

import json
from pathlib import Path

import pytest

from stylegan_tf.training.best import BestValue
from stylegan_tf.training.verdict import assess

RECORDED = Path(__file__).parent / "recorded_runs"  # stats.jsonl of small runs on drawn leaves, less digits and columns


def verdicts(run, total_kimg, num_images=4000, lower_is_better=True):
    """The word at each tick of a recorded run."""
    ticks, scores, metric, words = [], [], None, []
    for line in (RECORDED / f"{run}.jsonl").read_text().splitlines():
        record = json.loads(line)
        if "snapshot" in record:
            name = next(key for key in record if key.startswith("Metrics/")).removeprefix("Metrics/")
            metric = BestValue(name, lower_is_better)
            scores.append((record["nimg"] / 1000, record[f"Metrics/{metric.name}"]))
        else:
            ticks.append(record)
            words.append(assess(ticks, metric, scores, total_kimg=total_kimg, num_images=num_images).word)
    return words


def test_a_healthy_run_gets_no_verdict_before_there_is_evidence():
    # The demo: growing to kimg 20, at full resolution to 30. Its early ticks have G's loss rising and signs of 0.95.
    assert verdicts("demo", total_kimg=30) == ["too early to tell"] * 13 + ["improving", "finished"]


def test_a_discriminator_far_ahead():  # D_lrate 0.01, gamma 0.02: logits +5 and -13 were "Improving. Losses and logits are in balance"
    assert verdicts("d_far_ahead", total_kimg=24) == ["too early to tell"] * 4 + ["D is far ahead"] * 20


def test_few_images_are_memorised():  # 32 images, each shown 30 times after 1 kimg
    words = verdicts("memorising", total_kimg=40, num_images=32)
    assert words == ["too early to tell"] * 4 + ["memorising"] * 36  # G's loss falls and diversity is 1: it makes the 32 images


def test_scores_that_improve_outweigh_memorised_images():  # 300 photographs, each shown 500 times; fid500_full from 154 to 92
    words = verdicts("few_photographs", total_kimg=200, num_images=300)
    assert set(words[-24:]) == {"improving"}  # D's mean sign for photographs is 0.77 to 0.83
    assert "memorising" in words[:48]  # before there are scores to judge by


def test_scores_are_evidence():  # kid200 at every second tick, from 0.53 to 0.19
    words = verdicts("scored", total_kimg=24)
    assert words[:4] == ["too early to tell"] * 4
    assert words[5:] == ["improving"] * 7


def test_an_unstable_run():  # learning rates of 0.05, gamma 0
    words = verdicts("unstable", total_kimg=24)
    assert words[12:17] == ["unstable"] * 5  # after a loss of 40 in tick 13
    assert words[22:] == ["unstable"] * 2
    assert not {"improving", "finished"} & set(words)  # G's loss fell for a while because D guessed


def test_a_generator_that_collapses():  # DCGAN for digits without batch normalisation, G_lrate 0.1: black images from tick 4 on
    assert verdicts("collapsed", total_kimg=12, num_images=60000) == ["too early to tell"] * 5 + ["G has collapsed"] * 3


def test_a_score_that_no_longer_improves():  # DCGAN for digits, its learning rates fall to nearly 0 within 10 kimg; IS by a LeNet
    words = verdicts("plateau", total_kimg=20, num_images=60000, lower_is_better=False)
    # The diversity is poor in the first 6 ticks, but rises: the network learns, and has not collapsed.
    assert words == ["too early to tell"] * 3 + ["improving"] * 10 + ["plateau"] * 3 + ["finished"]


def test_a_score_that_gets_worse():  # DCGAN for digits with learning rates of 0.01: IS 3.5 at kimg 6, 2.6 at kimg 14, 4.1 at the end
    words = verdicts("past_its_best", total_kimg=24, num_images=60000, lower_is_better=False)
    assert words[10:15] == ["plateau", "past its best", "past its best", "past its best", "improving"]
    assert words[-1] == "finished"


def test_the_logits_of_the_report_that_asked_for_this():
    sample = {"Loss/G": 6.4, "Loss/signs/real": 0.96, "Loss/signs/fake": -0.97, "Loss/scores/real": 3.5, "Loss/scores/fake": -6.3}
    assert assess(ticks_of(9, **sample), None, []).word == "D is far ahead"


def tick(number, **values):
    plain = {"tick": number, "nimg": number * 1000, "kimg": float(number), "lod": 0.0, "Pictures/diversity": 0.9}
    return plain | {"Loss/G": 1.0, "Loss/D": 1.0, "Loss/signs/real": 0.3, "Loss/signs/fake": -0.3} | values


def ticks_of(count, **values):
    return [tick(number, **values) for number in range(1, count + 1)]


FID = BestValue("fid5k", lower_is_better=True)
FALLING = [(k, 100.0 - 5 * k) for k in range(1, 10)]
KID = [(1, 0.01), (2, -0.0001), (3, 0.00001), (4, -0.00009), (5, -0.0001)]


@pytest.mark.parametrize(
    ("records", "metric", "scores", "word"),
    [
        (ticks_of(2), None, [], "too early to tell"),
        (ticks_of(9, lod=1.5), None, [], "too early to tell"),
        (ticks_of(9), None, [], "too early to tell"),  # balanced losses are no evidence
        (ticks_of(9), FID, FALLING[:2], "too early to tell"),
        (ticks_of(9), FID, FALLING, "improving"),
        (ticks_of(9), FID, FALLING[:4] + [(k, 79.9) for k in range(5, 11)], "plateau"),
        (ticks_of(9), FID, [*FALLING, (10, 70.0), (11, 72.0), (12, 75.0)], "past its best"),
        (ticks_of(9), BestValue("kid5k", True), KID, "improving"),
        (ticks_of(9), BestValue("is5k", False), [(1, 2.0), (2, 3.0), (3, 4.0)], "improving"),
        (ticks_of(9), BestValue("is5k", False), [(1, 2.0), (2, 4.0), (3, 3.0), (4, 3.0), (5, 3.0)], "past its best"),
        (ticks_of(9, **{"Pictures/diversity": 0.05}), FID, FALLING, "G has collapsed"),
        (ticks_of(9, **{"Loss/G": None, "Loss/signs/real": None, "Pictures/diversity": None}), None, [], "too early to tell"),
    ],
)
def test_verdict(records, metric, scores, word):
    assert assess(records, metric, scores).word == word


def test_memorising_needs_many_epochs():
    sure = ticks_of(9, **{"Loss/signs/real": 0.99})
    assert assess(sure, None, [], num_images=100).word == "memorising"
    assert assess(sure, None, [], num_images=10_000).word == "too early to tell"
    worse = [*FALLING, (10, 70.0), (11, 72.0), (12, 75.0)]
    assert assess(ticks_of(9, **{"Loss/signs/real": 0.75}), FID, worse, num_images=100).word == "memorising"


def test_a_finished_run_says_whether_more_training_would_help():
    assert "Continue" in assess(ticks_of(9), FID, FALLING, total_kimg=9).advice
    assert "unlikely" in assess(ticks_of(9), FID, FALLING[:4] + [(k, 79.9) for k in range(5, 11)], total_kimg=9).advice
    assert assess(ticks_of(9), None, [], total_kimg=9).word == "finished"
