"""Adding a metric takes one file and one line of the registry; and metrics of images work for any generator."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from metrics import evaluate, program, registry
from metrics.bench import Bench
from metrics.during_training import snapshot_scores
from metrics.generated import Generated
from metrics.options import Options
from stylegan_tf import data, images, safe_pickle
from stylegan_tf.errors import UserError
from stylegan_tf.models.base import Generator
from stylegan_tf.settings import NetworkSettings
from stylegan_tf.snapshot import save_networks
from stylegan_tf.training.best import BestSnapshot, BestValue
from stylegan_tf.training.run_dir import create

pytestmark = pytest.mark.usefixtures("stand_in")


@pytest.fixture
def brightness(monkeypatch):
    monkeypatch.setattr(registry, "METRICS", (*registry.METRICS, "tests.metrics.tiny_metric:MeanBrightness"))


@pytest.mark.usefixtures("brightness")
def test_a_new_metric_is_scored_from_the_command_line(snapshot_networks, tmp_path, capsys):
    save_networks(tmp_path / "network-snapshot-000007.pkl", snapshot_networks)
    assert program.run_all(["brightness20", "--network", str(tmp_path)]) == 0
    line = json.loads((tmp_path / "metric-brightness20.jsonl").read_text())
    bench = Bench(snapshot_networks, data.open_dataset(snapshot_networks.dataset["path"]), Options())
    pixels = np.concatenate([batch.numpy() for _, batch in bench.workers[0].generated.batches(0, 20)])
    assert line["values"]["brightness20"]["value"] == pytest.approx(pixels.mean(), rel=1e-5)
    assert "**" in (tmp_path / "metrics.md").read_text()
    capsys.readouterr()
    assert program.run_all(["--list"]) == 0
    assert "mean of all pixels\n    higher is better; needs generated images only; 10 images or more" in capsys.readouterr().out


@pytest.mark.usefixtures("brightness")
def test_a_new_metric_names_the_best_snapshot_of_a_run(snapshot_networks, tmp_path, leaves_path):
    scores = snapshot_scores("brightness20", leaves_path)
    assert scores.best_value("brightness20") == BestValue("brightness20", lower_is_better=False)
    best = BestSnapshot(create(tmp_path, "x"), scores.best_value("brightness20"))
    for name, brightness in (("dark.pkl", -1.0), ("light.pkl", 1.0)):
        values = scores.compute(tmp_path / name, dataclasses.replace(snapshot_networks, G_ema=PlainGenerator(brightness)), 7000)
        best.compare(name, values)
    assert best.name == "light.pkl"
    assert best.value == 255


@dataclasses.dataclass(frozen=True)
class PlainSettings(NetworkSettings):
    brightness: float = 0.0


class PlainGenerator(Generator):
    """A generator without styles or weights: images of one brightness in [-1, 1]."""

    settings_type = PlainSettings
    z_dim = 4

    def __init__(self, brightness=0.0):
        super().__init__(PlainSettings(brightness), resolution=8)

    def sample(self, z, labels, *, lod, training=False, noise_seed=None):
        return tf.fill([len(z), 8, 8, 3], tf.constant(self.settings.brightness))


def test_metrics_of_images_need_no_styles(snapshot_networks):
    networks = dataclasses.replace(snapshot_networks, G_ema=PlainGenerator(), model="dcgan")
    results = evaluate.evaluate(networks, registry.parse_list("fid40,kid40,pr40_3,memorisation40"), Options())
    assert np.isfinite(results[0].values["fid40"].value)


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ("fid40,ppl20_wfull", {}, "ppl20_wfull needs a generator with styles .* The model dcgan has none"),
        ("ls40", {}, "ls40 needs a generator with styles .* The model dcgan has none"),
        ("fid40", {"truncation_psi": 0.7}, "--trunc and --noise need a generator with styles. The model dcgan"),
    ],
)
def test_a_model_without_styles_is_refused_before_work_begins(snapshot_networks, stand_in, names, options, message):
    networks = dataclasses.replace(snapshot_networks, G_ema=PlainGenerator(), model="dcgan")
    with pytest.raises(UserError, match=message):
        evaluate.evaluate(networks, registry.parse_list(names), Options(**options))
    assert stand_in.calls == 0


def test_a_snapshot_is_read_once(snapshot_networks, tmp_path, monkeypatch):  # it was read three times on the way to a score
    for kimg in (7, 14):
        save_networks(tmp_path / f"network-snapshot-{kimg:06d}.pkl", dataclasses.replace(snapshot_networks, nimg=kimg * 1000))
    opened = []
    read_pickle = safe_pickle.read_pickle
    monkeypatch.setattr(safe_pickle, "read_pickle", lambda path, **options: opened.append(path.name) or read_pickle(path, **options))
    assert program.run_all(["fid40", "--network", str(tmp_path)]) == 0
    assert opened == ["network-snapshot-000014.pkl"]
    assert program.run_all(["fid40", "--network", str(tmp_path), "--all"]) == 0
    assert opened[1:] == ["network-snapshot-000007.pkl", "network-snapshot-000014.pkl"]


def test_levels_on_the_device_are_those_of_the_library():
    levels = np.linspace(-1.2, 1.2, 8 * 8 * 3, dtype=np.float32).reshape(1, 8, 8, 3)
    levels[0, 0, 0] = [np.nan, np.inf, -np.inf]

    class Levels(PlainGenerator):
        def sample(self, z, labels, *, lod, training=False, noise_seed=None):
            return tf.constant(levels)

    generated = Generated(Levels(), None, lod=0.0, options=Options(batch_size=1), device="/CPU:0")
    _, drawn = next(generated.batches(0, 1))
    np.testing.assert_array_equal(drawn, images.to_uint8(levels))
