"""What directions are scored with: classifiers of pictures, and log-odds of classes."""

import numpy as np
import pytest
import tensorflow as tf

from metrics import classifiers, of_directions
from stylegan_tf import data
from stylegan_tf.errors import UserError
from stylegan_tf.inference.directions.scores import MeasureRequest


def test_log_odds_are_those_of_softmax():
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    trained = classifiers.Classifier(None, 8, True, 1.0, "")
    object.__setattr__(trained, "logits", lambda images: tf.constant(logits))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = of_directions._log_odds(trained, np.zeros((5, 8, 8, 3), np.uint8))
    np.testing.assert_allclose(found, np.log(shares / (1 - shares)), rtol=1e-4)


def test_a_classifier_of_two_folders_tells_them_apart(monkeypatch):
    monkeypatch.setattr(classifiers, "_STEPS", 40)
    rng = np.random.default_rng(0)
    bright, dark = (rng.integers(low, low + 60, (40, 8, 8, 3)).astype(np.uint8) for low in (180, 10))
    measures = of_directions.prepare(MeasureRequest(frozenset(["logits"]), 8, pictures=(bright, dark)))()
    assert measures.classifier.logits(bright).numpy().mean() > 1 + measures.classifier.logits(dark).numpy().mean()
    with tf.GradientTape() as tape:  # style channels are ranked by this derivative
        images = tf.constant(bright[:2].astype(np.float32))
        tape.watch(images)
        value = tf.reduce_sum(measures.classifier.logits(images))
    assert np.abs(tape.gradient(value, images)).max() > 0


def test_a_classifier_needs_labels():
    with pytest.raises(UserError, match="--data"):
        of_directions.prepare(MeasureRequest(frozenset(["logits"]), 8))


def test_kid_against_one_image_is_refused(tmp_path):
    with data.DatasetWriter(tmp_path / "one", resolution=8, channels=3) as writer:
        writer.add(np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match=r"KID needs two real images or more\. .*one has 1"):
        of_directions.prepare(MeasureRequest(frozenset(["kid"]), 8, data.open_dataset(tmp_path / "one")))
