"""The metric networks against recorded references, and their resizing against PIL and by hand."""

import json

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from metrics.extractors.inception import Inception
from metrics.extractors.lpips import Lpips
from metrics.extractors.resize import clean, legacy_tensorflow


@pytest.mark.parametrize("size", [64, 256])
def test_inception_features_are_the_recorded_ones(golden, inception_weights, size):
    reference = np.load(golden / "inception_ref.npz")
    features = Inception(inception_weights)(reference[f"images_{size}"]).numpy()
    expected = reference[f"features_{size}"]
    error = np.linalg.norm(features - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert error.max() < 1e-4  # 1e-3 is asked for; 6e-6 was measured


def test_grey_images_are_seen_as_rgb(inception_weights):
    grey = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 1), np.uint8)
    network = Inception(inception_weights)
    np.testing.assert_allclose(network(grey), network(np.repeat(grey, 3, -1)), rtol=1e-5)


@pytest.mark.parametrize(("size", "key"), [(256, "vgg_256_pairs01_23"), (64, "vgg_64_pairs")])
def test_lpips_distances_are_the_recorded_ones(golden, lpips_weights, size, key):
    images = np.load(golden / "inception_ref.npz")[f"images_{size}"] / np.float32(127.5) - 1
    distances = Lpips(lpips_weights)(images[::2], images[1::2])
    np.testing.assert_allclose(distances, json.loads((golden / "lpips_ref.json").read_text())[key], atol=1e-5)


def test_legacy_resize_starts_at_the_corner_pixel():
    column = tf.constant([0.0, 100.0])[None, :, None, None]  # [1, 2, 1, 1]
    resized = legacy_tensorflow(column)[0, :, 0, 0].numpy()
    expected = np.minimum(np.arange(299) * 2 / 299, 1) * 100  # source position = target position * scale, ends clamped
    np.testing.assert_allclose(resized, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [64, 512])  # enlarging, and shrinking, where antialiasing counts
def test_clean_resize_is_pils_bicubic(size):
    image = np.random.default_rng(1).integers(0, 256, (size, size), np.uint8)
    expected = PIL.Image.fromarray(image.astype(np.float32)).resize((299, 299), PIL.Image.Resampling.BICUBIC)
    resized = clean(image[None, :, :, None])[0, :, :, 0]
    np.testing.assert_allclose(resized, np.asarray(expected), atol=0.02)  # of 255
