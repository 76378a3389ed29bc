"""Tests of the function that makes text from files safe to show."""

import pytest

from stylegan_tf.display import visible, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("oak", "oak"),
        ("grün 叶 🍁 👩‍🌾", "grün 叶 🍁 👩‍🌾"),
        ("\x1b[31mred\x1b]0;title\x07", r"\x1b[31mred\x1b]0;title\x07"),
        ("a\nb\rc\td\x9b31m", r"a\x0ab\x0dc\x09d\x9b31m"),
        ("gpj\u202egnp.exe", r"gpj\u202egnp.exe"),  # the direction of writing reversed: shown as gpjexe.png
        ("a\u2028b\u2029c\ufeffd\u200be", r"a\u2028b\u2029c\ufeffd\u200be"),
        ("caf\udce9", r"caf\xe9"),  # a byte that is not UTF-8
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),  # a tag character, which nothing shows
        (7, "7"),
        ("x" * 1000, "x" * 297 + "..."),
    ],
)
def test_what_controls_a_terminal_becomes_visible(text, shown):
    assert visible(text) == shown
    visible(text).encode("utf-8")


def test_only_lines_of_ours_end_lines():
    assert visible_lines("a\x1b\nb", "c" * 1000) == "a\\x1b\\x0ab\n" + "c" * 1000
