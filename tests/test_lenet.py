"""LeNet: its layers against NumPy, its training, its files, and the command."""

import numpy as np
import pytest

from stylegan_tf import command_line, lenet, lenet_file, lenet_training
from stylegan_tf.data import DatasetWriter
from stylegan_tf.errors import MissingFileError, UserError
from tests.closeness import assert_close
from tests.models import tiny_presets


def patterns(num_images, seed):
    """Images of ten classes that are easy to tell apart, uint8 [N, 32, 32, 1], and their classes."""
    labels = np.arange(num_images) % 10
    images = np.random.RandomState(seed).randint(0, 40, (num_images, 32, 32, 1)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[3 * label : 3 * label + 3] += 200
    return images, labels


@pytest.fixture(scope="module", name="trained")
def trained_lenet():
    return lenet_training.train(*patterns(600, 0), *patterns(100, 1), epochs=12)


def test_number_of_weights_is_the_studys():
    assert sum(np.prod(shape) for shape in lenet_file.SHAPES.values()) == 61_706
    assert sum(variable.numpy().size for variable in lenet.fresh(channels=2).weights.values()) == 61_856


def test_layers_equal_numpy(tmp_path):
    network = lenet.load(tiny_presets.write_classifier(tmp_path / "lenet.npz"))
    weights = {name: np.float64(array) for name, array in network.weights.items()}
    x = images = np.random.RandomState(0).uniform(-1, 1, (2, 32, 32, 1))
    for name in ("conv1", "conv2"):
        side = x.shape[1] - 4
        kernel = weights[f"{name}/kernel"]
        x = np.stack([[np.einsum("nhwc,hwco->no", x[:, i : i + 5, j : j + 5], kernel) for j in range(side)] for i in range(side)])
        x = np.maximum(x.transpose(2, 0, 1, 3) + weights[f"{name}/bias"], 0)
        x = x.reshape(2, side // 2, 2, side // 2, 2, -1).max(axis=(2, 4))
    x = x.reshape(2, 400)
    for name in ("dense1", "dense2"):
        x = np.maximum(x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"], 0)
    assert_close(network.activations(np.float32(images)), x, 1e-5)
    assert_close(network(np.float32(images)), x @ weights["dense3/kernel"] + weights["dense3/bias"], 1e-5)


def test_training_learns_and_a_file_keeps_it(trained, tmp_path):
    assert trained.accuracy > 0.95
    assert trained.is_converged
    lenet_file.write(tmp_path / "x.npz", trained)
    read = lenet_file.read(tmp_path / "x.npz")
    assert (read.is_converged, read.accuracy) == (True, trained.accuracy)
    assert lenet_training.accuracy(lenet.load(tmp_path / "x.npz"), *patterns(100, 1)) == trained.accuracy


def test_training_stops_at_an_accuracy():
    stopped = lenet_training.train(*patterns(600, 0), *patterns(100, 1), epochs=20, stop_at=0.5)
    assert stopped.accuracy >= 0.5
    assert not stopped.is_converged
    with pytest.raises(UserError, match=r"below 0\.999"):
        lenet_training.train(*patterns(200, 0), *patterns(100, 1), epochs=1, stop_at=0.999)


def test_files_that_are_not_lenets_are_refused(tmp_path):
    with pytest.raises(MissingFileError, match=r"lenet_training --data \S+ --test \S+ --stop-at 0.947 --out \S+missing.npz$"):
        lenet_file.read(tmp_path / "missing.npz")
    weights = {name: np.zeros(shape, np.float32) for name, shape in lenet_file.SHAPES.items()}
    for name, array, message in (
        ("dense3/bias", np.zeros(9, np.float32), "dense3/bias has another shape"),
        ("dense3/bias", np.full(10, np.nan, np.float32), "not finite"),
        ("accuracy", np.zeros(2), "accuracy has another shape"),
    ):
        np.savez(tmp_path / "x.npz", **{**weights, "is_converged": True, "accuracy": 0.9, name: array})
        with pytest.raises(UserError, match=message):
            lenet_file.read(tmp_path / "x.npz")
    np.savez(tmp_path / "x.npz", accuracy=0.9)
    with pytest.raises(UserError, match="must contain an array"):
        lenet_file.read(tmp_path / "x.npz")


def test_the_command_trains_and_refuses_other_images(tmp_path, capfd):
    folders = {}
    for name, channels in (("digits", 1), ("colours", 3)):
        folders[name] = tmp_path / name
        with DatasetWriter(folders[name], resolution=32, channels=channels, class_names=list("0123456789")) as writer:
            for image, label in zip(*patterns(40, 0), strict=True):
                writer.add(np.repeat(image, channels, axis=2), label=label)
    out = tmp_path / "made" / "x.npz"
    options = ["--test", str(folders["digits"]), "--epochs", "1", "--out"]
    assert command_line.run(lenet_training.main, ["--data", str(folders["digits"]), *options, str(out)]) == 0
    assert "of 40 test digits recognised" in capfd.readouterr().out
    assert lenet_file.read(out).is_converged
    assert command_line.run(lenet_training.main, ["--data", str(folders["colours"]), *options, str(out)]) == 2
    assert "LeNet needs 32x32x1 and ten classes" in capfd.readouterr().err
    assert command_line.run(lenet_training.main, ["--data", str(folders["digits"]), *options, "x.pkl"]) == 2
    assert "--out must end in .npz" in capfd.readouterr().err
