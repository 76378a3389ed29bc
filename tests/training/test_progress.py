"""Tick lines, their JSON, and sums that survive being cut in the middle of a tick."""

import json
import math

import pytest

from stylegan_tf.training import progress
from stylegan_tf.training.schedule import Stage

STAGE = Stage(lod=7.0, resolution=8, minibatch=512, max_minibatch_per_device=None, G_lrate=0.001, D_lrate=0.001, tick_kimg=160)
MEMORY = {"gpumem_gb": 4.5, "hostmem_gb": 1.0}


def test_tick_line_has_the_columns_of_the_original():
    record = {"tick": 1, "kimg": 160.3, "lod": 7.0, "minibatch": 512, "total_sec": 190.2, "sec_per_tick": 190.2}
    record |= {"sec_per_kimg": 1.19, "maintenance_sec": 40.1, "gpumem_gb": 4.5}
    assert progress.tick_line(record) == (
        "tick 1     kimg 160.3    lod 7.00  minibatch 512  time 3m 10s       "
        "sec/tick 190.2   sec/kimg 1.19    maintenance 40.1   gpumem 4.5"
    )


def test_a_tick_holds_the_mean_of_its_rounds():
    meter = progress.TickMeter(total_kimg=10)
    for loss in (1.0, 2.0, 6.0):
        meter.add({"Loss/D": loss})
    record = meter.finish_tick(1000, STAGE, MEMORY)
    assert record["Loss/D"] == pytest.approx(3.0)
    assert (record["tick"], record["kimg"], record["G_lrate"]) == (1, 1.0, 0.001)
    assert record["eta_sec"] == pytest.approx(9 * record["sec_per_kimg"])
    meter.add({"Loss/D": 5.0})
    assert meter.finish_tick(2000, STAGE, MEMORY)["Loss/D"] == 5.0


def test_a_tick_cut_in_two_has_the_same_means():
    whole, first = progress.TickMeter(10), progress.TickMeter(10)
    whole.add({"Loss/D": 0.1})
    first.add({"Loss/D": 0.1})
    second = progress.TickMeter(10)
    second.load_state(json.loads(json.dumps(first.state())))
    for meter in (whole, second):
        meter.add({"Loss/D": 0.7})
    assert whole.finish_tick(8, STAGE, MEMORY)["Loss/D"] == second.finish_tick(8, STAGE, MEMORY)["Loss/D"]
    assert second.tick == 1


def test_json_stays_readable_where_a_loss_is_not_a_number():
    assert json.loads(progress.json_line({"a": math.nan, "b": math.inf, "c": 1.5})) == {"a": None, "b": None, "c": 1.5}


def test_tags_are_the_originals():
    record = progress.TickMeter(10).finish_tick(1000, STAGE, MEMORY) | {"Loss/scores/real": 0.5}
    tags = progress.tags(record)
    expected = {"Progress/tick", "Progress/kimg", "Progress/lod", "Progress/minibatch", "Timing/sec_per_tick", "Timing/sec_per_kimg"}
    expected |= {"Timing/maintenance_sec", "Resources/peak_gpu_mem_gb", "Loss/scores/real", "TrainG/learning_rate"}
    assert expected <= tags.keys()
    assert "nimg" not in str(tags)
