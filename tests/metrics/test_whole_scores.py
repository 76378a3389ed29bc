"""The scores that need more than features, end to end on a tiny network: path lengths, separability, classes, memorisation."""

import dataclasses
import shutil
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

from metrics import classifiers, evaluate, generated, registry
from metrics.bench import Bench
from metrics.options import Options
from stylegan_tf import data
from stylegan_tf.errors import MissingFileError, UserError

pytestmark = pytest.mark.usefixtures("stand_in")


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(classifiers, "_STEPS", 60)


def bench_of(networks, **options):
    return Bench(networks, data.open_dataset(networks.dataset["path"]), Options(**options))


def test_classifier_learns_the_labels_and_is_kept(snapshot_networks, few_steps, tmp_path, monkeypatch):
    dataset = data.open_dataset(snapshot_networks.dataset["path"])
    options = {"resolution": 8, "channels": 3, "seed": 0, "cache": tmp_path}
    trained = classifiers.trained_classifier(dataset, **options)
    assert trained.accuracy == 1  # dark and light images
    monkeypatch.setattr(classifiers, "_train", lambda *_: pytest.fail("trained again"))
    again = classifiers.trained_classifier(dataset, **options)
    images = data.read_images(dataset, range(6))
    np.testing.assert_allclose(trained.logits(images), again.logits(images), rtol=1e-5)
    np.testing.assert_array_equal(np.argmax(again.logits(images), 1), [0, 1, 0, 1, 0, 1])


def test_scores_by_the_classes_of_the_dataset(snapshot_networks, few_steps):
    results = evaluate.evaluate(snapshot_networks, registry.parse_list("is40_labels,ls200"), Options())
    values = {name: estimate for result in results for name, estimate in result.values.items()}
    assert tuple(values) == registry.parse("is40_labels").value_names + registry.parse("ls200").value_names
    assert 1 <= values["is40_labels"].value <= 2
    assert 1 <= values["ls200_w"].value <= 2
    assert "trained on the labels of leaves (100.0 % correct)" in results[0].protocol["logits"]


def test_inception_score_without_logits_names_both_ways(snapshot_networks):
    with pytest.raises(UserError, match=r"pt_inception.*is50k_labels"):
        registry.parse("is40").score(bench_of(snapshot_networks))


def test_inception_score_with_logits(snapshot_networks, monkeypatch):
    from metrics.networks import weights

    monkeypatch.setattr(weights, "load_inception", lambda *_: {"logits/kernel": np.eye(6, dtype=np.float32)})
    found = registry.parse("is40").score(bench_of(snapshot_networks))
    assert found.values["is40"].value >= 1
    assert found.protocol["logits"] == weights.logits_name(np.eye(6, dtype=np.float32))


def test_other_logits_are_another_score(snapshot_networks, monkeypatch, tmp_path):
    # Weights are checked up to the pool features: the score by one file's logits was returned for those of another.
    from metrics.networks import weights

    found = []
    for factor in (1, 9, 9):
        kernel = factor * np.eye(6, dtype=np.float32)
        monkeypatch.setattr(weights, "load_inception", lambda *_, kernel=kernel: {"logits/kernel": kernel})
        found += evaluate.evaluate(snapshot_networks, registry.parse_list("is40,fid40"), Options(), folder=tmp_path)
    scores, distances = found[::2], found[1::2]
    assert scores[0].values != scores[1].values
    assert scores[0].protocol["logits"] != scores[1].protocol["logits"]
    assert scores[1] == scores[2]
    assert distances[0] == distances[1]  # computed once: it does not depend on logits


def test_separability_by_the_users_classifier(snapshot_networks, tmp_path):
    model = keras.Sequential([keras.layers.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)])
    model.save(tmp_path / "bright.keras")
    bench = bench_of(snapshot_networks, classifier=(str(tmp_path / "bright.keras"),))
    found = registry.parse("ls200").score(bench)
    assert set(found.values) == {"ls200_z", "ls200_w"}
    assert found.protocol["num_attributes"] == 1
    for name, message in (("absent.keras", "does not exist"), ("text.keras", "cannot be read")):
        (tmp_path / "text.keras").write_text("no model")
        bench = bench_of(snapshot_networks, classifier=(str(tmp_path / name),))
        with pytest.raises((UserError, MissingFileError), match=message):
            registry.parse("ls200").score(bench)


def test_another_file_under_the_same_path_is_another_score(snapshot_networks, tmp_path):
    # Requests and kept logits were keyed by the path alone: another classifier under it returned the score of the first.
    path = tmp_path / "bright.keras"
    seen = []
    for bias in (-3.0, 3.0):
        model = keras.Sequential([keras.layers.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)])
        model.layers[-1].set_weights([np.zeros((3, 1), np.float32), np.float32([bias])])
        model.save(path)
        bench = bench_of(snapshot_networks, classifier=(str(path),))
        logits, origin = classifiers.attribute_logits(bench, 40)
        np.testing.assert_allclose(logits, bias)
        seen.append((evaluate.request_of(bench, registry.parse("ls200")), origin))
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]
    assert seen[1][1].startswith("bright.keras/")


def test_other_held_out_images_are_another_request(snapshot_networks, tmp_path):
    requests = set()
    for value in (0, 1, 1):
        folder = tmp_path / "new"
        shutil.rmtree(folder, ignore_errors=True)
        with data.DatasetWriter(folder, resolution=8, channels=3) as writer:
            writer.add(np.full((8, 8, 3), value, np.uint8))
        requests.add(evaluate.request_of(bench_of(snapshot_networks, held_out=str(folder)), registry.parse("memorisation40")))
    assert len(requests) == 2


def test_path_lengths_of_a_network(snapshot_networks, monkeypatch):
    monkeypatch.setattr(generated, "_lpips", lambda *_: lambda a, b: tf.reduce_sum(tf.math.squared_difference(a, b), axis=[1, 2, 3]))
    monkeypatch.setattr(evaluate, "prepare", lambda *_: None)
    names = ("ppl20_zfull", "ppl20_wfull", "ppl20_zend", "ppl20_wend")
    results = evaluate.evaluate(snapshot_networks, registry.parse_list(",".join(names)), Options())
    values = [result.values[name].value for result, name in zip(results, names, strict=True)]
    assert all(np.isfinite(value) and value > 0 for value in values)
    assert len(set(values)) == 4
    assert results[0].protocol["images"] == "whole"
    # The network is conditional: its styles depend on the norm of z.
    assert [result.protocol.get("z_norm") for result in results] == ["sqrt(z_dim)", None, "sqrt(z_dim)", None]


class _CopyingGenerator:
    """Generates training images only, without styles."""

    resolution, channels, label_size, z_dim = 8, 3, 0, 4

    def __init__(self, images):
        self.images = tf.constant(images / np.float32(127.5) - 1)

    def sample(self, z, labels, *, lod, training=False, noise_seed=None):
        return tf.gather(self.images, tf.cast(tf.abs(z[:, 0]) * 1e4, tf.int32) % len(self.images))


@pytest.fixture
def copying(snapshot_networks, monkeypatch):
    from metrics import bench

    monkeypatch.setattr(bench, "network_digest", lambda *_: "copies")
    dataset = data.open_dataset(snapshot_networks.dataset["path"])
    return dataclasses.replace(snapshot_networks, G_ema=_CopyingGenerator(data.read_images(dataset, range(60))))


def test_copies_are_detected(copying, tmp_path):
    (result,) = evaluate.evaluate(copying, registry.parse_list("memorisation40"), Options(), folder=tmp_path)
    assert {name: estimate.value for name, estimate in result.values.items()} == {
        "memorisation40_features": 1.0,
        "memorisation40_pixels": 1.0,
        "memorisation40_copies": 1.0,
        "memorisation40_copies_features": 1.0,
        "memorisation40_copies_pixels": 1.0,
    }
    assert result.protocol["held_out"] == "leave one out"
    assert (tmp_path / "metric-memorisation40-network-snapshot-000007.png").stat().st_size > 1000


def test_held_out_images_count_as_new_photographs(snapshot_networks, copying, tmp_path):
    rng = np.random.default_rng(9)
    with data.DatasetWriter(tmp_path / "new", resolution=8, channels=3) as writer:
        for number in range(30):
            writer.add(rng.integers(0, 128, (8, 8, 3), np.uint8) + np.uint8(127 * (number % 2)))
    options = Options(held_out=str(tmp_path / "new"))
    (result,) = evaluate.evaluate(copying, registry.parse_list("memorisation40"), options)
    assert result.values["memorisation40_pixels"].value == 1
    fresh = dataclasses.replace(copying, G_ema=_CopyingGenerator(data.read_images(data.open_dataset(tmp_path / "new"), range(30))))
    other = Options(held_out=str(tmp_path / "new"), seed=1)
    (result,) = evaluate.evaluate(fresh, registry.parse_list("memorisation40"), other)  # as new as the held-out ones
    assert result.values["memorisation40_pixels"].value == pytest.approx(0.5, abs=0.15)  # 30 of each: 2 deviations
    with pytest.raises(UserError, match="training set itself"):
        evaluate.evaluate(copying, registry.parse_list("memorisation40"), Options(held_out=copying.dataset["path"]))


def test_two_devices_give_what_one_gives(snapshot_networks, monkeypatch):
    alone = bench_of(snapshot_networks).all_generated_features(600)

    class Device:
        def __init__(self, name):
            self.name = name

    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [Device("/CPU:0"), Device("/device:CPU:0")])
    bench = bench_of(snapshot_networks)
    bench.cache = bench.cache.parent / "elsewhere"
    assert len(bench.workers) == 2
    assert bench.workers[0].generated.G is not bench.workers[1].generated.G
    np.testing.assert_allclose(bench.all_generated_features(600), alone, rtol=1e-4, atol=1e-4)


def test_results_keep_their_order_and_errors_are_raised():
    started = threading.Barrier(2, timeout=20)  # both run at once, or this times out

    def task(worker, item):
        if item < 2:
            started.wait()
        if item == 7:
            raise UserError("seven")
        return item

    results = generated.run_in_order(["a", "b"], task, range(10))
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(UserError, match="seven"):
        next(results)
