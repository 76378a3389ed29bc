"""Names of metrics and what they mean."""

import pytest

from metrics.frechet_inception_distance import FrechetInceptionDistance
from metrics.inception_score import InceptionScore, LabelInceptionScore
from metrics.kernel_inception_distance import KernelInceptionDistance
from metrics.linear_separability import LinearSeparability
from metrics.nearest_neighbours import Memorisation
from metrics.perceptual_path_length import PerceptualPathLength
from metrics.precision_recall import PrecisionRecall
from metrics.registry import best_value, classes, parse, parse_list
from stylegan_tf.errors import UserError
from stylegan_tf.training.best import BestValue


@pytest.mark.parametrize(
    ("name", "full_name", "metric"),
    [
        ("fid50k", "fid50k", FrechetInceptionDistance(50_000)),
        ("fid", "fid50k", FrechetInceptionDistance(50_000)),
        ("fid50k_full", "fid50k_full", FrechetInceptionDistance(50_000, is_full=True)),
        ("fid500", "fid500", FrechetInceptionDistance(500)),
        ("fid5000", "fid5k", FrechetInceptionDistance(5_000)),
        ("kid", "kid50k_full", KernelInceptionDistance(50_000, is_full=True)),
        ("kid50k", "kid50k", KernelInceptionDistance(50_000)),
        ("is50k", "is50k", InceptionScore(50_000)),
        ("is5k_labels", "is5k_labels", LabelInceptionScore(5_000)),
        ("is_labels", "is50k_labels", LabelInceptionScore(50_000)),
        ("pr50k3", "pr50k3", PrecisionRecall(50_000, k=3)),
        ("pr", "pr50k3", PrecisionRecall(50_000, k=3)),
        ("pr500_5_full", "pr500_5_full", PrecisionRecall(500, is_full=True, k=5)),
        ("ppl_zfull", "ppl_zfull", PerceptualPathLength(100_000, space="z", sampling="full")),
        ("ppl10k_wend", "ppl10k_wend", PerceptualPathLength(10_000, space="w", sampling="end")),
        ("ls", "ls", LinearSeparability(200_000)),
        ("ls10k", "ls10k", LinearSeparability(10_000)),
        ("nn", "memorisation", Memorisation(1_000)),
    ],
)
def test_names(name, full_name, metric):
    assert parse(name) == metric
    assert metric.name == full_name
    assert parse(full_name) == metric


@pytest.mark.parametrize(
    ("name", "lower_is_better"),
    [("fid50k", True), ("kid5k_full", True), ("is50k", False), ("is5k_labels", False), ("pr50k3_recall", False), ("pr500_5_density", False),
     ("ls_w", True), ("ppl_wfull", True)],
)  # fmt: skip
def test_better_direction_of_values(name, lower_is_better):
    assert best_value(name) == BestValue(name, lower_is_better)


@pytest.mark.parametrize("name", ["memorisation_features", "memorisation50_pixels", "pr50k3", "fid50k_recall", "fid5", "loss", ""])
def test_values_without_a_better_direction(name):  # copies have the highest memorisation, networks far from the data the lowest
    assert best_value(name) is None


def test_every_class_says_what_a_list_shows():
    for kind in classes():
        examples = [parse(name) for name in kind.examples.split(", ")]
        assert {type(metric) for metric in examples} == {kind}
        assert kind.summary in kind.description()
        assert kind.values


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("fid5k_full", ["fid5k_full"]),
        ("is5k_labels", ["is5k_labels"]),
        ("pr500_5", ["pr500_5_precision", "pr500_5_recall", "pr500_5_density", "pr500_5_coverage"]),
        ("ls", ["ls_z", "ls_w"]),
        ("nn", [f"memorisation_{part}" for part in ("features", "pixels", "copies", "copies_features", "copies_pixels")]),
    ],
)
def test_names_of_values(name, values):
    assert list(parse(name).value_names) == values


@pytest.mark.parametrize(
    ("name", "renamed"), [("fid50k_full", "fid5k_full"), ("pr50k3", "pr5k3"), ("ppl_wfull", "ppl5k_wfull"), ("ls", "ls5k")]
)
def test_another_number_is_another_name(name, renamed):
    assert parse(name, 5000).name == renamed


def test_zero_is_a_number_too():  # it was taken for "not given", and 50,000 images were generated
    with pytest.raises(UserError, match="Received: 0"):
        parse("fid", 0)


@pytest.mark.parametrize("name", ["fid99999999999k", "fid10001k", "ls" + "9" * 5000, "pr50k" + "9" * 5000, "pr20_20"])
def test_typing_errors_are_refused(name):
    with pytest.raises(UserError):
        parse(name)


def test_an_ambiguous_number_without_k_is_refused():  # pr503 was read as 503 images with k = 3, unlike pr50k3
    with pytest.raises(UserError, match="Write pr503_3"):
        parse("pr503")
    assert parse("pr500_3").num_images == 500


@pytest.mark.parametrize("name", ["fud", "fid50k_half", "ppl", "ppl_yfull", "fid5", "pr50k0", "fid-5", ""])
def test_unknown_names_list_the_known(name):
    with pytest.raises(UserError):
        parse(name)


def test_lists():
    assert [metric.name for metric in parse_list("fid50k, kid,fid")] == ["fid50k", "kid50k_full"]
    with pytest.raises(UserError, match="No metric"):
        parse_list(" ,")
