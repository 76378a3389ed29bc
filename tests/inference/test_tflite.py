"""A TensorFlow Lite file computes what the generator computes."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.inference.export.saved_model import ExportedStyleGenerator
from stylegan_tf.inference.export.tflite_file import export_tflite
from stylegan_tf.seeds import latents_from_seeds
from tests.inference.small_network import small_generator


@pytest.mark.slow  # converts four networks
def test_every_signature(tmp_path):
    G = small_generator(label_size=3)
    assert export_tflite(ExportedStyleGenerator(G, psi=0.6, cutoff=2), tmp_path / "model.tflite", batch_size=2) < 1e-4
    assert [path.name for path in tmp_path.iterdir()] == ["model.tflite"]
    interpreter = tf.lite.Interpreter(str(tmp_path / "model.tflite"))
    assert sorted(interpreter.get_signature_list()) == ["latents", "mapping", "synthesis", "w"]
    z, labels = latents_from_seeds([5, 6], 4), np.eye(3, dtype=np.float32)[[2, 0]]
    images = interpreter.get_signature_runner("latents")(z=z, labels=labels)["images"]
    expected = G(z, labels, truncation_psi=0.6, truncation_cutoff=2, noise_mode="const")
    np.testing.assert_allclose(images, expected, atol=1e-4)
    w = G.mapping.map_once(z, labels).numpy()
    images = interpreter.get_signature_runner("w")(w=w)["images"]
    np.testing.assert_allclose(images, G.synthesis(G.copy_styles(w), noise_mode="const"), atol=1e-4)
