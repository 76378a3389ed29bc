"""Classifiers that a user names: what is wrong or hostile ends in one line."""

import io
import json
import os
import zipfile

import h5py
import keras
import numpy as np
import pytest

from metrics import evaluate, registry
from metrics.options import Options
from metrics.users_classifier import users_model
from stylegan_tf.errors import UserError


def saved(folder, *layers, shape=(8, 8, 3)):
    path = folder / "model.keras"
    keras.Sequential([keras.layers.Input(shape), *layers]).save(path)
    return path


def good(folder, **options):
    return saved(folder, keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1), **options)


def edited(folder, **changes):
    """A good file with other entries; None removes one."""
    path = good(folder)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()} | changes_of(changes)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            if content is not None:
                archive.writestr(name, content)
    return path


def changes_of(changes):
    names = {"config": "config.json", "weights": "model.weights.h5"}
    return {names[name]: content for name, content in changes.items()}


def text(folder):
    (folder / "model.keras").write_text("no model")
    return folder / "model.keras"


def two_inputs(folder):
    inputs = [keras.layers.Input((8, 8, 3)) for _ in range(2)]
    keras.Model(inputs, keras.layers.Flatten()(keras.layers.Add()(inputs))).save(folder / "model.keras")
    return folder / "model.keras"


def with_lambda(folder):
    return saved(folder, keras.layers.Lambda(lambda images: images[:, 0, 0]))


def layer_of(module, name, **config):
    return json.dumps({"module": module, "class_name": name, "config": config, "registered_name": name})


def pipe(folder):
    os.mkfifo(folder / "model.keras")
    return folder / "model.keras"


def with_path_outside(folder):
    path = good(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("assets/../../outside", "")
    return path


def of_many_members(folder):
    path = good(folder)
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(20_000):
            archive.writestr(f"assets/{number}", "")
    return path


def weights_that_unfold(folder):
    """Weights of 1 GB of zeros, compressed within the HDF5 file."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("layers/dense/vars/0", shape=(1 << 28,), dtype="f4", chunks=(1 << 24,), compression="gzip")
    return edited(folder, weights=content.getvalue())


HOSTILE = {
    "pipe": pipe,
    "path outside": with_path_outside,
    "many members": of_many_members,
    "weights that unfold": weights_that_unfold,
    "too much beside the weights": lambda folder: edited(folder, weights=bytes(17 << 20)),
    "text": text,
    "no configuration": lambda folder: edited(folder, config=None),
    "configuration is not JSON": lambda folder: edited(folder, config="{"),
    "configuration is a list": lambda folder: edited(folder, config="[]"),
    "configuration is null": lambda folder: edited(folder, config="null"),
    "configuration is deep": lambda folder: edited(folder, config="[" * 100_000),
    "configuration is not text": lambda folder: edited(folder, config=b"\xff\xfe"),
    "class of another library": lambda folder: edited(folder, config=layer_of("os", "system", command="true")),
    "function in place of a class": lambda folder: edited(folder, config=layer_of("keras.utils", "get_file", origin="x")),
    "unknown class": lambda folder: edited(folder, config=layer_of("keras.layers", "None\x1b[2J")),
    "configuration of another type": lambda folder: edited(folder, config=layer_of("keras", "Sequential", layers=7)),
    "no weights": lambda folder: edited(folder, weights=None),
    "damaged weights": lambda folder: edited(folder, weights=b"\x89HDF\r\n\x1a\n" + bytes(50)),
    "lambda": with_lambda,
    "two inputs": two_inputs,
    "not images": lambda folder: saved(folder, keras.layers.Dense(1), shape=(8,)),
    "not square": lambda folder: good(folder, shape=(8, 4, 3)),
    "other channels": lambda folder: good(folder, shape=(8, 8, 1)),
    "weights are not finite": lambda folder: saved(
        folder, keras.layers.Flatten(), keras.layers.Dense(1, bias_initializer=keras.initializers.Constant(np.nan))
    ),
    "images for an answer": lambda folder: saved(folder, keras.layers.ReLU()),
    "another ending": lambda folder: good(folder).rename(folder / "model.h5"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_wrong_file_is_one_line(tmp_path, kind):
    path = HOSTILE[kind](tmp_path)
    with pytest.raises(UserError) as caught:
        users_model(str(path), 8, 3)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert message.isprintable()


def test_a_wrong_file_is_refused_before_the_first_score(tmp_path, snapshot_networks, monkeypatch):
    monkeypatch.setattr(evaluate, "_score", lambda *_: pytest.fail("scored"))
    options = Options(classifier=(str(good(tmp_path, shape=(8, 8, 1))),))
    with pytest.raises(UserError, match="expects images"):
        evaluate.evaluate(snapshot_networks, registry.parse_list("ppl10_wend"), options)


def test_an_archive_that_unfolds_is_refused(tmp_path):
    path = edited(tmp_path, config=" " * (17 << 20))
    with pytest.raises(UserError, match="unfolds to"):
        users_model(str(path), 8, 3)


def with_layers(folder, *layers):
    """A good file whose configuration has other layers behind the images; they are never built here."""
    config = {"name": "large", "layers": [
        keras.saving.serialize_keras_object(layer)
        for layer in (keras.layers.InputLayer(batch_shape=(None, 8, 8, 3)), *layers)
    ]}  # fmt: skip
    return edited(folder, config=json.dumps({"module": "keras", "class_name": "Sequential", "config": config, "registered_name": None}))


LARGE = {
    "units": ([keras.layers.Flatten(), keras.layers.Dense(1 << 40)], "a size of 1,099,511,627,776"),
    "weights": ([keras.layers.Conv2D(1 << 20, 8), keras.layers.Conv2D(1 << 20, 1)], "has weights of 4,3"),
    "activations": ([keras.layers.UpSampling2D(1 << 11), keras.layers.GlobalAveragePooling2D()], "a layer gives 805,306,368 numbers"),
}


@pytest.mark.parametrize("nested", [False, True])
def test_many_layers_in_a_small_configuration_are_refused(tmp_path, nested):  # 3,000 took more than 10 minutes
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "x", "layers": []}, "registered_name": None}
    for _ in range(2 if nested else 1):
        config = config | {"config": {"name": "x", "layers": [config] * (150 if nested else 3000)}}
    with pytest.raises(UserError, match="contains too many layers"):
        users_model(str(edited(tmp_path, config=json.dumps(config))), 8, 3)


@pytest.mark.parametrize("kind", LARGE)
def test_giants_in_a_small_configuration_are_refused(tmp_path, kind):
    layers, message = LARGE[kind]
    with pytest.raises(UserError, match=message):
        users_model(str(with_layers(tmp_path, *layers)), 8, 3)


def test_layers_of_many_kinds_are_read(tmp_path):
    kinds = keras.layers
    layers = [
        kinds.Rescaling(2.0), kinds.RandomFlip(seed=2**40), kinds.SeparableConv2D(4, 3, dtype="mixed_float16"), kinds.BatchNormalization(),
        kinds.Conv2D(8, 3, activation="relu"), kinds.SpatialDropout2D(0.1), kinds.Reshape((16, 8)), kinds.LayerNormalization(),
        kinds.GRU(4, return_sequences=True), kinds.Flatten(), kinds.Dropout(0.5), kinds.Dense(3),
    ]  # fmt: skip
    model, side = users_model(str(saved(tmp_path, *layers)), 16, 3)
    assert side == 8
    assert model.output_shape == (None, 3)


def test_a_good_file_is_read(tmp_path):
    model, side = users_model(str(good(tmp_path, shape=(None, None, 3))), 8, 3)
    assert side == 8
    assert np.shape(model(np.zeros((2, 8, 8, 3)))) == (2, 1)
