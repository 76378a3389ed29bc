"""Path lengths of a linear generator, and separability of latents that a plane can and cannot separate."""

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from metrics.classifiers import check_accuracy
from metrics.generated import Generated
from metrics.linear_separability import LinearSeparability, conditional_entropy, confusion, decide, fit, separability
from metrics.options import Options
from metrics.perceptual_path_length import _prepared, path_distances, slerp, trimmed_mean
from stylegan_tf.errors import UserError
from stylegan_tf.layers.noise import random_noise
from tests.flat_networks import Generator

SIDE, WIDTH = 8, 6


class LinearGenerator:
    """w = 2 z, image = A w: path lengths have a closed form."""

    resolution, channels, label_size, z_dim = SIDE, 3, 0, WIDTH

    def __init__(self, use_noise=False):
        self.matrix = tf.constant(np.random.default_rng(0).normal(size=(WIDTH, SIDE * SIDE * 3)), tf.float32)
        self.use_noise = use_noise

    def mapping(self, z, labels):
        return 2 * tf.convert_to_tensor(z)[:, None]  # one style

    def synthesis(self, ws, noise_mode, lod, noise_seed):
        images = tf.reshape(ws[:, 0] @ self.matrix, [-1, SIDE, SIDE, 3])
        return images + random_noise(tf.shape(images)[0], [SIDE], noise_seed)[0] if self.use_noise else images


class SquaredError:
    """Replaces LPIPS by the squared distance of all pixels."""

    def __call__(self, first, second):
        return tf.reduce_sum(tf.math.squared_difference(first, second), axis=[1, 2, 3])


class WorkerOf:
    def __init__(self, G):
        self.generated = Generated(G, None, lod=0.0, options=Options(batch_size=32), device="/CPU:0")
        self.lpips, self.device, self.path_steps = SquaredError(), "/CPU:0", {}


@pytest.mark.parametrize("is_full", [True, False])
@pytest.mark.parametrize("use_noise", [True, False])  # the same noise for both images of a pair cancels
def test_path_length_in_w_of_a_linear_generator(is_full, use_noise):
    G = LinearGenerator(use_noise)
    worker = WorkerOf(G)
    found = path_distances(worker, 0, 40, space="w", is_full=is_full, crop="none")
    ends = [worker.generated.latents(chunk)[:40] for chunk in (0, 1)]
    expected = np.sum(((2 * (ends[1] - ends[0])) @ G.matrix.numpy()) ** 2, axis=1)
    np.testing.assert_allclose(found, expected, rtol=0.05)  # a step of 1e-4 in float32


def test_path_length_at_the_end_in_z_of_a_linear_generator():
    G = LinearGenerator()
    worker = WorkerOf(G)
    found = path_distances(worker, 0, 40, space="z", is_full=False, crop="none")
    # w = 2 z depends on the norm of z: the path is on the sphere of radius sqrt(z_dim).
    first, second = (ends / np.linalg.norm(ends, axis=1, keepdims=True) for ends in (worker.generated.latents(c)[:40] for c in (0, 1)))
    cosine = np.sum(first * second, axis=1, keepdims=True)
    speed = np.arccos(cosine) * (second - cosine * first) / np.sqrt(1 - cosine**2)  # velocity on the sphere at its start
    np.testing.assert_allclose(found, WIDTH * np.sum((2 * speed @ G.matrix.numpy()) ** 2, axis=1), rtol=0.05)


def test_full_paths_differ_from_ends_in_z_alone():
    worker = WorkerOf(LinearGenerator())
    full, end = (path_distances(worker, 0, 200, space="z", is_full=kind, crop="none") for kind in (True, False))
    assert not np.allclose(full, end, rtol=0.2)


def test_slerp_is_on_the_great_circle():
    first, second = tf.constant([[2.0, 0.0]]), tf.constant([[0.0, 5.0]])
    np.testing.assert_allclose(slerp(first, second, tf.constant([[1 / 3]])), [[np.cos(np.pi / 6), np.sin(np.pi / 6)]], atol=1e-6)


@pytest.mark.parametrize(
    ("options", "is_invariant"),
    [({}, True), ({"label_size": 2}, False), ({"normalize_latents": False}, False), ({"label_size": 2, "normalize_latents": False}, False)],
)
def test_norm_of_paths_in_z(options, is_invariant):
    """The path length in z of a conditional network was 0.02 instead of 1.29: unit vectors vanish beside the embedded label."""
    sizes = {"resolution": 8, "fmap_max": 8, "z_dim": 16, "w_dim": 8, "mapping_layers": 2, "mapping_fmaps": 8}
    G = Generator(**sizes, **options)
    labels = np.eye(2, dtype=np.float32) if "label_size" in options else None
    generated = Generated(G, labels, lod=0.0, options=Options(), device="/CPU:0")
    assert generated.path_norm == (1.0 if is_invariant else 4.0)


def test_trimmed_mean_ignores_a_percent_at_either_end():
    values = np.arange(1000.0)
    values[0], values[-1] = -1e9, 1e9
    assert trimmed_mean(values) == pytest.approx(499.5, abs=0.6)


def test_crop_and_reduction():
    rows = tf.broadcast_to(tf.range(1024.0)[None, :, None, None], [1, 1024, 1024, 3])
    face = _prepared(rows, "face")
    assert face.shape == (1, 256, 256, 3)  # 512 pixels by means of two
    assert (face[0, 0, 0, 0], face[0, -1, 0, 0]) == (1024 * 3 / 8 + 0.5, 1024 * 7 / 8 - 1.5)
    assert _prepared(rows, "none").shape == (1, 256, 256, 3)
    assert _prepared(rows[:, :64, :64], "none").shape == (1, 64, 64, 3)


@pytest.fixture
def points():
    return np.random.default_rng(4).normal(size=(2000, 10)).astype(np.float32)


def test_separable_labels_leave_no_entropy(points):
    is_positive = points @ np.arange(10) > 0.3
    assert conditional_entropy(confusion(points, is_positive)) < 0.08
    assert separability([confusion(points, is_positive)] * 3, seed=0).value == pytest.approx(1, abs=0.2)


def test_shuffled_labels_leave_all_entropy(points):
    is_positive = np.random.default_rng(5).random(2000) < 0.5
    found = separability([confusion(points, is_positive)] * 3, seed=0)
    assert found.value == pytest.approx(8, rel=0.02)  # three bits: 2 ** 3
    assert found.low < found.value < found.high


def test_few_points_do_not_separate_random_labels():
    """250 points in 512 dimensions separated any labels: 1.0000 [1, 1]."""
    rng = np.random.default_rng(7)
    points, labels = rng.normal(size=(250, 512)).astype(np.float32), rng.random(250) < 0.5
    assert np.all((decide(points, fit(points, labels)) > 0) == labels)
    assert conditional_entropy(confusion(points, labels)) > 0.95


def test_least_number_depends_on_the_width():
    bench = SimpleNamespace(G=SimpleNamespace(z_dim=128, w_dim=512))
    metric = LinearSeparability(1000)
    assert metric.least_images(bench) == 10_240
    with pytest.raises(UserError, match="ls1k: a network of this width needs --num-images 10240 or more"):
        metric.check_size(bench)


@pytest.mark.parametrize(("accuracy", "is_refused"), [(0.11, True), (0.75, True), (0.77, True), (0.8, False)])
@pytest.mark.parametrize("is_one_hot", [True, False])
def test_classifiers_near_chance_are_refused(accuracy, is_refused, is_one_hot):
    labels = np.eye(2)[np.int64(np.arange(40) % 4 == 0)] if is_one_hot else np.repeat(np.arange(40)[:, None] % 4 == 0, 3, axis=1)
    with pytest.raises(UserError, match=r"the most frequent label alone 75.0 %") if is_refused else contextlib.nullcontext():
        check_accuracy(accuracy, np.float32(labels), is_one_hot, "leaves")


def test_known_uncertainty():
    table = np.array([[90, 10], [10, 90]])
    expected = -(0.9 * np.log2(0.9) + 0.1 * np.log2(0.1))
    assert conditional_entropy(table) == pytest.approx(expected)
    assert separability([table, table], seed=0).value == pytest.approx(2 ** (2 * expected))


def test_one_class_alone_has_no_entropy(points):
    assert conditional_entropy(confusion(points, np.ones(2000, bool))) == 0


def test_support_vector_machine_equals_scikit_learns(points):
    svm = pytest.importorskip("sklearn.svm")
    is_positive = points[:, 0] + 0.5 * np.random.default_rng(6).normal(size=2000) > 0.2
    reference = svm.LinearSVC(dual=False, tol=1e-8, max_iter=10_000).fit(points, is_positive)
    weights = fit(points, is_positive)
    np.testing.assert_allclose(weights, np.append(reference.coef_, reference.intercept_), atol=1e-3)
