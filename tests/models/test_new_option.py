"""An option of a network is added in one place: a field of its settings, and the line that uses it (models/image_gain/)."""

import dataclasses
import json

import numpy as np
import pytest

import config
import stylegan_tf
import train
from metrics.generated import network_digest
from stylegan_tf import command_line, models, safe_pickle
from stylegan_tf.loading import load
from stylegan_tf.models.weights import weight_arrays, weight_shapes
from stylegan_tf.settings import DataSettings
from stylegan_tf.snapshot import Networks, build_networks, save_networks
from stylegan_tf.training import run as runs
from stylegan_tf.training import transfer
from tests.models.image_gain.model import MODEL, GainGenerator
from tests.models.image_gain.settings import GeneratorSettings, Settings
from tests.settings_tables import tables
from tests.training.fake_trainer import FakeTrainer

SMALL = {"z_dim": 4, "w_dim": 4, "mapping_layers": 1, "mapping_fmaps": 4, "fmap_max": 4}


@pytest.fixture(autouse=True)
def registered(monkeypatch, tiny_settings):
    """The model, and a preset of it."""
    monkeypatch.setitem(models.PACKAGES, "image_gain", "tests.models.image_gain")
    groups = {name: getattr(tiny_settings, name) for name in ("D", "optimizer", "schedule", "data", "run")}
    preset = Settings("gain", G=GeneratorSettings(**SMALL), **groups)
    monkeypatch.setitem(config.PRESETS, "gain", lambda: preset)
    monkeypatch.setattr(runs, "make_trainer", lambda networks, settings, *_: FakeTrainer(networks, settings.run.seed))


@pytest.fixture
def run(tmp_path, capsys):
    """A function that runs train.py: exit code, output, errors."""

    def run(*arguments):
        code = command_line.run(train.main, ["--outdir", str(tmp_path), *arguments])
        return (code, *capsys.readouterr())

    return run


def make_networks(gain, **options):
    G = GeneratorSettings(**{**SMALL, **options}, image_gain=gain)
    D = Settings("x").D
    D = dataclasses.replace(D, fmap_max=4)
    shape = {"resolution": 8, "channels": 3, "label_size": 0}
    return Networks(**build_networks("image_gain", {"G": G, "D": D, "G_ema": G}, shape), model="image_gain")


def test_the_command_line_checks_its_range(run):
    code, _, errors = run("--preset", "gain", "--set", "G.image_gain=11")
    assert (code, errors) == (2, "error: G.image_gain must be from 0 to 10. Received: 11\n")
    code, _, errors = run("--preset", "gain", "--set", "G.image_gain=high")
    assert (code, errors) == (2, "error: G.image_gain must be a number. Received: 'high'\n")


def test_a_run_saves_and_keeps_it(run, tmp_path):
    code, _, errors = run("--preset", "gain", "--set", "G.image_gain=2")
    assert code == 0, errors
    (folder,) = tmp_path.iterdir()
    assert folder.name == "00000-image_gain-tiny-cpu"
    assert json.loads((folder / "config.json").read_text())["settings"]["G"]["image_gain"] == 2
    assert stylegan_tf.load(folder).G_ema.settings.image_gain == 2
    code, printed, errors = run("--resume", "latest", "--set", "G.image_gain=3", "--total-kimg", "0.16")
    assert code == 0, errors
    assert "G.image_gain: 2.0 in the run, 3.0 requested: not changed" in printed
    networks = stylegan_tf.load(folder)
    assert (networks.nimg, networks.G_ema.settings.image_gain) == (160, 2)


def test_snapshots_contain_it(tmp_path):
    networks, z = make_networks(2.0), np.ones([1, 4], np.float32)
    save_networks(tmp_path / "new.pkl", networks)
    loaded = load(tmp_path / "new.pkl")
    assert loaded.G.settings == networks.G.settings
    images = networks.G.sample(z, noise_seed=[0, 0])
    np.testing.assert_array_equal(loaded.G.sample(z, noise_seed=[0, 0]), images)
    value = safe_pickle.read_pickle(tmp_path / "new.pkl")
    del value["G_settings"]["image_gain"]
    safe_pickle.write_pickle(tmp_path / "old.pkl", value)  # as written before the option existed
    old = load(tmp_path / "old.pkl")
    assert old.G.settings.image_gain == 1
    np.testing.assert_allclose(2 * old.G.sample(z, noise_seed=[0, 0]).numpy(), images, rtol=1e-6)


def test_keras_configurations_contain_it():
    G = make_networks(2.0).G
    assert GainGenerator.from_config(G.get_config()).settings == G.settings


def test_weights_are_transferred_between_networks_with_other_values():
    source, target = make_networks(2.0), make_networks(3.0)
    rows = transfer.transfer(MODEL, source, target.by_name(), min_share=1.0)
    assert {row.action for row in rows} == {"copied"}
    assert target.G.settings.image_gain == 3
    for name, array in weight_arrays(source.G).items():
        np.testing.assert_array_equal(weight_arrays(target.G)[name], array)


def test_stored_features_of_another_value_are_not_used():
    networks, other = make_networks(2.0), make_networks(3.0)
    other.G.set_weights(networks.G.get_weights())
    assert network_digest(networks.G, 0.0) != network_digest(other.G, 0.0)
    same = make_networks(2.0)
    same.G.set_weights(networks.G.get_weights())
    assert network_digest(networks.G, 0.0) == network_digest(same.G, 0.0)


def test_shapes_are_known_before_the_network_is_built():
    settings = GeneratorSettings(**SMALL, image_gain=2)
    shapes = weight_shapes(lambda: GainGenerator(settings, resolution=8))
    assert shapes == {name: array.shape for name, array in weight_arrays(make_networks(2.0).G).items()}


def test_the_tables_of_settings_list_it():
    assert "| `image_gain` | 1 | factor on the images |" in tables()
    lines = tables().splitlines()
    section = lines[lines.index("| `image_gain` | 1 | factor on the images |") - 40 :]
    assert "| `mapping_lrmul` | 0.01 | learning rate of the mapping network relative to the rest |" in section  # inherited


def test_settings_made_in_python_are_checked():
    from stylegan_tf.errors import UserError
    from stylegan_tf.training.settings_check import check

    with pytest.raises(UserError, match=r"G.image_gain must be from 0 to 10. Received: -1"):
        check(Settings("x", G=GeneratorSettings(image_gain=-1.0), data=DataSettings(resolution=8)))
