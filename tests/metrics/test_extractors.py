"""The metric networks against recorded references, and their resizing against PIL and by hand."""

import json

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from metrics.features.inception import Inception, clean, legacy_tensorflow
from metrics.features.lpips import Lpips
from metrics.features.moments import frechet_distance, moments_of
from metrics.kernel_inception_distance import kernel_distance
from metrics.precision_recall import manifold_samples


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
def test_clean_resize_is_pils_bicubic_clipped(size):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (size, size), np.uint8)
    image[: size // 2] = np.kron(rng.integers(0, 2, (size // 16, size // 8)), np.full((8, 8), 255))  # edges from 0 to 255
    expected = PIL.Image.fromarray(image.astype(np.float32)).resize((299, 299), PIL.Image.Resampling.BICUBIC)
    resized = clean(image[None, :, :, None])[0, :, :, 0]
    assert np.asarray(expected).max() > 256  # the filter overshoots, and clean-fid clips: 0.5 to 1.5 % of FID
    np.testing.assert_allclose(resized, np.clip(np.asarray(expected), 0, 255), atol=0.02)  # of 255


@pytest.mark.slow
def test_scores_of_two_classes_of_leaves_are_the_recorded_ones(golden, inception_weights):
    expected = json.loads((golden / "scores_ref.json").read_text())
    leaves = golden.parent / "data" / "apple_leaves"
    network = Inception(inception_weights)
    reals, fakes = (_features_of(network, leaves / f"Apple___{name}") for name in ("healthy", "Black_rot"))
    assert frechet_distance(moments_of([reals]), moments_of([fakes])) == pytest.approx(expected["fid"], rel=1e-4)  # 6e-7 measured
    assert kernel_distance(fakes, reals).value == pytest.approx(expected["kid"], rel=1e-4)
    samples = manifold_samples(reals, fakes, 3)
    found = [samples[name].mean() for name in ("precision", "recall")]
    assert found == pytest.approx(expected["precision_recall_k3_real_A_fake_B"], rel=1e-3)


def _features_of(network, folder):
    """Features of the first 600 images, reduced to 64x64 by means of 4x4 pixels."""
    images = []
    for path in sorted(folder.iterdir())[:600]:
        pixels = np.asarray(PIL.Image.open(path).convert("RGB"), np.float64)
        images.append(np.rint(pixels.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))).astype(np.uint8))
    return np.concatenate([network(np.stack(images[start : start + 50])) for start in range(0, 600, 50)])


@pytest.mark.slow
def test_bfloat16_gives_the_same_distance(golden, inception_weights):
    """Of 600 leaves of each class."""
    leaves = golden.parent / "data" / "apple_leaves"
    distances = []
    for precision in ("float32", "bfloat16"):
        network = Inception(inception_weights, precision=precision)
        sets = [_features_of(network, leaves / f"Apple___{name}") for name in ("healthy", "Black_rot")]
        distances.append(frechet_distance(*(moments_of([features]) for features in sets)))
    assert distances[1] == pytest.approx(distances[0], rel=1e-3)
