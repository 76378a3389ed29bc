"""The report of a run and its charts."""

import json
import re
import subprocess
from xml.etree import ElementTree

import numpy as np
import pytest

from stylegan_tf.charts import as_file, cloud, histogram, line_chart, thinned, ticks
from stylegan_tf.data.sources import UnusableImage
from stylegan_tf.images import save_png
from stylegan_tf.settings import DataSettings, RunSettings, TrainingSettings
from stylegan_tf.training import report, run_dir
from stylegan_tf.training.best import BestSnapshot, BestValue
from tests.data import hostile_pictures


def best_value(name):
    return FID if name == FID.name else None


def tick(number, **values):
    plain = {"tick": number, "nimg": number * 1000, "kimg": float(number), "lod": 0.0, "resolution": 8, "total_sec": 10.0 * number}
    plain |= {"images_per_sec": 100.0, "eta_sec": 5.0, "G_lrate": 0.001, "D_lrate": 0.001, "hostmem_gb": 1.0, "gpumem_gb": 0.0}
    plain |= {"Loss/G": 1.0, "Loss/D": 1.0, "Loss/signs/real": 0.3, "Loss/signs/fake": -0.3, "Pictures/diversity": 0.9}
    return plain | {name.replace("__", "/"): value for name, value in values.items()}


def ticks_of(count, **values):
    return [tick(number, **values) for number in range(1, count + 1)]


FID = BestValue("fid5k", lower_is_better=True)


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0, 10, [0, 5, 10]), (-1, 1, [-1, -0.5, 0, 0.5, 1]), (0.001, 0.0031, [0.001, 0.002, 0.003])]
)
def test_axis_has_round_numbers(low, high, expected):
    assert ticks(low, high) == pytest.approx(expected)


def test_chart_is_well_formed_and_has_gaps():
    svg = line_chart({"a<b": [(0, 1.0), (1, 2.0), (2, float("nan")), (3, 1.0), (4, 0.0)], "flat": [(0, 1.0)]})
    root = ElementTree.fromstring(svg)
    assert len(root.findall("polyline")) == 3
    legend = {text.text: float(text.get("y")) for text in root.findall("text") if text.text in ("a<b", "flat")}
    assert len(legend) == 2
    assert max(legend.values()) < 0  # above the lines: they crossed it
    assert float(root.get("viewBox").split()[1]) < min(legend.values()) - 8
    assert "nothing yet" in line_chart({"a": []})


def test_marks_are_drawn_where_they_are_within_the_points():
    root = ElementTree.fromstring(line_chart({"a": [(0, 1.0), (10, 2.0)]}, marks=[(5, "16x16"), (50, "32x32")]))
    assert [text.text for text in root.findall("text") if "x" in (text.text or "")] == ["16x16"]
    (mark,) = [line for line in root.findall("line") if line.get("class") == "mark"]
    assert mark.get("x1") == mark.get("x2")


def test_a_file_has_intervals_the_best_point_a_title_and_a_note():
    points = [(0, 1.0), (10, 2.0), (20, 0.5)]
    root = ElementTree.fromstring(as_file(line_chart({"fid": points}, intervals=[(0.5, 3.0)] * 3, best=2), "a < b", "bars"))
    name = "{http://www.w3.org/2000/svg}"
    (dot,) = root.findall(f"{name}circle")
    bars = [line for line in root.findall(f"{name}line") if line.get("opacity")]
    assert [bar.get("x1") for bar in bars][2] == dot.get("cx")
    assert float(bars[0].get("y2")) < float(dot.get("cy")) < float(bars[0].get("y1")) + 1
    assert [text.text for text in root.findall(f"{name}text")][:2] == ["a < b", "bars"]


def test_histograms_have_shares_and_clouds_every_point():
    values = {"a": np.array([0.0, 0.0, 1.0, 5.0])}  # 5 lies outside and counts in the last bin
    (steps,) = ElementTree.fromstring(histogram(values, (0.0, 1.0))).findall("polyline")
    heights = [float(pair.split(",")[1]) for pair in steps.get("points").split()]
    assert heights[1] == heights[-2] == min(heights)
    assert heights[0] == heights[3] == heights[-1] == max(heights)
    root = ElementTree.fromstring(cloud({"a": np.zeros((3, 2)), "b": np.ones((2, 2))}))
    assert len(root.findall("circle")) == 5
    assert [text.text for text in root.findall("text")][-2:] == ["a (3)", "b (2)"]


def test_thinned_keeps_the_ends():
    points = [(i, i) for i in range(1000)]
    assert len(thinned(points, 10)) == 10
    assert thinned(points, 10)[0] == (0, 0)
    assert thinned(points, 10)[-1] == (999, 999)


SETTINGS = TrainingSettings("x", data=DataSettings(resolution=8), run=RunSettings(grid_columns=3, grid_rows=2))


def test_report_is_one_file(tmp_path):
    folder = run_dir.create(tmp_path, "sgan-<leaves>-1gpu")
    records = [
        *ticks_of(4, resolution=4),
        *ticks_of(9)[4:],
        {"nimg": 8000, "snapshot": "network-snapshot-000008.pkl", "Metrics/fid5k": 33.25},
    ]
    (folder / "stats.jsonl").write_text("\n".join(map(json.dumps, records)) + '\n{"tick": 10, "ni')
    for nimg in (0, 8000):
        save_png(folder / f"fakes{nimg // 1000:06d}.png", np.full((128, 192, 3), nimg // 100, np.uint8))
    save_png(folder / "reals.png", np.zeros((16, 24, 3), np.uint8))  # an earlier version's grid was not enlarged
    save_png(folder / "augmented.png", np.zeros((192, 192, 3), np.uint8))
    (folder / "network-snapshot-000008.pkl").touch()
    report.write(folder, SETTINGS, best_value)
    page = (folder / "report.html").read_text()
    assert "network-snapshot-000008.pkl</b>, fid5k 33.25" in page
    assert "sgan-&lt;leaves&gt;-1gpu" in page
    assert page.count("data:image/png;base64,") == 5  # reals, the newest fakes, augmented reals, two frames of the strip
    assert "<figcaption>Photographs</figcaption>" in page
    assert "<figcaption>Generated, kimg 8</figcaption>" in page
    assert "a row for each strength of the augmentation</figcaption>" in page
    assert "width=device-width" in page
    assert page.count("<svg") == page.count("class='meaning'")  # a sentence for every curve
    assert "8x8</text>" in page  # growth
    assert "GB" in page
    assert "gpumem_gb" not in page.split("<h2>Configuration")[0]  # always 0: no empty curve
    assert "python generate.py images --network" in page
    assert not re.search(r"(src|href)=['\"](?!data:)", page)


def test_grids_of_a_run_folder_from_elsewhere_are_not_passed_to_other_programs(tmp_path, monkeypatch):
    """An EPS named fakes000000.png was passed to Ghostscript, which executes it."""
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("ran a program"))
    folder = run_dir.create(tmp_path, "x")
    for name, content in hostile_pictures.program_files().items():
        (folder / "fakes000000.png").write_bytes(content)
        with pytest.raises(UnusableImage, match="not an image"):
            report.write(folder, SETTINGS, best_value)
        assert not (folder / "report.html").exists(), name


def test_best_snapshot_is_found_again(tmp_path):
    folder = run_dir.create(tmp_path, "x")
    records = [{"nimg": k, "snapshot": f"s{k}", "Metrics/fid5k": value} for k, value in ((1, 9.0), (2, 5.0), (3, 7.0))]
    (folder / "stats.jsonl").write_text("\n".join(map(json.dumps, records)))
    for k in (1, 2, 3):
        (folder / f"s{k}").touch()
    assert BestSnapshot(folder, FID).name == "s2"
    assert BestSnapshot(folder, None).name is None
    (folder / "s2").unlink()  # it kept all others from being the best
    assert BestSnapshot(folder, FID).name == "s3"


def best_line(folder, scores, kept):
    """What report.html says of snapshots with these (name, kimg, FID), of which `kept` are there."""
    records = [{"nimg": k * 1000, "snapshot": name, "Metrics/fid5k": value} for name, k, value in scores]
    (folder / "stats.jsonl").write_text("\n".join(map(json.dumps, [*ticks_of(2), *records])))
    for name in kept:
        (folder / name).touch()
    report.write(folder, SETTINGS, best_value)
    return re.search("<p>Best snapshot: (.*?)</p>", (folder / "report.html").read_text())[1]


def test_the_best_snapshot_is_one_that_is_there(tmp_path):  # it named one that keep_snapshots had removed
    names = [f"network-snapshot-{k:06d}.pkl" for k in (1, 2, 3)]
    scores = list(zip(names, (1, 2, 3), (5.0, 9.0, 7.0), strict=True))
    line = best_line(run_dir.create(tmp_path, "x"), scores, names[1:])
    assert line.startswith(f"<b>{names[2]}</b>, fid5k 7.0000. Better, but removed: <b>{names[0]}</b>, fid5k 5.0000")
    assert best_line(run_dir.create(tmp_path, "x"), scores, names) == f"<b>{names[0]}</b>, fid5k 5.0000"
    assert best_line(run_dir.create(tmp_path, "x"), scores, []).startswith("none of the scored snapshots is kept. Better")


def test_a_renamed_final_snapshot_is_found_by_its_new_name(tmp_path):
    # Its record still said network-final.pkl: the best one was pruned under its new name, or a later network was named for it.
    scores = [("network-final.pkl", 4, 5.0), ("network-snapshot-000006.pkl", 6, 7.0), ("network-final.pkl", 8, 9.0)]
    folder = run_dir.create(tmp_path, "x")
    kept = ["network-snapshot-000004.pkl", "network-snapshot-000006.pkl", "network-final.pkl"]
    assert best_line(folder, scores, kept) == "<b>network-snapshot-000004.pkl</b>, fid5k 5.0000"
    assert BestSnapshot(folder, FID).name == "network-snapshot-000004.pkl"
    assert best_line(run_dir.create(tmp_path, "x"), scores[:1], kept[2:]) == "<b>network-final.pkl</b>, fid5k 5.0000"
    continued = run_dir.create(tmp_path, "x")  # and no snapshot was scored since
    assert best_line(continued, scores[:1], kept[:1]) == "<b>network-snapshot-000004.pkl</b>, fid5k 5.0000"
