"""Exported networks compute the same images where this package is not installed."""

import subprocess
import sys
import textwrap

import keras
import numpy as np
import pytest

from stylegan_tf.errors import UserError
from stylegan_tf.inference.export import saved_model
from stylegan_tf.seeds import latents_from_seeds
from tests.inference.small_network import small_generator

ELSEWHERE = """
import sys
sys.modules["stylegan_tf"] = None  # importing it fails
import numpy as np, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
given = dict(np.load(sys.argv[2]))
calls = {"latents": ["z"], "serving_default": ["z"], "mapping": ["z"], "synthesis": ["ws"], "w": ["w"]}
labels = {"labels": tf.constant(given["labels"])} if "labels" in given else {}
computed = {}
for name, inputs in calls.items():
    extra = labels if name not in ("synthesis", "w") else {}
    output, = model.signatures[name](**{key: tf.constant(given[key]) for key in inputs}, **extra).values()
    computed[name] = output.numpy()
np.savez(sys.argv[3], **computed)
"""


def compute_elsewhere(folder, model, **given):
    """Every signature's output, computed by another process that cannot import this package."""
    np.savez(folder / "given.npz", **given)
    command = [sys.executable, "-c", textwrap.dedent(ELSEWHERE), str(model), str(folder / "given.npz"), str(folder / "computed.npz")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(np.load(folder / "computed.npz"))


def test_savedmodel_in_a_fresh_process(tmp_path):
    G = small_generator()
    path = saved_model.export_savedmodel(saved_model.ExportedStyleGenerator(G, psi=0.7, cutoff=2), tmp_path / "model")
    z = latents_from_seeds([5, 91, 388], 4)
    ws = G.mapping(z).numpy()
    computed = compute_elsewhere(tmp_path, path, z=z, ws=ws, w=ws[:, 0])
    expected = G(z, truncation_psi=0.7, truncation_cutoff=2, noise_mode="const").numpy()
    for name in ("latents", "serving_default"):
        np.testing.assert_allclose(computed[name], expected, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(computed["mapping"], G.truncate(ws, 0.7, 2), atol=1e-5)
    whole = G.synthesis(ws, noise_mode="const").numpy()
    np.testing.assert_allclose(computed["synthesis"], whole, atol=1e-5)
    np.testing.assert_allclose(computed["w"], whole, atol=1e-5)


@pytest.mark.slow  # as the one above, 30 s
def test_conditional_bytes_of_a_fixed_batch(tmp_path):
    G = small_generator(label_size=3)
    path = saved_model.export_savedmodel(saved_model.ExportedStyleGenerator(G, psi=1.0, output="uint8"), tmp_path / "model", batch_size=2)
    z, labels = latents_from_seeds([1, 2], 4), np.eye(3, dtype=np.float32)[[2, 0]]
    ws = G.mapping(z, labels).numpy()
    computed = compute_elsewhere(tmp_path, path, z=z, ws=ws, w=ws[:, 0], labels=labels)
    assert computed["latents"].dtype == np.uint8
    expected = np.clip(np.floor(G(z, labels, truncation_psi=1, noise_mode="const").numpy() * 127.5 + 128), 0, 255)
    assert np.abs(computed["latents"].astype(int) - expected).max() <= 1


def test_keras_file_with_truncation_inside(tmp_path):
    G = small_generator()
    path = saved_model.export_keras(G, tmp_path / "model.keras", truncation_psi=0.5, truncation_cutoff=4)
    again = keras.saving.load_model(path)
    z = latents_from_seeds([5], 4)
    expected = G(z, truncation_psi=0.5, truncation_cutoff=4, noise_mode="const")
    np.testing.assert_allclose(again(z, noise_mode="const"), expected, atol=1e-5)


def test_nothing_is_replaced(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(UserError, match="exists already"):
        saved_model.export_savedmodel(saved_model.ExportedStyleGenerator(small_generator()), tmp_path / "model")
    with pytest.raises(UserError, match=r"end in \.keras"):
        saved_model.export_keras(small_generator(), tmp_path / "model.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
