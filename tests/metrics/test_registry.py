"""Names of metrics and what they mean."""

import pytest

from metrics.registry import parse, parse_list
from stylegan_tf.errors import UserError


@pytest.mark.parametrize(
    ("name", "full_name", "num_images", "is_full", "variant"),
    [
        ("fid50k", "fid50k", 50_000, False, ""),
        ("fid", "fid50k", 50_000, False, ""),
        ("fid50k_full", "fid50k_full", 50_000, True, ""),
        ("fid500", "fid500", 500, False, ""),
        ("fid5000", "fid5k", 5_000, False, ""),
        ("kid", "kid50k_full", 50_000, True, ""),
        ("kid50k", "kid50k", 50_000, False, ""),
        ("is50k", "is50k", 50_000, False, ""),
        ("is5k_labels", "is5k_labels", 5_000, False, "labels"),
        ("pr50k3", "pr50k3", 50_000, False, "3"),
        ("pr", "pr50k3", 50_000, False, "3"),
        ("pr500_5_full", "pr500_5_full", 500, True, "5"),
        ("ppl_zfull", "ppl_zfull", 100_000, False, "zfull"),
        ("ppl10k_wend", "ppl10k_wend", 10_000, False, "wend"),
        ("ls", "ls", 200_000, False, ""),
        ("ls10k", "ls10k", 10_000, False, ""),
        ("nn", "memorisation", 1_000, False, ""),
    ],
)
def test_names(name, full_name, num_images, is_full, variant):
    metric = parse(name)
    assert (metric.name, metric.num_images, metric.is_full, metric.variant) == (full_name, num_images, is_full, variant)
    assert parse(metric.name) == metric


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("fid5k_full", ["fid5k_full"]),
        ("is5k_labels", ["is5k_labels"]),
        ("pr500_5", ["pr500_5_precision", "pr500_5_recall", "pr500_5_density", "pr500_5_coverage"]),
        ("ls", ["ls_z", "ls_w"]),
        ("nn", ["memorisation_features", "memorisation_pixels"]),
    ],
)
def test_names_of_values(name, values):
    assert list(parse(name).value_names) == values


@pytest.mark.parametrize(
    ("name", "renamed"), [("fid50k_full", "fid5k_full"), ("pr50k3", "pr5k3"), ("ppl_wfull", "ppl5k_wfull"), ("ls", "ls5k")]
)
def test_another_number_is_another_name(name, renamed):
    assert parse(name, 5000).name == renamed


def test_zero_is_a_number_too():  # it was taken as "not given", and 50,000 images were drawn
    with pytest.raises(UserError, match="Received: 0"):
        parse("fid", 0)


@pytest.mark.parametrize("name", ["fid99999999999k", "fid10001k", "ls" + "9" * 5000, "pr50k" + "9" * 5000, "pr20_20"])
def test_slips_of_the_finger_are_refused(name):
    with pytest.raises(UserError):
        parse(name)


def test_a_number_without_k_is_not_guessed_at():  # pr503 was 503 images with k = 3, where pr50k3 reads otherwise
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
