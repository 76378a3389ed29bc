"""Scores by class, and D's scores: against the same computed by hand, and what they must see."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from metrics import classifiers, evaluate, program, registry
from metrics.bench import Bench
from metrics.class_scores import asked_classes
from metrics.discriminator_scores import generated_logits
from metrics.features.moments import frechet_distance, moments_of
from metrics.options import Options
from stylegan_tf import data
from stylegan_tf.errors import UserError
from stylegan_tf.snapshot import save_networks

pytestmark = pytest.mark.usefixtures("stand_in")


@pytest.fixture
def few_steps(monkeypatch):
    monkeypatch.setattr(classifiers, "_STEPS", 60)


def scored(scored, names, **options):
    return evaluate.evaluate(scored, registry.parse_list(names), Options(**options))


def test_fid_of_each_class_is_that_of_its_own_images(snapshot_networks, stand_in):
    dataset = data.open_dataset(snapshot_networks.dataset["path"])
    (result,) = scored(snapshot_networks, "fid60_classes_full")
    bench = Bench(snapshot_networks, dataset, Options())
    fakes, asked = bench.all_generated_features(60), asked_classes(bench, 60)
    np.testing.assert_array_equal(asked, bench.workers[0].generated.labels(0)[:60].argmax(1))
    reals, classes = stand_in(data.read_images(dataset, range(60))), dataset.labels.argmax(1)
    by_hand = [frechet_distance(moments_of([fakes[asked == c]]), moments_of([reals[classes == c]])) for c in range(2)]
    assert list(result.classes) == ["dark", "light"]
    np.testing.assert_allclose(list(result.classes.values()), by_hand, rtol=1e-6)
    assert result.values["fid60_classes_full"].value == pytest.approx(np.mean(by_hand))
    assert result.values["fid60_classes_full_worst"].value == pytest.approx(max(by_hand))
    assert f"by class: dark {by_hand[0]:.4g}, light" in result.text()
    assert type(result).from_json(result.json()).classes == result.classes


@pytest.mark.parametrize(("is_swapped", "expected"), [(False, 1.0), (True, 0.0)])
def test_accuracy_is_of_the_class_that_was_asked_for(leaves_path, few_steps, tmp_path, is_swapped, expected):
    dataset = data.open_dataset(leaves_path)
    for number, image in enumerate(data.read_images(dataset, range(20))):
        folder = tmp_path / "drawn" / ("dark", "light")[(number % 2) ^ is_swapped]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    arguments = ["accuracy_labels", "--images", str(tmp_path / "drawn"), "--data", str(leaves_path), "--outdir", str(tmp_path / "out")]
    assert program.run_all(arguments) == 0
    line = json.loads((tmp_path / "out" / "metric-accuracy20_labels.jsonl").read_text())
    assert line["values"]["accuracy20_labels"]["value"] == expected
    assert line["values"]["accuracy20_labels_classifier"]["value"] == 1  # the classifier's own
    assert line["classes"] == {"dark": expected, "light": expected}


def test_scores_by_class_need_classes_that_were_asked_for(snapshot_networks, leaves_path, tmp_path, capsys):
    unconditional = dataclasses.replace(snapshot_networks, G_ema=SimpleNamespace(resolution=8, channels=3, label_size=0))
    with pytest.raises(UserError, match="no class was requested"):
        scored(unconditional, "fid40_classes")
    for name in ("0", "1"):
        (tmp_path / "digits" / name).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (8, 8)).save(tmp_path / "digits" / name / f"{number}.png")
    assert program.run_all(["fid_classes", "--images", str(tmp_path / "digits"), "--data", str(leaves_path)]) == 2
    assert "are 0, 1; those of" in capsys.readouterr().err


class BrightnessD:
    """Calls an image real where it is brighter than grey."""

    def __call__(self, images, labels=None, lod=0.0, training=False):
        assert labels.shape == (images.shape[0], 2)
        assert not training
        return tf.reduce_mean(images, axis=[1, 2, 3])[:, None]


def test_discriminator_scores(snapshot_networks, leaves_path, tmp_path):
    networks = dataclasses.replace(snapshot_networks, D=BrightnessD())
    with data.DatasetWriter(tmp_path / "held", resolution=8, channels=3, class_names=["dark", "light"]) as writer:
        for number in range(30):
            writer.add(np.full((8, 8, 3), 255 - number, np.uint8), label=number % 2)
    (result,) = scored(networks, "d_scores60", held_out=str(tmp_path / "held"))
    values = {name.removeprefix("d_scores60_"): estimate.value for name, estimate in result.values.items()}
    assert values["training"] == 0.5  # the light half
    assert values["held_out"] == 1
    assert values["separates_held_out"] == 0  # all are brighter than the training images
    logits = generated_logits(Bench(networks, data.open_dataset(leaves_path), Options()), 60)
    assert values["generated"] == np.mean(logits > 0)
    reals = data.read_images(data.open_dataset(leaves_path), range(60)).mean((1, 2, 3)) / 127.5 - 1
    assert values["separates_generated"] == pytest.approx(np.mean(logits[:, None] < reals), abs=1e-6)
    assert result.protocol["num_held_out"] == 30


def test_discriminator_scores_of_a_snapshot_that_is_growing(snapshot_networks, tmp_path):
    networks = dataclasses.replace(snapshot_networks, lod=0.5)
    save_networks(tmp_path / "network-snapshot-000007.pkl", networks)
    assert program.run_all(["d_scores20", "--network", str(tmp_path)]) == 0
    line = json.loads((tmp_path / "metric-d_scores20.jsonl").read_text())
    assert set(line["values"]) == {"d_scores20_generated", "d_scores20_training", "d_scores20_separates_generated"}
    assert (tmp_path / "metric-d_scores20-network-snapshot-000007-logits.svg").exists()
