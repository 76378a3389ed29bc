"""Training in float16: the loss scale falls from the original's 2^64, and the skipped steps do not count as divergence."""

import dataclasses
import json
import math

import pytest

from stylegan_tf.errors import UserError
from stylegan_tf.training import faults, progress
from tests.training.test_progress import MEMORY, STAGE

OVERFLOWN = {"Gradients/D_norm": math.inf, "Loss/D": math.nan, "Loss/penalty": math.inf, "Loss/scores/real": 0.5,
             "TrainD/log2_loss_scale": 40.0, "Gradients/G_norm": 1.0, "Loss/G": 0.7, "TrainG/log2_loss_scale": 9.0}  # fmt: skip

NETWORKS = {"D": "D", "G": "G"}


def at_full_size(settings, **run):
    schedule = dataclasses.replace(settings.schedule, start_resolution=8, total_kimg=0.32, tick_kimg=0.16)
    return dataclasses.replace(settings, schedule=schedule, run=dataclasses.replace(settings.run, precision="mixed_float16", **run))


def test_a_run_in_float16_finds_its_loss_scale(tiny_settings, start_run):
    code, path = start_run(at_full_size(tiny_settings))
    assert code == 0
    ticks = [json.loads(line) for line in (path / "stats.jsonl").read_text().splitlines()]
    first, last = ticks[0], ticks[-1]
    for network in "DG":
        assert last[f"Train{network}/log2_loss_scale"] < 24 < first[f"Train{network}/log2_loss_scale"] < 64
        assert math.isfinite(last[f"Gradients/{network}_norm"])
        assert math.isfinite(last[f"Loss/{network}"])
    assert last["Loss/penalty"] >= 0
    assert " nan" not in (path / "log.txt").read_text()


def test_an_overflow_is_not_a_divergence():
    kept = faults.without_overflow(OVERFLOWN, NETWORKS)
    assert set(OVERFLOWN) - set(kept) == {"Gradients/D_norm", "Loss/D", "Loss/penalty"}
    faults.check_statistics(kept, max_logit=100)
    with pytest.raises(faults.DivergedError, match="Loss/D"):
        faults.check_statistics(OVERFLOWN, max_logit=100)


def test_an_overflow_in_a_lazy_step_is_not_a_divergence():
    # Its network was taken from the first letter of the name, and statistics of its own were not dropped.
    values = {"Gradients/lengths_norm": math.inf, "Loss/lengths": math.nan, "Loss/mean_length": math.inf, "TrainG/log2_loss_scale": 3.0}
    kept = faults.without_overflow({**values, "Loss/D": 0.5, "Loss/scores/real": 0.5}, {"D": "D", "lengths": "G"})
    assert kept == {"Loss/D": 0.5, "Loss/scores/real": 0.5, "TrainG/log2_loss_scale": 3.0}
    for name in ("Loss/G", "Loss/scores/fake"):  # these do not contain gradients
        with pytest.raises(faults.DivergedError, match=name):
            faults.check_statistics(faults.without_overflow({**values, name: math.nan}, {"lengths": "G"}), max_logit=100)


def test_an_overflow_at_every_scale_is_a_divergence():
    with pytest.raises(faults.DivergedError, match="gradients of D overflow at every loss scale"):
        faults.without_overflow(OVERFLOWN | {"TrainD/log2_loss_scale": -17.0}, NETWORKS)


def test_divergence_in_float16_ends_the_run(tiny_settings, start_run, monkeypatch):
    """The scale would fall without end."""
    from stylegan_tf import losses

    monkeypatch.setattr(losses.Logistic, "on_fakes", lambda self, logits: logits[:, 0] * math.nan)
    settings = at_full_size(tiny_settings)
    schedule = dataclasses.replace(settings.schedule, total_kimg=0.8)
    with pytest.raises(UserError, match=r"Training diverged.*gradients of D overflow at every loss scale"):
        start_run(dataclasses.replace(settings, schedule=schedule))


def test_a_tick_has_means_over_the_steps_that_have_a_value():
    meter = progress.TickMeter()
    meter.add({"Loss/D": 1.0, "Loss/G": 1.0})
    meter.add({"Loss/G": 3.0})
    again = progress.TickMeter()
    again.load_state(meter.state())
    for each in (meter, again):
        record = each.finish_tick(10, STAGE, MEMORY)
        assert (record["Loss/D"], record["Loss/G"]) == (1.0, 2.0)


def test_a_tick_without_a_loss_shows_a_dash():
    record = progress.TickMeter().finish_tick(1000, STAGE, MEMORY) | {"Loss/G": 0.5}
    assert "loss G D 0.500 -   penalty -" in progress.detail_line(record)
