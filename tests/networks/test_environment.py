"""Networks are float32 on TensorFlow unless told otherwise, whatever the environment says to Keras."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import stylegan_tf
from stylegan_tf import snapshot
from tests.inference.small_network import small_discriminator, small_generator

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="module", name="network")
def saved_network(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "network.pkl"
    G = small_generator()
    snapshot.save_networks(path, snapshot.Networks(G, small_discriminator(), G))
    return path, np.asarray(G.preview(np.ones((1, 4), np.float32)))


@pytest.fixture
def restored_keras():
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def python(script, **environment):
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "TF_CPP_MIN_LOG_LEVEL": "3", **environment}
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("policy", ["float16", "mixed_float16", "mixed_bfloat16", "bfloat16", "float64"])
def test_load_is_float32_unless_told(network, restored_keras, policy):
    path, expected = network
    keras.config.set_dtype_policy(policy)
    if policy in ("float16", "float64"):
        keras.config.set_floatx(policy)
    loaded = stylegan_tf.load(path)
    for net in loaded.by_name().values():
        assert {layer.dtype_policy.name for layer in net._flatten_layers()} == {"float32"}
    np.testing.assert_array_equal(loaded.G_ema.preview(np.ones((1, 4), np.float32)), expected)
    assert stylegan_tf.load(path, dtype="mixed_bfloat16").G_ema.compute_dtype == "bfloat16"


@pytest.mark.parametrize(
    "content",
    [{"backend": "jax"}, {"backend": "none"}, {"floatx": "float16"}, {"floatx": "float64", "image_data_format": "channels_first"}],
)
def test_variables_and_keras_json_of_other_programs_have_no_effect(network, tmp_path, content):
    (tmp_path / "keras.json").write_text(json.dumps(content))
    arguments = ["images", "--network", str(network[0]), "--seeds", "1", "--outdir", str(tmp_path)]
    script = (
        f"import generate\nfrom stylegan_tf import command_line\ncode = command_line.run(generate.main, {arguments})\nimport keras\n"
        "print(keras.config.backend(), keras.config.floatx(), keras.config.dtype_policy().name, keras.config.image_data_format(), code)"
    )
    done = python(script, KERAS_BACKEND="torch", TF_USE_LEGACY_KERAS="1", KERAS_HOME=str(tmp_path))
    assert done.stdout.splitlines()[-1:] == ["tensorflow float32 float32 channels_last 0"], done.stderr
    assert (tmp_path / "seed0001.png").exists()


def test_keras_json_is_not_opened_and_variables_of_keras_have_no_effect(tmp_path):
    # A pipe was waited for; contents and variables that Keras refuses were errors, some with a traceback, some that named another reason.
    os.mkfifo(tmp_path / "keras.json")
    script = (
        "import os, sys\nfrom stylegan_tf import command_line as c\ncode = c.run(lambda argv: c.import_tensorflow(), [])\n"
        "import keras\nprint(code, keras.config.max_epochs(), keras.config.max_steps_per_epoch(), keras.config.is_nnx_enabled())"
    )
    variables = {"KERAS_MAX_EPOCHS": "one", "KERAS_MAX_STEPS_PER_EPOCH": "1", "KERAS_NNX_ENABLED": "1"}
    done = python(script, KERAS_HOME=str(tmp_path), **variables)
    assert (done.stdout, done.stderr) == ("0 None None False\n", "")


@pytest.mark.parametrize("name", ["stylegan_tf.Generator", "stylegan_tf.training.train", "stylegan_tf.load(FILE)"])
def test_keras_json_has_no_effect_on_scripts(name, tmp_path, network):  # a file that Keras refuses was a traceback of its import
    (tmp_path / "keras.json").write_text('{"floatx": 3}')
    code = name.replace("FILE", repr(str(network[0])))
    shown = "keras.config.floatx(), os.environ['KERAS_HOME']"
    done = python(f"import os, stylegan_tf.training\n{code}\nimport keras\nprint({shown})", KERAS_HOME=str(tmp_path))
    assert done.stdout == f"float32 {tmp_path}\n", done.stderr


def test_keras_of_another_backend_is_refused(network):
    script = (
        "import types, sys, keras\nkeras.config.backend = lambda: 'jax'\nimport stylegan_tf\n"
        f"try: stylegan_tf.load({str(network[0])!r})\nexcept ValueError as error: print(error)"
    )
    done = python(script)
    assert "imported with the backend jax" in done.stdout, done.stderr
