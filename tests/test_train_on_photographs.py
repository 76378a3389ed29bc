"""train.py with photographs in place of a dataset, and without a preset. Steps are faked, everything around them is real."""

import json
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import config
import train
from stylegan_tf import nvidia
from stylegan_tf.data.intake import photographs as intake_of_photographs
from stylegan_tf.data.intake.photographs import are_photographs
from stylegan_tf.errors import UserError
from stylegan_tf.training import devices
from tests.test_train import TINY, run  # noqa: F401  a fixture
from tests.training.conftest import tiny_dataset  # noqa: F401  a fixture

SMALL = TINY[:-4]  # minibatches are left to the choice of settings


@pytest.fixture
def photographs(tmp_path, monkeypatch):
    """A folder of 12 photographs of 9x9 to 12x12 pixels in two classes, in the current folder."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for number in range(12):
        path = tmp_path / "my photos" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (9 + number % 4, 12, 3), np.uint8)).save(path)
    return tmp_path / "my photos"


def test_photographs_become_a_dataset_once(run, photographs, tmp_path, capsys):  # noqa: F811
    code, printed, errors = run("--data", str(photographs), *SMALL, capsys=capsys)
    assert code == 0, errors
    assert "my photos: 12 images. Building a dataset in datasets/my_photos first; later runs use it again." in printed
    assert "resolution 8 was chosen: all images reach it. Set it with --set data.resolution=N." in printed
    reasons = [line.split()[0] for line in printed.split("Settings chosen")[1].splitlines()[1:5]]
    assert reasons == ["resolution", "model", "augmentation", "length"]
    assert "2 classes found and not used; --conditional trains with them" in printed
    folder = run.results / "00000-stylegan-my_photos-cpu"
    settings = json.loads((folder / "config.json").read_text())["settings"]
    assert (settings["name"], settings["augment"]["kind"], settings["data"]["resolution"]) == ("auto", "none", 8)

    code, printed, _ = run("--data", str(photographs), *SMALL, capsys=capsys)
    assert (code, "using datasets/my_photos, which was built from these 12 images" in printed) == (0, True)
    Image.new("RGB", (9, 9)).save(photographs / "a" / "new.png")
    code, printed, _ = run("--data", str(photographs), *SMALL, capsys=capsys)
    assert (code, "13 images. Building a dataset in datasets/my_photos-2" in printed) == (0, True)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="for machines without a GPU that TensorFlow sees")
def test_a_gpu_that_is_not_seen_is_named_before_the_dataset_is_built(photographs, monkeypatch, capsys):
    """The dataset would be built again for the GPU; with --gpus 0 it is meant for the CPU."""
    monkeypatch.setattr(nvidia, "read_driver", lambda: nvidia.Driver("470.1", (nvidia.Card("NVIDIA L4", (8, 9), 24.0, 1.0),)))
    sides = []
    monkeypatch.setattr(intake_of_photographs, "dataset_of", lambda path, **options: sides.append(options["max_resolution"]) or "built")
    for options in ([], ["--gpus", "0"]):
        train.count_gpus.cache_clear()
        train.prepare_data(train.parser().parse_args(["--data", str(photographs), *options]), None)
        printed = capsys.readouterr().out
        assert printed.startswith("This machine has NVIDIA L4, but TensorFlow finds no GPU: ") == (options == [])
    one = train.parser().parse_args(["--data", str(photographs), "--gpus", "1"])
    with pytest.raises(UserError, match="--gpus 1 is more than the number of visible GPUs"):
        train.prepare_data(one, None)
    assert sides == [config.CPU_RESOLUTION, config.CPU_RESOLUTION]
    monkeypatch.setattr(devices, "find_gpus", lambda number: ["GPU:0"])
    train.prepare_data(one, None)
    assert sides[2:] == [config.GPU_RESOLUTION]
    train.count_gpus.cache_clear()


def test_an_archive_of_photographs(run, photographs, tmp_path, capsys):  # noqa: F811
    with zipfile.ZipFile("pictures.zip", "w") as archive:
        for path in photographs.rglob("*.png"):
            archive.write(path, path.relative_to(photographs))
    code, printed, errors = run("--preset", "demo", "--data", "pictures.zip", *TINY, capsys=capsys)
    assert code == 0, errors
    assert "Building a dataset in datasets/pictures" in printed
    assert "12 images are few: D may memorise them." in printed
    config_of_run = json.loads((run.results / "00000-stylegan-pictures-cpu" / "config.json").read_text())
    assert config_of_run["settings"]["data"]["path"] == "datasets/pictures"


def test_labels_are_used_on_request(run, photographs, capsys):  # noqa: F811
    at = TINY.index("data.conditional=false")
    code, printed, errors = run("--data", str(photographs), "--conditional", *TINY[: at - 1], *TINY[at + 1 :], capsys=capsys)
    assert code == 0, errors
    assert "12 images, 2 classes" in printed
    assert "not used" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "empty"], "contains no images"),
        (["--data", "text.zip"], "text.zip is not a folder, zip or tar"),
        (["--data", "nowhere"], "--data nowhere does not exist. Expected a dataset, or photographs"),
        ([], "Name the training data: --data PATH"),
        (["--data", "my photos", "--preset", "demo", "--set", "loss.gamma=-1"], "loss.gamma must be"),
        (["--data", "my photos", "--set", "data.resolution=7"], "resolution"),
    ],
)
def test_bad_photographs_are_one_message(run, photographs, tmp_path, capsys, arguments, message):  # noqa: F811
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no archive")
    code, _, errors = run(*arguments, capsys=capsys)
    assert code == 2
    assert message in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "datasets").exists() or not list((tmp_path / "datasets").iterdir())
    assert not run.results.exists()


@pytest.mark.parametrize(
    ("resolution", "num_images", "num_gpus", "side", "model", "augmentation"),
    [
        (1024, 500, 0, 64, "stylegan", "none"),
        (64, 20_000, 0, 64, "stylegan", "none"),
        (32, 900, 0, 32, "stylegan", "none"),
        (16, 20_000, 0, 16, "stylegan", "none"),
        (1024, 500, 1, 256, "stylegan2", "ada"),
        (128, 100_000, 8, 128, "stylegan2", "ada"),
    ],
)
def test_chosen_settings_can_be_trained(resolution, num_images, num_gpus, side, model, augmentation):
    from types import SimpleNamespace

    from stylegan_tf.training.settings_check import check, check_minibatches

    settings, reasons = config.automatic(resolution, num_images, num_gpus=num_gpus)
    assert len(reasons) == 4
    assert (settings.data.resolution, settings.model, settings.augment.kind) == (side, model, augmentation)
    dataset = SimpleNamespace(resolution=resolution, name="x", label_size=0, channels=3)
    check_minibatches(check(settings, dataset), max(num_gpus, 1))


def test_a_folder_with_the_labels_of_stylegan2_ada_is_photographs(photographs):
    # It was taken for a dataset without records, because the file of its labels has the name of a manifest.
    (photographs / "dataset.json").write_text(json.dumps({"labels": [["a/0.png", 1], ["b/1.png", 0]]}))
    assert are_photographs(photographs)
