"""Lines of a tick, their JSON, and sums that are saved in the middle of a tick."""

import json
import math

import pytest

from stylegan_tf.training import progress, records
from stylegan_tf.training.schedule import Stage

STAGE = Stage(lod=7.0, resolution=8, minibatch=512, max_minibatch_per_device=None, G_lrate=0.001, D_lrate=0.001, gamma=10, tick_kimg=160)
MEMORY = {"gpumem_gb": 4.5, "hostmem_gb": 1.0}


def test_tick_line_has_the_columns_of_the_original_and_the_parts_of_the_time():
    record = {"tick": 1, "kimg": 160.3, "lod": 7.0, "minibatch": 512, "total_sec": 190.2, "sec_per_tick": 190.2}
    record |= {"sec_per_kimg": 1.19, "maintenance_sec": 40.1, "gpumem_gb": 4.5, "data_sec": 0.3, "D_sec": 120.0, "G_sec": 68.4}
    assert progress.tick_line(record) == (
        "tick 1     kimg 160.3    lod 7.00  minibatch 512  time 3m 10s       "
        "sec/tick 190.2   sec/kimg 1.19    maintenance 40.1   gpumem 4.5   data 0.3    D 120.0   G 68.4"
    )


def test_the_second_line_has_the_numbers_of_the_losses():
    meter = progress.TickMeter()
    of_losses = {"Loss/scores/real": 0.5, "Loss/scores/fake": -0.25, "Loss/signs/real": 1.0, "Loss/signs/fake": -1.0, "Loss/G": 0.7}
    meter.add({**of_losses, "Loss/D": 1.2, "Loss/penalty": 0.031, "Gradients/G_norm": 12.0, "Gradients/D_norm": 3.5})
    record = {**meter.finish_tick(1000, STAGE, MEMORY), "images_per_sec": 4.0, "other_sec": 0.5, "eta_sec": 3720.0}
    assert progress.detail_line(record).strip().split("   ") == [
        "logits +0.50 -0.25", "signs +1.00 -1.00", "loss G D 0.700 1.200", "penalty 0.031", "gradients G D 12 3.5", "rates 0.001 0.001",
        "4.0 images/s", "memory 1.0 GB", "other 0.5", "1h 02m 00s left",
    ]  # fmt: skip
    assert "logits - -" in progress.detail_line({**record, "Loss/scores/real": None, "Loss/scores/fake": None})


@pytest.mark.parametrize(("kimg", "total", "size", "eta"), [(24.6, 30, 32, 63.0), (24999.9, 25000, 1024, 9e6), (0.1, 0.2, 4, 0.0)])
def test_a_tick_on_a_terminal_is_one_line_of_at_most_80_columns(kimg, total, size, eta):
    record = {"tick": 1234, "kimg": kimg, "resolution": size, "images_per_sec": 1234.5, "eta_sec": eta, "Loss/G": -1.234e-5, "Loss/D": None}
    line = progress.short_line(record, total)
    assert len(line) <= 80
    assert f"kimg {kimg}/{total}  {size}x{size}" in line
    assert line.endswith("left")


def test_the_live_line_fits_the_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for columns in (40, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        live = progress.LiveLine(lambda kimg: 3600.0)
        live.show(1000, 10, STAGE)
        live.show(2000, 10, STAGE)
        live.clear()
        shown = capsys.readouterr().err.split("\r")
        assert {len(text) for text in shown if text} == {columns - 1}
        assert "kimg 2.00 of 10" in shown[1]


def test_a_tick_has_the_means_of_its_iterations():
    meter = progress.TickMeter()
    for loss in (1.0, 2.0, 6.0):
        meter.add({"Loss/D": loss})
    record = meter.finish_tick(1000, STAGE, MEMORY)
    assert record["Loss/D"] == pytest.approx(3.0)
    assert (record["tick"], record["kimg"], record["G_lrate"]) == (1, 1.0, 0.001)
    meter.add({"Loss/D": 5.0})
    assert meter.finish_tick(2000, STAGE, MEMORY)["Loss/D"] == 5.0


def test_a_tick_has_the_times_of_its_parts():
    meter = progress.TickMeter()
    for _ in range(2):
        meter.add({"Loss/D": 1.0, "Timing/data_sec": 0.25, "Timing/D_sec": 2.0, "Timing/G_sec": 1.0})
    second = progress.TickMeter()
    second.load_state(meter.state())
    second.load_state({**second.state(), "tick_sec": 7.5})
    record = second.finish_tick(1000, STAGE, MEMORY)
    assert (record["data_sec"], record["D_sec"], record["G_sec"]) == (0.5, 4.0, 2.0)
    assert record["other_sec"] == pytest.approx(1.0, abs=0.1)
    assert {"Timing/data_sec", "Timing/D_sec", "Timing/G_sec", "Timing/other_sec"} <= progress.tags(record).keys()
    assert second.finish_tick(2000, STAGE, MEMORY)["D_sec"] == 0.0


def test_an_interrupted_tick_has_the_same_means():
    whole, first = progress.TickMeter(), progress.TickMeter()
    whole.add({"Loss/D": 0.1})
    first.add({"Loss/D": 0.1})
    second = progress.TickMeter()
    second.load_state(json.loads(json.dumps(first.state())))
    for meter in (whole, second):
        meter.add({"Loss/D": 0.7})
    assert whole.finish_tick(8, STAGE, MEMORY)["Loss/D"] == second.finish_tick(8, STAGE, MEMORY)["Loss/D"]
    assert second.tick == 1


def test_json_is_strict_where_a_loss_is_not_finite():
    assert json.loads(records.json_line({"a": math.nan, "b": math.inf, "c": 1.5})) == {"a": None, "b": None, "c": 1.5}


def test_tags_are_the_originals():
    record = progress.TickMeter().finish_tick(1000, STAGE, MEMORY) | {"Loss/scores/real": 0.5}
    tags = progress.tags(record)
    expected = {"Progress/tick", "Progress/kimg", "Progress/lod", "Progress/minibatch", "Timing/sec_per_tick", "Timing/sec_per_kimg"}
    expected |= {"Timing/maintenance_sec", "Resources/peak_gpu_mem_gb", "Loss/scores/real", "TrainG/learning_rate"}
    assert expected <= tags.keys()
    assert "nimg" not in str(tags)
