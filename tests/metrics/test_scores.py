"""KID, precision and recall, Inception Score and intervals against closed forms and plain NumPy."""

import json

import numpy as np
import pytest

from metrics import intervals, registry
from metrics.features.pairwise import NearestSearch
from metrics.inception_score import split_scores
from metrics.kernel_inception_distance import kernel_distance
from metrics.linear_separability import trivial_notes
from metrics.nearest_neighbours import nearness
from metrics.precision_recall import estimates, manifold_samples, without_parts, zero_notes
from metrics.real_images import select
from metrics.result import Result


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_kid_is_the_unbiased_estimate_over_all_pairs(rng):
    fakes, reals = rng.normal(size=(31, 5)).astype(np.float32), rng.normal(0.5, 1, (47, 5)).astype(np.float32)

    def kernel(first, second):
        return (first @ second.T / 5 + 1) ** 3

    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (kernel(fakes, fakes), kernel(reals, reals))]
    expected = sum(within) - 2 * kernel(fakes, reals).mean()
    found = kernel_distance(fakes, reals)
    assert found.value == pytest.approx(expected, rel=1e-5)
    assert found.low < found.value < found.high


def test_kid_of_equal_distributions_is_zero_within_its_interval(rng):
    values = [kernel_distance(*rng.normal(size=(2, 200, 4))) for _ in range(20)]
    assert sum(found.low <= 0 <= found.high for found in values) >= 14  # 95 % where only the fakes vary; the reals vary, too


def test_recorded_kid_and_precision(golden):
    features = np.load(golden / "scores_features.npz")
    expected = json.loads((golden / "scores_features.json").read_text())
    assert kernel_distance(features["B"], features["A"]).value == pytest.approx(expected["kid_200"], rel=1e-4)
    samples = manifold_samples(features["A"], features["B"], 3)
    assert [samples[name].mean() for name in ("precision", "recall")] == pytest.approx(expected["pr_200"])


def means(reals, fakes, k=3):
    return {name: sample.mean() for name, sample in manifold_samples(np.float32(reals), np.float32(fakes), k).items()}


def test_equal_sets_have_full_precision_and_recall(rng):
    points = rng.normal(size=(100, 4))
    found = means(points, points)
    assert (found["precision"], found["recall"], found["coverage"]) == (1, 1, 1)


def test_collapsed_generator_has_precision_and_no_recall(rng):
    reals = rng.normal(size=(200, 3))
    collapsed = reals[0] + rng.normal(0, 1e-3, (200, 3))
    found = means(reals, collapsed)
    assert found["precision"] == 1
    assert found["recall"] < 0.05
    assert found["coverage"] < 0.1
    swapped = means(collapsed, reals)
    assert swapped["precision"] < 0.05
    assert swapped["recall"] == 1


def test_spread_generator_has_recall_and_little_precision(rng):
    reals, spread = rng.normal(size=(300, 3)), rng.normal(0, 6, (300, 3))
    found = means(reals, spread)
    assert found["recall"] > 0.9
    assert found["precision"] < 0.3


def test_density_is_robust_to_one_outlier_and_precision_is_not(rng):
    reals = np.concatenate([rng.normal(size=(100, 2)), [[100.0, 100.0]]])  # the outlier's ball covers everything
    fakes = rng.uniform(10, 90, (50, 2))
    found = means(reals, fakes, k=1)
    assert found["precision"] > 0.9
    assert found["density"] < 2


def test_precision_of_hand_made_points():
    reals = np.array([[0.0], [1.0], [3.0], [7.0]])  # radii for k = 1: 1, 1, 2, 4
    fakes = np.array([[-0.5], [4.9], [11.5], [-3.0]])
    samples = manifold_samples(reals, fakes, 1)
    np.testing.assert_array_equal(samples["precision"], [1, 1, 0, 0])
    np.testing.assert_array_equal(samples["density"], [1, 2, 0, 0])
    np.testing.assert_array_equal(samples["coverage"], [1, 0, 1, 1])


def scored(reals, fakes, k=3):
    return estimates(manifold_samples(reals, fakes, k), without_parts(reals, fakes, k), seed=0)


def test_parts_left_out_equal_scores_of_the_others(rng):
    reals, fakes = np.float32(rng.normal(size=(90, 3))), np.float32(rng.normal(1, 1, (75, 3)))
    found = without_parts(reals, fakes, 3)
    for left, part in enumerate(np.array_split(np.arange(75), 10)):
        rest = means(reals, np.delete(fakes, part, axis=0))
        assert [found[name][left] for name in ("recall", "coverage")] == pytest.approx([rest["recall"], rest["coverage"]], abs=0.012)


def test_intervals_are_those_of_other_fakes(rng):
    """Real images were redrawn: the intervals of recall and coverage held 73 to 77 % of the repetitions."""
    reals = np.float32(rng.normal(size=(200, 4)))
    found = [scored(reals, np.float32(rng.normal(0.7, 0.7, (200, 4)))) for _ in range(60)]
    for name in ("precision", "recall", "density", "coverage"):
        expected = np.mean([each[name].value for each in found])
        assert sum(each[name].low <= expected <= each[name].high for each in found) >= 52, name  # 57 expected


def test_nothing_of_a_thousand_is_not_certain():
    reals, fakes = np.float32(np.eye(1000)), np.float32(1000 + np.eye(1000))
    found = scored(reals, fakes)
    for name in ("precision", "recall", "coverage"):
        assert (found[name].value, found[name].low) == (0, 0)
        assert 0.003 < found[name].high < 0.004  # 3 of 1,000 or Wilson's 3.83
    assert (found["density"].value, found["density"].high) == (0, None)


def test_nearest_search_equals_sorting_in_any_batching(rng):
    queries, points = rng.normal(size=(30, 3)), rng.normal(size=(101, 3))
    search = NearestSearch(queries, 4)
    for start in range(0, 101, 13):
        search.add(points[start : start + 13], np.arange(start, min(start + 13, 101)))
    distances = ((queries[:, None] - points) ** 2).sum(-1)
    np.testing.assert_array_equal(search.numbers, np.argsort(distances, axis=1)[:, :4])
    np.testing.assert_allclose(search.distances, np.sort(distances, axis=1)[:, :4], rtol=1e-6)


def test_inception_score_of_certain_and_of_uniform_classifiers():
    certain = np.eye(10)[np.arange(100) % 10] * 1000
    assert split_scores(certain, 2) == pytest.approx([10, 10])
    assert split_scores(np.zeros((100, 10)), 5) == pytest.approx([1] * 5)
    assert split_scores(np.tile(certain[:1], (100, 1)), 5) == pytest.approx([1] * 5)  # always the same class


def test_inception_score_of_half_certainty():
    logits = np.log([[0.9, 0.1], [0.1, 0.9]] * 10)
    expected = np.exp(0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5))
    assert split_scores(logits, 2) == pytest.approx([expected] * 2)


def test_nearness_is_the_probability_of_being_closer(rng):
    assert nearness(np.zeros(50), np.ones(50), seed=0).value == 1
    assert nearness(np.ones(50), np.zeros(50), seed=0).value == 0
    assert nearness(np.ones(50), np.ones(40), seed=0).value == 0.5
    sample = nearness(rng.normal(size=300), rng.normal(size=300), seed=0)
    assert sample.low < 0.5 < sample.high


def test_jackknife_of_a_mean_is_the_error_of_the_mean(rng):
    sample = rng.normal(size=40)
    parts = sample.reshape(20, 2)
    without = [np.delete(parts, part, axis=0).mean() for part in range(20)]
    found = intervals.jackknife(sample.mean(), without, "numbers")
    error = parts.mean(1).std(ddof=1) / np.sqrt(20)
    assert (found.high - found.low) / 2 == pytest.approx(2.093 * error, rel=1e-3)  # Student's t with 19 degrees of freedom


def test_bootstrap_covers_and_repeats_by_seed(rng):
    sample = rng.normal(5, 2, 400)
    found = intervals.bootstrap(sample, np.mean, seed=0)
    assert found == intervals.bootstrap(sample, np.mean, seed=0)
    assert found != intervals.bootstrap(sample, np.mean, seed=1)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * 2 / 20, rel=0.15)


def test_small_sets_are_repeated_only_on_request():
    repeated = select(7, 20, is_mirrored=False, seed=0, repeat=True)
    assert repeated.counts.tolist() == [3, 3, 3, 3, 3, 3, 2]
    assert (repeated.total, repeated.num_distinct) == (20, 7)
    assert select(7, 20, is_mirrored=False, seed=0).total == 7
    assert select(70, None, is_mirrored=False, seed=0).total == 70


def test_a_larger_set_is_sampled_by_seed():  # the first records were taken: FID 340 for 301 where they are sorted by class
    chosen = select(1000, 200, is_mirrored=False, seed=0)
    assert (chosen.total, chosen.num_distinct, chosen.protocol) == (200, 200, {"reals": "sampled by seed"})
    assert np.all(np.diff(chosen.indices) > 0)
    assert np.mean(chosen.indices < 500) == pytest.approx(0.5, abs=0.11)  # 3 deviations of 200 draws
    assert chosen.indices.tolist() == select(1000, 200, is_mirrored=True, seed=0).indices.tolist()
    assert chosen.indices.tolist() != select(1000, 200, is_mirrored=False, seed=1).indices.tolist()
    for everything in (select(70, None, is_mirrored=False, seed=0), select(70, 70, is_mirrored=False, seed=0)):
        assert (everything.indices.tolist(), everything.protocol) == (list(range(70)), {})


def test_mirroring_is_random_for_every_repetition():
    chosen = select(5, 1000, is_mirrored=True, seed=0, repeat=True)
    assert chosen.total == 1000
    assert len(chosen.indices) == 10  # each image both ways
    assert chosen.counts[chosen.is_mirrored].sum() == pytest.approx(500, abs=60)
    assert chosen.digest != select(5, 1000, is_mirrored=True, seed=1, repeat=True).digest


def test_a_score_that_says_nothing_says_why():
    assert zero_notes({"precision": 0.1, "recall": 0.1}) == ()
    (note,) = zero_notes({"precision": 0.0, "recall": 0.1})
    assert "precision and density are 0" in note
    some, none = np.array([[3, 1], [1, 3]]), np.array([[0, 0], [0, 8]])
    assert trivial_notes([some], is_conditional=False) == ()
    notes = trivial_notes([some, none], is_conditional=True)
    assert "one class in attributes 1" in notes[0]
    assert "by construction" in notes[1]


def test_a_score_is_shown_with_its_meaning_and_its_notes_and_without_its_protocol():
    values = {"fid500": intervals.Estimate(276.1234, 270.0, 282.0)}
    made = Result("fid500", values, "network-final", 7, {"resize": "x"}, {"name": "d", "digest": "e"}, "r", 80.0, {}, ["few"])
    assert made.shown(registry.parse("fid500").meaning()) == [
        "network-final: fid500 276.1234 [270.0000, 282.0000]  (1m 20s)",
        "  lower is better; below 50 the images resemble the photographs, above 200 they do not yet; compare only fid500 with fid500",
        "  note: few",
    ]
    assert all(kind.scale for kind in registry.classes())
    assert "neither" not in registry.parse("memorisation").meaning()


def test_lists_give_the_cost():
    text = "\n".join(kind.description() for kind in registry.classes())
    assert text.count("cost: ") == len(registry.METRICS)
    assert text.count("two generated images and their LPIPS") == 1
    assert text.count("a pass of Inception, once for all metrics") == 6


def test_results_keep_versions_and_notes_and_old_lines_are_read():
    made = Result(
        "fid40", {"fid40": intervals.Estimate(1.0)}, "s", 7, {}, {"name": "d", "digest": "e"}, "r", 1.0, {"tensorflow": "2"}, ["few"]
    )
    assert made.text().endswith(" tensorflow=2  | note: few")
    assert Result.from_json(made.json()) == made
    old = {name: value for name, value in json.loads(made.json()).items() if name not in ("versions", "notes")}
    assert Result.from_json(json.dumps(old)).versions == {}
