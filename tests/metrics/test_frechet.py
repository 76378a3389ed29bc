"""Fréchet distance against closed forms, a matrix root, and recorded values."""

import json

import numpy as np
import pytest
import scipy.linalg

from metrics import registry
from metrics.features.moments import FrechetReference, Moments, frechet_distance, moments_of
from metrics.frechet_inception_distance import extrapolated, size_notes
from stylegan_tf.errors import UserError


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def moments_with(mean, covariance):
    """Moments of two samples with this mean [D] and this covariance [D, D]."""
    return Moments.from_arrays({"count": 2, "total": 2 * mean, "outer": covariance + 2 * np.outer(mean, mean)})


def test_one_dimension_is_difference_of_means_and_of_deviations():
    distance = frechet_distance(moments_with(np.array([1.0]), np.array([[4.0]])), moments_with(np.array([3.0]), np.array([[9.0]])))
    assert distance == pytest.approx((3 - 1) ** 2 + (3 - 2) ** 2)


def test_commuting_gaussians(rng):
    basis, _ = np.linalg.qr(rng.normal(size=(16, 16)))
    deviations1, deviations2 = rng.uniform(0.1, 2, (2, 16))
    mean1, mean2 = rng.normal(size=(2, 16))
    covariances = [(basis * deviations**2) @ basis.T for deviations in (deviations1, deviations2)]
    expected = np.sum((mean1 - mean2) ** 2) + np.sum((deviations1 - deviations2) ** 2)
    distance = frechet_distance(moments_with(mean1, covariances[0]), moments_with(mean2, covariances[1]))
    assert distance == pytest.approx(expected, rel=1e-10)


def test_general_gaussians_equal_the_matrix_root(rng):
    samples = [rng.normal(size=(100, 24)) @ rng.normal(size=(24, 24)) for _ in range(2)]
    first, second = (moments_of([part]) for part in samples)
    root = scipy.linalg.sqrtm(first.covariance() @ second.covariance()).real
    difference = first.mean() - second.mean()
    expected = difference @ difference + np.trace(first.covariance() + second.covariance() - 2 * root)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)


def test_shift_of_a_set_costs_its_squared_length(rng):
    features = rng.normal(size=(200, 12))
    shift = rng.normal(size=12)
    distance = frechet_distance(moments_of([features]), moments_of([features + shift]))
    assert distance == pytest.approx(shift @ shift, rel=1e-9)


@pytest.mark.parametrize("count", [5, 40, 400])  # fewer samples than features, about as many, more
def test_identical_sets_are_at_distance_zero(rng, count):
    moments = moments_of([rng.normal(size=(count, 40))])
    assert frechet_distance(moments, moments) == pytest.approx(0, abs=1e-6)  # roots of rounding: 1e-8 of the trace each


@pytest.mark.parametrize(("first", "second"), [(5, 300), (300, 5), (5, 6)])
def test_rank_deficient_sets_and_symmetry(rng, first, second):
    samples = [rng.normal(size=(count, 30)) for count in (first, second)]
    moments = [moments_of([part]) for part in samples]
    centred = [(part - part.mean(0)) / np.sqrt(len(part) - 1) for part in samples]
    root_trace = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()  # trace sqrt(X^T X Y^T Y) = nuclear norm
    difference = samples[0].mean(0) - samples[1].mean(0)
    expected = difference @ difference + sum(np.trace(part.T @ part) for part in centred) - 2 * root_trace
    assert frechet_distance(*moments) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(*moments[::-1]) == pytest.approx(expected, rel=1e-6)


def test_a_set_of_one_repeated_image(rng):
    constant = moments_of([np.ones((10, 6))])
    spread = moments_of([rng.normal(size=(500, 6))])
    difference = spread.mean() - 1
    assert frechet_distance(constant, spread) == pytest.approx(difference @ difference + np.trace(spread.covariance()))


def test_one_pass_equals_numpy_in_any_batching(rng):
    features = rng.normal(3, 2, (101, 9)).astype(np.float32)
    moments = moments_of([features[:1], features[1:40], features[40:]])
    assert moments.mean() == pytest.approx(features.mean(0, dtype=np.float64))
    assert moments.covariance() == pytest.approx(np.cov(features.astype(np.float64), rowvar=False))


def test_counts_are_repetitions(rng):
    features = rng.normal(size=(5, 3))
    counts = np.array([2, 0, 1, 3, 1])
    repeated = moments_of([np.repeat(features, counts, axis=0)])
    counted = Moments(3).add(features, counts)
    assert counted.count == repeated.count == 7
    assert counted.covariance() == pytest.approx(repeated.covariance())


def test_parts_subtract(rng):
    features = rng.normal(size=(60, 4))
    rest = moments_of([features]) - moments_of([features[:20]])
    assert rest.covariance() == pytest.approx(np.cov(features[20:], rowvar=False))


def test_recorded_features(golden):
    features = np.load(golden / "scores_features.npz")
    expected = json.loads((golden / "scores_features.json").read_text())["fid_200"]
    distance = frechet_distance(moments_of([features["A"]]), moments_of([features["B"]]))
    assert distance == pytest.approx(expected, rel=1e-5)  # 200 samples of 2048 features: both covariances are singular


def test_extrapolation_finds_the_distance_of_many_images():
    """Distances of few images are too large: 306.7 for 100 images, 273.7 for 2,000."""
    rng = np.random.default_rng(8)
    reference = FrechetReference(moments_of([rng.normal(size=(200_000, 40))]))
    ends, whole = [], []
    for _ in range(5):
        parts = [moments_of([rng.normal(0.1, 1, (200, 40))]) for _ in range(10)]
        ends.append(extrapolated(reference, parts))
        whole.append(reference.distance(sum(parts[1:], start=parts[0])))
    assert np.mean(whole) > 0.55  # 40 * 0.1 ** 2 is right
    assert np.mean(ends) == pytest.approx(0.4, abs=0.04)


@pytest.mark.parametrize(("name", "full"), [("fid_inf", "fid50k_inf"), ("fid10k_inf_full", "fid10k_inf_full")])
def test_name_of_the_extrapolated_distance(name, full):
    assert registry.parse(name).name == full
    with pytest.raises(UserError, match="needs 4096 to 10,000,000 images"):
        registry.parse("fid4000_inf")


def test_few_images_are_warned_of():
    assert size_notes(2048) == ()
    assert "fewer than 2,048" in size_notes(500)[0]
