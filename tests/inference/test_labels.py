"""Labels that are not classes: what a snapshot keeps of them, and what generate.py makes of it."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

import dataset_tool
import generate
from stylegan_tf import command_line, safe_pickle, snapshot
from stylegan_tf.data import DatasetWriter, open_dataset
from stylegan_tf.data.records.dataset import label_examples
from stylegan_tf.images import to_uint8
from stylegan_tf.seeds import labels_from_seeds, latents_from_seeds
from stylegan_tf.settings import DataSettings
from stylegan_tf.snapshot_file import read_contents
from tests.inference.small_network import small_discriminator, small_generator
from tests.training.conftest import resume_run, start_run, tiny_dataset, tiny_settings  # noqa: F401  fixtures

LABELS = np.array([[13, 90], [15, 80], [-2, 85.5]], np.float32)


def program(main, *arguments):
    return command_line.run(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module", name="place")
def folder_of_the_network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    G, D = small_generator(label_size=2), small_discriminator(label_size=2)
    snapshot.save_networks(folder / "known.pkl", snapshot.Networks(G, D, G, dataset={"label_examples": LABELS}))
    snapshot.save_networks(folder / "old.pkl", snapshot.Networks(G, D, G, dataset={}))
    return folder, G


def made_dataset(folder, labels, **options):
    with DatasetWriter(folder, resolution=8, channels=1, **options) as writer:
        for label in labels:
            writer.add(np.zeros((8, 8, 1), np.uint8), label=label)
    return open_dataset(folder)


def image_of(G, seed, label):
    return to_uint8(G.synthesis(G.mapping(latents_from_seeds([seed], G.z_dim), label[None]), noise_mode="const").numpy())[0].astype(int)


def test_labels_of_the_data_are_used(place, tmp_path):
    folder, G = place
    arguments = ("images", "--network", folder / "known.pkl", "--trunc", "1", "--seeds", "3-4")
    assert program(generate.main, *arguments, "--outdir", tmp_path / "a") == 0
    assert program(generate.main, *arguments, "--outdir", tmp_path / "b", "--label", "14,88") == 0
    assert program(generate.main, "interpolate", "--network", folder / "known.pkl", "--frames", "1", "--output", tmp_path / "walk.gif") == 0
    for name, labels in {"a": labels_from_seeds([3, 4], LABELS), "b": np.array([[14, 88]] * 2, np.float32)}.items():
        for seed, label in zip((3, 4), labels, strict=True):
            written = np.asarray(Image.open(tmp_path / name / f"seed000{seed}.png"))
            assert np.abs(written - image_of(G, seed, label)).max() <= 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--class=1", "are not classes: use --label, such as --label=13,90, instead of --class"),
        ("--label=1", "has labels of 2 numbers"),
        ("--label=1,x", "--label must be numbers"),
        ("--label=1,1e99", "must be numbers of float32"),
        ("--label=1,2 --class=1", "exclude each other"),
    ],
)
def test_labels_that_do_not_fit_are_refused(place, capsys, option, message):
    assert program(generate.main, "images", "--network", place[0] / "known.pkl", "--seeds", "1", *option.split()) == 2
    assert message in capsys.readouterr().err


def test_a_network_that_does_not_say_what_its_labels_are(place, tmp_path, capsys):
    command = ("images", "--network", place[0] / "old.pkl", "--seeds", "1", "--outdir", tmp_path)
    assert program(generate.main, *command) == 0
    assert "does not state whether its labels are classes" in capsys.readouterr().out
    assert program(generate.main, *command, "--class", "1") == 0  # several labels for an image cannot be excluded here either
    assert "does not state whether its labels are classes" in capsys.readouterr().out
    assert program(generate.main, *command, "--label", "1,0") == 0
    assert "Note" not in capsys.readouterr().out


def test_old_snapshots_learn_from_their_data_whether_labels_are_classes(place, tmp_path, capsys):
    names = ["smiling", "glasses"]
    several = made_dataset(tmp_path / "several", np.array([[1, 1], [0, 1], [1, 0]], np.float32), class_names=names)
    one = made_dataset(tmp_path / "one", [0, 1, 1], class_names=names)
    assert several.manifest.class_counts == {}  # sums are not numbers of images
    value = safe_pickle.read_pickle(place[0] / "old.pkl")
    files = {}
    for name, dataset, digest in [("several", several, several.digest), ("one", one, one.digest), ("changed", several, "sha256:0")]:
        value["dataset"] = {"path": str(dataset.path), "digest": digest, "class_names": names}
        files[name] = tmp_path / f"{name}.pkl"
        safe_pickle.write_pickle(files[name], value)
    command = ("images", "--seeds", "1", "--outdir", tmp_path / "out", "--network")
    assert program(generate.main, *command, files["several"], "--class", "glasses") == 2
    assert "are not classes: use --label, such as --label=1,1" in capsys.readouterr().err
    assert program(generate.main, *command, files["several"], "--label", "1,1") == 0
    assert program(generate.main, *command, files["one"], "--class", "glasses") == 0
    assert program(generate.main, *command, files["one"]) == 0
    assert "Note" not in capsys.readouterr().out
    assert program(generate.main, *command, files["changed"]) == 0
    assert "does not state whether its labels are classes" in capsys.readouterr().out


@pytest.mark.parametrize("labels", [np.zeros((0, 2), np.float32), LABELS.T, LABELS * np.nan, LABELS.astype(np.float64), [[1.0, 2.0]], "x"])
def test_impossible_examples_in_a_file_are_refused(place, tmp_path, labels):
    value = safe_pickle.read_pickle(place[0] / "known.pkl")
    value["dataset"]["label_examples"] = labels
    safe_pickle.write_pickle(tmp_path / "bad.pkl", value)
    with pytest.raises(ValueError, match="label_examples"):
        read_contents(tmp_path / "bad.pkl")


def test_what_a_snapshot_keeps(tmp_path):
    continuous = made_dataset(tmp_path / "continuous", np.arange(600, dtype=np.float32).reshape(300, 2))
    kept = label_examples(continuous)
    assert kept.shape == (256, 2)
    assert len(np.unique(kept, axis=0)) == 256
    np.testing.assert_array_equal(label_examples(made_dataset(tmp_path / "multi", LABELS)), LABELS)
    assert label_examples(made_dataset(tmp_path / "classes", [0, 1, 1], class_names=["a", "b"])) is None
    assert label_examples(made_dataset(tmp_path / "missing", np.eye(3, dtype=np.float32) * [[1], [1], [0]])) is None
    assert label_examples(made_dataset(tmp_path / "single", np.array([[0], [1]], np.float32))) is not None


def test_info_shows_ranges_and_means(tmp_path, capsys):
    made_dataset(tmp_path / "set", LABELS, class_names=["height", "weight"])
    capsys.readouterr()
    assert program(dataset_tool.main, "info", tmp_path / "set") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["height", "-2", "to", "15,", "mean", "8.66667"] in lines
    assert program(dataset_tool.main, "info", tmp_path / "set", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["classes"] == {}
    assert facts["label_ranges"]["weight"] == [80, 90, pytest.approx(85.1667, abs=1e-3)]


def test_a_run_with_such_labels_is_trained_and_resumed(tiny_settings, start_run, resume_run, tmp_path):  # noqa: F811
    made_dataset(tmp_path / "set", np.repeat(LABELS / 100, 8, axis=0))
    short = dataclasses.replace(tiny_settings.schedule, total_kimg=0.032, start_resolution=8)
    settings = dataclasses.replace(tiny_settings, data=DataSettings(path=str(tmp_path / "set"), conditional=True), schedule=short)
    code, folder = start_run(settings)
    longer = dataclasses.replace(settings, schedule=dataclasses.replace(short, total_kimg=0.064))
    assert (code, resume_run(folder, longer)) == (0, 0)
    kept = read_contents(folder / "network-final.pkl").label_examples
    assert sorted(set(map(tuple, kept))) == sorted(map(tuple, LABELS / 100))
    assert "label_examples" not in json.loads((folder / "config.json").read_text())["dataset"]
