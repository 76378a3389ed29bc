"""Tests of cutting out one object on a uniform background."""

import cv2
import numpy as np
import pytest

from stylegan_tf.data.intake.crop import SegmentCrop, cut_out
from stylegan_tf.data.intake.decode import decode_image_file
from stylegan_tf.data.intake.segment import find_object
from stylegan_tf.data.sources import UnusableImage
from stylegan_tf.data.sources.leaves import BACKGROUND, draw_leaf
from tests.data.broken_files import encoded

GROUND = tuple(round(255 * value) for value in BACKGROUND)


def sheet(index, *, ruler=True, shadow=False, side=600):
    """A herbarium sheet: a leaf off the middle, a ruler at the edge, a strip of colour patches. Returns it and the leaf's mask."""
    picture = np.full((side, side + 200, 3), GROUND, np.uint8)
    leaf = cv2.resize(draw_leaf(0, index, 256)[0], (300, 300), interpolation=cv2.INTER_AREA)
    top, left = 120, 180
    picture[top : top + 300, left : left + 300] = leaf
    mask = np.zeros(picture.shape[:2], bool)
    mask[top : top + 300, left : left + 300] = np.abs(leaf.astype(int) - GROUND).max(axis=2) > 30
    if ruler:
        picture[520:560, 60:700] = (250, 250, 250)
        for mark in range(60, 700, 16):
            picture[520:540, mark : mark + 3] = 20
        for number, color in enumerate(((220, 30, 30), (30, 160, 40), (40, 60, 200), (240, 220, 40), (20, 20, 20))):
            picture[60 + 60 * number : 110 + 60 * number, 680:740] = color
    if shadow:
        slope = np.linspace(1.0, 0.86, picture.shape[1])[None, :, None]
        picture = np.rint(picture * slope).astype(np.uint8)
    noise = np.random.RandomState(index).normal(0, 2, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8), mask


@pytest.mark.parametrize("shadow", [False, True])
@pytest.mark.parametrize("index", range(8))
def test_the_leaf_is_found_beside_ruler_and_colours(index, shadow):
    picture, mask = sheet(index, shadow=shadow)
    found = find_object(picture).mask
    overlap = (found & mask).sum() / (found | mask).sum()
    assert overlap > 0.8  # stalks and gaps between leaflets are a few pixels wide


def test_the_cut_out_is_centred_and_contains_nothing_else():
    picture, mask = sheet(1)
    square = cut_out(picture, find_object(picture), margin=0.5)  # so wide that ruler and patches would be in it
    assert square.shape[0] == square.shape[1]
    drawn = np.abs(square.astype(int) - GROUND).max(axis=2) > 40
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    assert abs(rows[0] + rows[-1] - square.shape[0]) < 0.04 * square.shape[0]
    assert abs(columns[0] + columns[-1] - square.shape[0]) < 0.04 * square.shape[0]
    longer = max(np.ptp(rows), np.ptp(columns)) + 1
    assert square.shape[0] == pytest.approx(2 * longer, rel=0.05)
    height = np.ptp(np.flatnonzero(mask.any(axis=1))) + 1
    assert np.ptp(rows) + 1 == pytest.approx(height, rel=0.06)


def test_no_object_and_backgrounds_that_are_not_uniform_are_refused():
    with pytest.raises(UnusableImage, match="no object found"):
        find_object(np.full((100, 100, 3), 200, np.uint8))
    with pytest.raises(UnusableImage, match="background not uniform"):
        find_object(np.random.RandomState(0).randint(256, size=(100, 100, 3)).astype(np.uint8))


def test_grey_and_transparent_images_are_cut_out_too():
    picture, _ = sheet(3, ruler=False)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[:, :, None]
    assert SegmentCrop(0.1)(decode_image_file(encoded_array(grey[:, :, 0])), "x").pixels.shape[2] == 1
    clear = np.dstack([picture, np.where(np.abs(picture.astype(int) - GROUND).max(axis=2) > 40, 255, 0).astype(np.uint8)])
    out = SegmentCrop(0.1)(decode_image_file(encoded_array(clear)), "x").pixels
    assert out.shape[2] == 4
    assert not out[0, :, 3].any()


def test_masks_replace_segmentation(tmp_path):
    picture, mask = sheet(0)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "leaf_mask.png").write_bytes(encoded_array((mask * 255).astype(np.uint8)))
    crop = SegmentCrop(0.1, tmp_path)
    decoded = decode_image_file(encoded_array(picture))
    out = crop(decoded, "deep/leaf.jpg").pixels
    longer = max(np.ptp(np.flatnonzero(mask.any(axis=axis))) + 1 for axis in (0, 1))
    assert out.shape[0] == pytest.approx(1.2 * longer, abs=2)
    with pytest.raises(UnusableImage, match="no mask"):
        crop(decoded, "deep/other.jpg")


def encoded_array(pixels):
    from PIL import Image

    return encoded(Image.fromarray(pixels), "PNG")
