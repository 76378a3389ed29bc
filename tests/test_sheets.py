"""Sheets: where pictures lie, what is written around them, and what a notebook shows."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFont

from stylegan_tf import sheets


def pictures(count, side=8, channels=3):
    return np.random.RandomState(0).randint(0, 200, (count, side, side, channels), np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures_are_enlarged_and_lie_row_by_row_with_gaps(channels):
    images = pictures(3, channels=channels)
    sheet = sheets.sheet(images, 2)
    assert sheet.shape == (2 * 128 + 3 * 4, 2 * 128 + 3 * 4, channels)
    large = images.repeat(16, axis=1).repeat(16, axis=2)
    for image, (y, x) in zip(large, [(4, 4), (4, 136), (136, 4)], strict=True):
        np.testing.assert_array_equal(sheet[y : y + 128, x : x + 128], image)
    is_margin = np.ones(sheet.shape[:2], bool)
    for y, x in [(4, 4), (4, 136), (136, 4)]:
        is_margin[y : y + 128, x : x + 128] = False
    assert (sheet[is_margin] == 255).all()  # opaque white, the empty place too


def test_texts_are_beside_the_pictures_and_never_on_them():
    images = np.full((4, 8, 8, 3), (200, 10, 10), np.uint8)
    texts = {"captions": ["seed 1\na very long class name that does not fit"] * 4, "column_names": ["a", "b"], "row_names": ["1", "2\nx"]}
    sheet = sheets.sheet(images, 2, **texts, note="A note of several words. " * 8)
    assert (sheet == (200, 10, 10)).all(axis=2).sum() == 4 * 128 * 128
    bare = sheets.sheet(images, 2)
    assert sheet.shape[0] > bare.shape[0] + 100
    assert sheet.shape[1] > bare.shape[1]


def test_large_pictures_keep_their_size():
    assert sheets.sheet(pictures(1, side=256), 1).shape == (256 + 16, 256 + 16, 3)


def test_long_texts_are_cut_or_broken_into_lines():
    font = ImageFont.load_default(12)
    cut = sheets.shortened("a" * 100, font, 60)
    assert cut.endswith("a...")
    assert font.getlength(cut) <= 60
    assert sheets.shortened("short", font, 60) == "short"
    assert all(font.getlength(line) <= 60 for line in sheets.wrapped("one/" * 30, font, 60))
    lines = sheets.wrapped("one two three four five six seven", font, 60)
    assert " ".join(lines) == "one two three four five six seven"
    assert all(font.getlength(line) <= 60 for line in lines)


@pytest.mark.parametrize(("shape", "size"), [((8, 8, 3), (136, 136)), ((4, 8, 8, 1), (268, 268)), ((2, 8, 8, 4), (268, 136))])
def test_notebooks_show_pictures(shape, size):
    shown = np.zeros(shape, np.uint8).view(sheets.Pictures)._repr_png_()
    assert Image.open(io.BytesIO(shown)).size == size


def test_other_arrays_are_shown_as_numbers():
    images = pictures(2).view(sheets.Pictures)
    assert images.astype(np.float32)._repr_png_() is None
    assert images[0, 0]._repr_png_() is None
    assert images[:0]._repr_png_() is None
    assert images.mean() == pytest.approx(np.asarray(images).mean())
