"""ADA's transforms against arrays of the original release, with every random number replaced by a quantile."""

import numpy as np
import pytest
import tensorflow as tf

from stylegan_tf.augmentation import ada, wavelets
from tests.recorded import arrays, nhwc

TOLERANCE = 1e-4  # absolute, images of about 1: float32 in another order; measured below 2e-5
TRANSFORMS = [name for name in ada.NAMES if name not in ("imgfilter", "noise")]


def options(operation):
    return {"pipe": "bgc"} if operation == "bgc" else {"strengths": {operation: 1.0}}


def largest_error(recorded, key):
    """Largest difference of what `key` names: "OP/QUANTILE", with "/grad" or "/grey", or "OP32/QUANTILE"."""
    operation, quantile, *kind = key.split("/")
    source = "images32" if operation.endswith("32") else "grey" if kind == ["grey"] else "images"
    images = tf.constant(nhwc(recorded[source]))
    with tf.GradientTape() as tape:
        tape.watch(images)
        found = ada.augment(images, **options(operation.removesuffix("32")), probability=1.0, quantile=float(quantile))
        cotangent = np.linspace(-1, 1, recorded[source].size, dtype=np.float32).reshape(recorded[source].shape)
        total = tf.reduce_sum(found * nhwc(cotangent))
    if kind == ["grad"]:
        found = tape.gradient(total, images)
    return np.max(np.abs(found.numpy() - nhwc(recorded[key])))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transform_alone(name):
    recorded = arrays("ada_augment_part")
    assert largest_error(recorded, f"{name}/0.9") < TOLERANCE
    assert largest_error(recorded, f"{name}/0.35/grad") < TOLERANCE
    if name not in ("hue", "saturation"):  # grey images have neither
        assert largest_error(recorded, f"{name}/0.35/grey") < TOLERANCE


@pytest.mark.parametrize("key", ["bgc/0.35", "bgc/0.9", "imgfilter32/0.9"])
def test_pipe_and_bands(key):
    assert largest_error(arrays("ada_augment_part"), key) < TOLERANCE


def test_everything_recorded():
    recorded = arrays("ada_augment")
    keys = [key for key in recorded if "/" in key]
    assert len(keys) == 125
    wrong = {key: error for key in keys if (error := largest_error(recorded, key)) >= TOLERANCE}
    assert wrong == {}


def test_filters():
    recorded = arrays("ada_augment_part")
    np.testing.assert_allclose(wavelets.lowpass(), recorded["Hz_geom"], atol=1e-7)  # recorded in float32
    np.testing.assert_allclose(wavelets.band_filters(), recorded["Hz_fbank"], atol=1e-7)
