"""Lists of numbers and grids on the command line."""

import pytest

from stylegan_tf.errors import UserError
from stylegan_tf.inference.commands.options import parse_grid, parse_layers, parse_numbers, parse_seeds


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("5", [5]), ("85,265,297-299", [85, 265, 297, 298, 299]), ("3-3", [3]), ("7,7", [7, 7]), ("4294967295", [2**32 - 1])],
)
def test_seeds(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have the form"),
        (",", "must have the form"),
        ("a", "must have the form"),
        ("1.5", "must have the form"),
        ("-1", "must have the form"),
        ("5-3", "end is below its start"),
        ("4294967296", "Seeds are from 0"),
        ("0-4294967295", "At most 1,000,000"),
        ("9" * 5000, "must have the form"),
    ],
)
def test_bad_seeds(text, message):
    with pytest.raises(UserError, match=message):
        parse_seeds(text)


def test_layers():
    assert parse_layers("4-6,1") == [1, 4, 5, 6]
    with pytest.raises(UserError, match="layers 0 to 7"):
        parse_layers("0-8", 8)


def test_numbers():
    assert parse_numbers("1,0.7,-0.5") == [1.0, 0.7, -0.5]
    for text in ("", "a", "1;2", "nan", "inf"):
        with pytest.raises(UserError, match="psis must be"):
            parse_numbers(text, "psis")


def test_grid():
    assert parse_grid("4x2") == (4, 2)
    for text in ("4", "0x2", "x", "4x2x1", "-1x2"):
        with pytest.raises(UserError, match="columns x rows"):
            parse_grid(text)
