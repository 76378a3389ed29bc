"""Whole evaluations of a tiny network: repeatable, resumable, cached by content, written in three forms."""

import dataclasses
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

import stylegan_tf
from metrics import evaluate, program, registry, report
from metrics.bench import Bench
from metrics.during_training import snapshot_scores
from metrics.features import store
from metrics.features.inception import ROUNDING
from metrics.features.moments import frechet_distance, moments_of
from metrics.features.store import CHUNK
from metrics.intervals import Estimate
from metrics.options import Options
from metrics.result import Result
from stylegan_tf import data
from stylegan_tf.errors import UserError
from stylegan_tf.snapshot import save_networks

pytestmark = pytest.mark.usefixtures("stand_in")


def scored(networks, names, folder=None, **options):
    results = evaluate.evaluate(networks, registry.parse_list(names), Options(**options), folder=folder)
    assert [list(result.values) for result in results] == [list(registry.parse(result.metric).value_names) for result in results]
    return {name: estimate.value for result in results for name, estimate in result.values.items()}


def test_fid_is_that_of_all_features_at_once(snapshot_networks, stand_in):
    bench = Bench(snapshot_networks, data.open_dataset(snapshot_networks.dataset["path"]), Options())
    fakes = bench.all_generated_features(300)
    reals = stand_in(data.read_images(bench.dataset, range(60)))
    repeated = np.concatenate([np.tile(reals, (5, 1))])  # fid300 repeats the 60 images
    values = scored(snapshot_networks, "fid300,fid300_full")
    assert values["fid300"] == pytest.approx(frechet_distance(moments_of([fakes]), moments_of([repeated])), rel=1e-6)
    assert values["fid300_full"] == pytest.approx(frechet_distance(moments_of([fakes]), moments_of([reals])), rel=1e-6)
    assert values["fid300"] != pytest.approx(values["fid300_full"], rel=1e-6)


def test_repeatable_by_seed_and_different_with_another(snapshot_networks):
    first = scored(snapshot_networks, "fid40,kid40,pr40_3")
    assert first == scored(snapshot_networks, "fid40,kid40,pr40_3")
    assert first != scored(snapshot_networks, "fid40,kid40,pr40_3", seed=1)


def test_float32_is_not_rounded_to_tf32(snapshot_networks, monkeypatch):
    seen, is_cut = [], tf.config.experimental.tensor_float_32_execution_enabled
    features = Bench.all_generated_features
    monkeypatch.setattr(Bench, "all_generated_features", lambda self, *args: seen.append(is_cut()) or features(self, *args))
    before = is_cut()
    scored(snapshot_networks, "kid40")
    assert seen == [False]
    assert is_cut() == before


def test_long_scores_say_how_long_they_take(monkeypatch):
    bench = SimpleNamespace()
    metric = SimpleNamespace(name="kid500_full", num_passes=lambda _: {"generated": 500, "real": 4000})
    monkeypatch.setattr(evaluate, "images_per_sec", lambda *_: 10.0)
    text = evaluate.cost_of(bench, metric)
    assert text.startswith("kid500_full: 4,500 images to compute (500 generated, 4,000 real)")
    assert text.endswith("about 7m 30s on this machine")


def test_each_result_is_a_line_of_text_a_line_of_json_and_a_point(snapshot_networks, tmp_path):
    scored(snapshot_networks, "fid40", tmp_path)
    text = (tmp_path / "metric-fid40.txt").read_text()
    line = json.loads((tmp_path / "metric-fid40.jsonl").read_text())
    value = line["values"]["fid40"]
    assert text.startswith("network-snapshot-000007         time ")
    assert f"fid40 {value['value']:.4f} [{value['low']:.4f}, {value['high']:.4f}]" in text
    dataset = data.open_dataset(snapshot_networks.dataset["path"])
    assert line["dataset"] == {"name": "leaves", "digest": dataset.digest, "num_images": 60}
    needed = {"network", "resize", "precision", "seed", "truncation_psi", "noise", "num_fakes", "num_reals", "num_distinct_reals"}
    assert needed <= set(line["protocol"])
    assert (line["nimg"], line["protocol"]["num_distinct_reals"]) == (7000, 40)
    (events,) = tmp_path.glob("events.*")
    points = [v for event in tf.compat.v1.train.summary_iterator(str(events)) for v in event.summary.value]
    assert {point.tag for point in points} == {"Metrics/fid40", "Metrics/fid40/low", "Metrics/fid40/high"}


def test_the_way_of_rounding_is_part_of_protocol_and_cache_keys(snapshot_networks):
    dataset = data.open_dataset(snapshot_networks.dataset["path"])
    protocol = Bench(snapshot_networks, dataset, Options(precision="bfloat16")).feature_protocol()
    assert protocol["precision"] == ROUNDING  # scores of another rounding under the same name would be mixed with these


def test_an_existing_score_is_not_computed_again(snapshot_networks, tmp_path, stand_in):
    scored(snapshot_networks, "fid40", tmp_path)
    calls = stand_in.calls
    scored(snapshot_networks, "fid40", tmp_path)
    assert stand_in.calls == calls
    scored(snapshot_networks, "fid40", tmp_path, seed=1)
    assert stand_in.calls > calls
    assert len((tmp_path / "metric-fid40.txt").read_text().splitlines()) == 2


def test_an_interrupted_evaluation_resumes(snapshot_networks, monkeypatch, stand_in):
    bench = Bench(snapshot_networks, data.open_dataset(snapshot_networks.dataset["path"]), Options(batch_size=50))
    expected = bench.all_generated_features(3 * CHUNK)
    bench.clear()
    drawn = []
    kept = type(bench.workers[0]).generated_features

    def counted(worker, chunk, count):
        drawn.append(chunk)
        if chunk == 2 and drawn.count(2) == 1:
            raise KeyboardInterrupt
        return kept(worker, chunk, count)

    monkeypatch.setattr(type(bench.workers[0]), "generated_features", counted)
    with pytest.raises(KeyboardInterrupt):
        bench.all_generated_features(3 * CHUNK)
    again = Bench(snapshot_networks, bench.dataset, Options(batch_size=50)).all_generated_features(3 * CHUNK)
    assert drawn == [0, 1, 2, 2]
    np.testing.assert_array_equal(again, expected)


def test_metrics_share_one_pass_and_delete_the_features_of_fakes(snapshot_networks, stand_in, tmp_path):
    scored(snapshot_networks, "fid40,kid40_full,pr40_3")
    calls = stand_in.calls
    assert calls <= 2 + 4 * 2  # 40 fakes (a batch of 64 in two halves), 60 reals in two selections
    assert not list((tmp_path / "cache" / "metrics").glob("fakes-*"))
    assert list((tmp_path / "cache" / "metrics").glob("moments-*.npz"))
    scored(snapshot_networks, "fid40")
    assert stand_in.calls - calls <= 2  # the real ones are from the cache


def test_real_features_are_deleted_where_moments_suffice(snapshot_networks, tmp_path):
    cache = tmp_path / "cache" / "metrics"
    scored(snapshot_networks, "fid40")  # 410 MB for 50,000 images were never deleted
    assert (len(list(cache.glob("reals-*"))), len(list(cache.glob("moments-*")))) == (0, 1)
    scored(snapshot_networks, "fid40_full,kid40_full")
    assert len(list(cache.glob("reals-*"))) == 1


def test_a_store_that_another_process_removes_is_created_again(tmp_path, monkeypatch):
    fakes = store.FeatureStore(tmp_path / "fakes")
    save, fails = np.savez, [True]

    def save_in_a_removed_folder(path, **arrays):
        if fails.pop() if fails else False:
            fakes.remove()
        save(path, **arrays)

    monkeypatch.setattr(store.np, "savez", save_in_a_removed_folder)
    assert fakes.get(np.arange(3), lambda missing: np.ones((3, 2))).shape == (3, 2)
    assert (tmp_path / "fakes" / "00000.npz").exists()


def test_real_statistics_follow_the_content_of_the_data(snapshot_networks, tmp_path, leaves_path):
    other = tmp_path / "leaves"  # the same name, other pixels
    with data.DatasetWriter(other, resolution=8, channels=3, class_names=["a", "b"]) as writer:
        for number in range(60):
            writer.add(np.full((8, 8, 3), 4 * number, np.uint8), label=number % 2)
    on_first = scored(snapshot_networks, "fid40")
    networks = dataclasses.replace(snapshot_networks, dataset={**snapshot_networks.dataset, "path": str(other)})
    assert scored(networks, "fid40") != on_first


def test_damaged_cache_files_are_computed_again(snapshot_networks, tmp_path):
    expected = scored(snapshot_networks, "fid40")
    for path in (tmp_path / "cache" / "metrics").rglob("*.np*"):
        path.write_bytes(path.read_bytes()[:100])
    assert scored(snapshot_networks, "fid40") == expected


def test_batch_size_changes_nothing(snapshot_networks):
    kept = {}
    for weight in snapshot_networks.G_ema.weights:
        if weight.path.endswith("noise_strength"):  # 0 at first: noise was drawn by batch, and FID moved by 1.5 % with it
            kept[weight.path] = weight.numpy()
            weight.assign(np.ones_like(weight))
    dataset = data.open_dataset(snapshot_networks.dataset["path"])
    found = []
    for size in (1, 7, 64):
        generated = Bench(snapshot_networks, dataset, Options(batch_size=size)).workers[0].generated
        found.append(np.concatenate([images.numpy().astype(int) for _, images in generated.batches(1, 10)]))
    one, other = (scored(snapshot_networks, "fid40", batch_size=size)["fid40"] for size in (7, 64))
    const = scored(snapshot_networks, "fid40", noise_mode="const")["fid40"]
    for weight in snapshot_networks.G_ema.weights:
        if weight.path in kept:
            weight.assign(kept[weight.path])
    assert kept
    for images in found[1:]:
        assert np.abs(images - found[0]).max() <= 1  # sums in another order
    assert one == pytest.approx(other, rel=1e-3)
    assert one != pytest.approx(const, rel=1e-3)  # the noise counts


def test_features_of_real_images_are_found_whatever_the_selection(snapshot_networks, stand_in):
    scored(snapshot_networks, "kid40_full")
    calls = stand_in.calls
    scored(snapshot_networks, "fid20,kid20,pr20_3,memorisation20")  # samples, and each once
    assert stand_in.calls - calls == 3  # features of fakes, and of mirrored fakes and reals for memorisation
    calls = stand_in.calls
    scored(snapshot_networks, "fid20,kid20_full", mirror=True)  # half of them mirrored, of which some are stored
    assert stand_in.calls - calls == 2 + 1


def test_a_store_by_number_computes_what_is_missing(tmp_path):
    made = []

    def rows(numbers):
        made.append(numbers.tolist())
        return np.stack([numbers, -numbers], axis=1)

    numbered = store.FeatureStore(tmp_path / "reals")
    for numbers in ([3, 7, 600], [0, 3, 7, 8, 600, 2000], [7, 8]):
        found = numbered.get(np.array(numbers), rows)
        np.testing.assert_array_equal(found, [[number, -number] for number in numbers])
    assert made == [[3, 7, 600], [0, 8, 2000]]
    (tmp_path / "reals" / "00000.npz").write_bytes(b"damaged")
    np.testing.assert_array_equal(numbered.get(np.array([3, 600]), rows), [[3, -3], [600, -600]])
    assert made[2] == [3]


def test_growing_network_is_scored_at_full_size(snapshot_networks):
    networks = dataclasses.replace(snapshot_networks, lod=0.5)
    assert np.isfinite(scored(networks, "fid40")["fid40"])
    networks = dataclasses.replace(snapshot_networks, lod=1.0)
    bench = Bench(networks, data.open_dataset(networks.dataset["path"]), Options())
    _, images = next(bench.workers[0].generated.batches(0, 4))
    images = images.numpy()
    assert images.shape == (4, 8, 8, 3)
    np.testing.assert_array_equal(images[:, ::2], images[:, 1::2])


def test_labels_are_as_frequent_as_in_the_data(snapshot_networks):
    bench = Bench(snapshot_networks, data.open_dataset(snapshot_networks.dataset["path"]), Options())
    labels = np.concatenate([bench.workers[0].generated.labels(chunk) for chunk in range(8)])
    np.testing.assert_allclose(labels.mean(0), bench.dataset.labels.mean(0), atol=0.05)  # 2,000 draws: 4.5 deviations
    np.testing.assert_array_equal(labels.sum(1), 1)


def test_command_line_scores_every_snapshot_and_marks_the_best(snapshot_networks, tmp_path, capsys):
    run = tmp_path / "00000-sgan-leaves-1gpu"
    run.mkdir()
    for kimg in (7, 14):
        networks = dataclasses.replace(snapshot_networks, nimg=kimg * 1000)
        networks.G_ema.w_avg.assign(np.full(8, kimg))
        save_networks(run / f"network-snapshot-{kimg:06d}.pkl", networks)
    assert program.run_all(["fid50,kid50", "--network", str(run), "--all"]) == 0
    shown = capsys.readouterr()
    names = [line.split(":")[0] for line in shown.out.splitlines() if line.startswith("network-")]
    assert names == ["network-snapshot-000007"] * 2 + ["network-snapshot-000014"] * 2
    assert shown.out.count("compare only fid50 with fid50") == 2
    assert shown.err.count("fid50: 100 images to compute (50 generated, 50 real), fewer if features are already stored") == 2
    table = (run / "metrics.md").read_text()
    assert table.count("**") == 4  # one best in each of two columns
    assert (run / "metric-curve-fid50.svg").read_text().count("<circle") == 1
    assert len(report.read(run)) == 4
    assert program.run_all(["fid50", "--network", str(run), "--num-images", "20"]) == 0
    assert (run / "metric-fid20.txt").read_text().startswith("network-snapshot-000014")


def test_a_second_final_network_has_its_own_row(tmp_path):
    shared = {"protocol": {}, "dataset": {"name": "leaves", "digest": "d", "num_images": 1}, "request": "", "elapsed_sec": 1.0}
    for kimg, value in ((7, 0.5), (14, 0.1)):
        report.write(Result("fid40", {"fid40": Estimate(value)}, "network-final", kimg * 1000, **shared), tmp_path, to_tensorboard=False)
    report.write_overview(tmp_path)
    rows = [line for line in (tmp_path / "metrics.md").read_text().splitlines() if line.startswith(("| 7", "| 14"))]
    assert rows == ["| 7.0 | network-final | 0.5 |", "| 14.0 | network-final | **0.1** |"]


def test_no_snapshot_is_the_best_by_memorisation(tmp_path):
    # The lowest value was in bold: that of the network farthest from the data.
    shared = {"protocol": {}, "dataset": {"name": "leaves", "digest": "d", "num_images": 1}, "request": "", "elapsed_sec": 1.0}
    for kimg, value in ((7, 0.1), (14, 0.5)):
        estimates = {name: Estimate(value) for name in ("memorisation_features", "fid40", "pr40_3_recall")}
        report.write(Result("all", estimates, f"s{kimg}", kimg * 1000, **shared), tmp_path, to_tensorboard=False)
    report.write_overview(tmp_path)
    rows = [line for line in (tmp_path / "metrics.md").read_text().splitlines() if line.startswith(("| 7", "| 14"))]
    assert rows == ["| 7.0 | s7 | **0.1** | 0.1 | 0.1 |", "| 14.0 | s14 | 0.5 | 0.5 | **0.5** |"]
    assert (tmp_path / "metric-curve-memorisation_features.svg").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fid", "--network", "nowhere"], "nowhere does not exist"),
        (["fidelity", "--network", "nowhere"], "Unknown metric 'fidelity'"),
        (["fld50k", "--network", "nowhere"], "Unknown metric 'fld50k'. Did you mean fid50k?"),
        (["fid", "--network", "nowhere", "--seed", "-1"], "seed must be from 0 to 2147483647. Received: -1"),
        (["fid5", "--network", "nowhere"], "A score needs 10 to 10,000,000 images"),
    ],
)
def test_bad_arguments_give_one_message(arguments, message, capsys):
    assert program.run_all(arguments) == 2
    assert message in capsys.readouterr().err


def test_another_kind_of_data_is_refused(snapshot_networks, tmp_path):
    with data.DatasetWriter(tmp_path / "grey", resolution=8, channels=1) as writer:
        writer.add(np.zeros((8, 8, 1), np.uint8))
    with pytest.raises(UserError, match="1 channels, the network generates 3"):
        evaluate.evaluate(snapshot_networks, registry.parse_list("fid40"), Options(), dataset=data.open_dataset(tmp_path / "grey"))


def test_callback_of_training(snapshot_networks, tmp_path, leaves_path):
    callback = snapshot_scores(["fid50k", "kid50k_full"], leaves_path, num_images=40)
    values = callback.compute(tmp_path / "network-snapshot-000007.pkl", snapshot_networks, 7000)
    assert set(values) == {name + end for name in ("fid40", "kid40_full") for end in ("", "/low", "/high")}
    assert values["fid40/low"] < values["fid40"] < values["fid40/high"]
    assert not list(tmp_path.glob("events.*"))  # training writes its own points
    assert (tmp_path / "metric-fid40.jsonl").exists()


def test_callback_refuses_before_training_starts(tmp_path, leaves_path):
    with pytest.raises(UserError, match="Unknown metric 'fud'"):
        snapshot_scores(["fud"], leaves_path)
    with pytest.raises(UserError, match="no dataset"):
        snapshot_scores(["fid"], tmp_path / "nothing")


def test_a_time_budget_sets_the_numbers_at_the_first_snapshot(snapshot_networks, tmp_path, leaves_path, monkeypatch):
    from metrics import during_training

    monkeypatch.setattr(during_training, "images_per_sec", lambda *_: 100.0)
    callback = snapshot_scores(["fid50k", "pr50k3"], leaves_path, time_budget_sec=6)
    assert set(callback.compute(tmp_path / "a.pkl", snapshot_networks, 7000)) >= {"fid500", "pr500_3_precision"}
    monkeypatch.setattr(during_training, "images_per_sec", lambda *_: 1e6)  # a faster machine later: the scores must still be comparable
    assert "fid500" in callback.compute(tmp_path / "b.pkl", snapshot_networks, 14000)


@pytest.mark.parametrize("content", [None, b"\xff", b"[" * 100_000, b"[1]", b"7", b'{"fid50k in 6 s": 5}', b'{"fid50k in 6 s": ["x"]}'])
def test_hostile_numbers_of_a_time_budget_are_measured_again(snapshot_networks, tmp_path, leaves_path, monkeypatch, content):
    from metrics import during_training

    monkeypatch.setattr(during_training, "images_per_sec", lambda *_: 100.0)
    path = tmp_path / "metric-sizes.json"
    os.mkfifo(path) if content is None else path.write_bytes(content)  # training waited for a pipe for ever
    metrics = registry.parse_list("fid50k")
    sized = during_training.sized(metrics, snapshot_networks, data.open_dataset(leaves_path), Options(), 6, tmp_path)
    assert [metric.name for metric in sized] == ["fid500"]
    assert json.loads(path.read_text()) == {"fid50k in 6 s": ["fid500"]}


def test_loaded_snapshot_has_the_digest_of_the_network(snapshot_networks, tmp_path):
    save_networks(tmp_path / "network-snapshot-000007.pkl", snapshot_networks)
    dataset = data.open_dataset(snapshot_networks.dataset["path"])
    loaded = stylegan_tf.load(tmp_path / "network-snapshot-000007.pkl")
    assert Bench(loaded, dataset, Options()).digest == Bench(snapshot_networks, dataset, Options()).digest


@pytest.mark.parametrize("name", ["fid", "ppl_wend", "ls"])
def test_rates_are_measured_on_the_slow_part(snapshot_networks, monkeypatch, name):
    from metrics import during_training, generated

    monkeypatch.setattr(generated, "_lpips", lambda *_: lambda first, second: tf.reduce_sum(first - second, axis=[1, 2, 3]))
    bench = Bench(snapshot_networks, data.open_dataset(snapshot_networks.dataset["path"]), Options())
    assert during_training.images_per_sec(bench, registry.parse(name)) > 1


def test_passes_share_a_budget(monkeypatch):
    from metrics import during_training

    monkeypatch.setattr(during_training, "images_per_sec", lambda bench, metric: 50.0 if metric.stem == "ppl" else 10.0)
    metrics = registry.parse_list("fid50k,kid50k_full,ppl_wfull,fid300")
    assert during_training.fitting(metrics, None, 240) == [1000, 1000, 5000, 300]  # two passes of two minutes
    assert during_training.fitting(metrics, None, 1) == [250, 250, 250, 250]  # never below


def test_clipping_is_part_of_protocol_and_request(snapshot_networks, tmp_path):  # "clean" was once not clipped
    scored(snapshot_networks, "fid40", tmp_path, resize="clean")
    (line,) = (tmp_path / "metric-fid40.jsonl").read_text().splitlines()
    assert json.loads(line)["protocol"]["resize"] == "clean, clipped"
    dataset = data.open_dataset(snapshot_networks.dataset["path"])
    requests = {
        evaluate.request_of(Bench(snapshot_networks, dataset, Options(resize=name)), registry.parse("fid40"))
        for name in ("clean", "legacy_tensorflow")
    }
    assert len(requests) == 2


def test_a_sorted_dataset_is_sampled_from_the_whole(snapshot_networks, tmp_path, stand_in):
    with data.DatasetWriter(tmp_path / "sorted", resolution=8, channels=3, class_names=["a", "b"]) as writer:
        for number in range(60):
            writer.add(np.full((8, 8, 3), 255 * (number >= 30), np.uint8), label=int(number >= 30))
    networks = dataclasses.replace(snapshot_networks, dataset={**snapshot_networks.dataset, "path": str(tmp_path / "sorted")})
    scored(networks, "fid20,fid60,pr20_3", tmp_path)
    protocols = {name: json.loads((tmp_path / f"metric-{name}.jsonl").read_text())["protocol"] for name in ("fid20", "fid60", "pr20_3")}
    assert [protocol.get("reals") for protocol in protocols.values()] == ["sampled by seed", None, "sampled by seed"]
    bench = Bench(networks, data.open_dataset(tmp_path / "sorted"), Options())
    features = bench.all_real_features(registry.parse("fid20").select(bench))
    assert len(np.unique(features, axis=0)) == 2  # dark and light images


@pytest.mark.parametrize(
    ("name", "least"), [("fid40", 2), ("fid40_full", 2), ("kid40", 2), ("pr40_3", 4), ("memorisation", 10), ("d_scores", 10)]
)
def test_one_real_image_is_refused(snapshot_networks, tmp_path, name, least):
    with data.DatasetWriter(tmp_path / "one", resolution=8, channels=3, class_names=["a", "b"]) as writer:
        writer.add(np.zeros((8, 8, 3), np.uint8), label=0)
    with pytest.raises(UserError, match=f"{name} needs {least} real images or more. .* has 1"):
        evaluate.evaluate(snapshot_networks, registry.parse_list(name), Options(), dataset=data.open_dataset(tmp_path / "one"))


def test_one_held_out_image_is_refused_before_any_work(leaves_path, tmp_path):
    with data.DatasetWriter(tmp_path / "one", resolution=8, channels=3) as writer:
        writer.add(np.zeros((8, 8, 3), np.uint8))
    options = Options(held_out=str(tmp_path / "one"))
    with pytest.raises(UserError, match=r"memorisation needs 10 real images or more\. .*one has 1"):
        evaluate.prepare(registry.parse_list("memorisation"), options, data.open_dataset(leaves_path))
    with pytest.raises(UserError, match="has 1 images: a classifier of its labels needs 10 or more"):
        evaluate.prepare(registry.parse_list("ls"), Options(), data.open_dataset(tmp_path / "one"))


@pytest.mark.parametrize("seed", [-1, 2**31, 2**64])
def test_seeds_beyond_those_of_tensorflow_are_refused(seed):
    with pytest.raises(UserError, match=f"seed must be from 0 to 2147483647. Received: {seed}"):
        Options(seed=seed)


GOOD = {"metric": "fid40", "values": {"fid40": {"value": 1.5}}, "snapshot": "s", "nimg": 7, "protocol": {},
        "dataset": {"name": "n", "digest": "d"}, "request": "r", "elapsed_sec": 1.0}  # fmt: skip
HOSTILE = [
    b"\xff\xfe", b"[" * 100_000, b"[]", b"null", b"{}", b'{"values": []}',
    *(json.dumps(GOOD | changes).encode() for changes in (
        {"values": {}}, {"values": []}, {"values": {"../../x": {"value": 1}}}, {"values": {"fid40": {"value": "1"}}},
        {"values": {"fid40": {"value": 1, "low": 0, "high": None}}}, {"values": {"fid40": {"value": 10**400}}},
        {"nimg": "7"}, {"nimg": True}, {"snapshot": 5}, {"dataset": {"name": "n"}}, {"dataset": []}, {"protocol": []}, {"notes": [1]},
        {"notes": None}, {"versions": 3}, {"classes": {"a": "b"}}, {"metric": "../x"},
    )),
]  # fmt: skip


def test_results_from_elsewhere_are_checked(tmp_path):  # other types ended in tracebacks, a name could lead out of the folder
    (tmp_path / "metric-fid40.jsonl").write_bytes(b"\n".join([*HOSTILE, json.dumps(GOOD | {"snapshot": "a\n\x1b[2J"}).encode()]))
    assert [result.nimg for result in report.read(tmp_path)] == [7]
    report.write_overview(tmp_path)
    assert r"| a\x0a\x1b[2J |" in (tmp_path / "metrics.md").read_text()
    os.mkfifo(tmp_path / "metric-kid40.jsonl")
    with pytest.raises(UserError, match="is not a file"):
        report.read(tmp_path)
