"""Pixels to and from network range, grids and PNG files, against what the original made of the same arrays."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylegan_tf import images

GOLDEN = Path(__file__).parents[2] / "shared" / "golden" / "process_reals.npz"


@pytest.fixture
def golden():
    if not GOLDEN.exists():
        pytest.skip("../shared/golden is not here")
    return np.load(GOLDEN)


def nhwc(array):
    return array.transpose(0, 2, 3, 1)


def test_to_float_equals_the_originals_reals(golden):
    # One float32 rounding apart: the original's constants are folded in another order.
    np.testing.assert_allclose(images.to_float(golden["lod0/in"]), golden["lod0/out"], atol=1.2e-7)


def test_to_uint8_equals_the_originals(golden):
    np.testing.assert_array_equal(images.to_uint8(golden["to_uint8/in"]), golden["to_uint8/out"])


def test_grid_equals_the_originals(golden):
    grid = images.make_grid(images.to_uint8(nhwc(golden["grid/pil_in"])), columns=2)
    np.testing.assert_array_equal(grid, golden["grid/out_2x1"])


def test_every_pixel_value_survives_the_way_there_and_back():
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(images.to_uint8(images.to_float(levels)), levels)


def test_not_a_number_is_black():
    assert images.to_uint8(np.array([np.nan, np.inf, -np.inf])).tolist() == [0, 255, 0]


def test_grid_runs_row_by_row_and_fills_up_with_black():
    values = np.arange(1, 6, dtype=np.uint8).reshape(5, 1, 1, 1)
    assert images.make_grid(values, columns=3)[:, :, 0].tolist() == [[1, 2, 3], [4, 5, 0]]


@pytest.mark.parametrize(
    ("resolution", "size", "shape"),
    [(1024, "1080p", (3, 2)), (1024, "4k", (7, 4)), (256, "1080p", (7, 4)), (64, "1080p", (30, 16)), (8, "4k", (32, 32))],
)
def test_grid_shape_is_the_originals(resolution, size, shape):
    assert images.grid_shape(resolution, size) == shape


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_holds_the_pixels(tmp_path, channels):
    pixels = np.random.RandomState(0).randint(0, 256, (4, 6, channels), np.uint8)
    images.save_png(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")).reshape(4, 6, channels), pixels)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_png_has_text_and_a_print_size(tmp_path):
    text = {"seed": "5", "class": "wei\u00df \u8449"}
    images.save_png(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8), text=text, dpi=150)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.text == text
        assert picture.info["dpi"] == pytest.approx((150, 150), abs=0.1)


def test_png_refuses_another_shape(tmp_path):
    with pytest.raises(ValueError, match="Received"):
        images.save_png(tmp_path / "a.png", np.zeros((4, 4, 2), np.uint8))


def test_to_uint8_in_a_graph_equals_that_of_arrays():
    tf = pytest.importorskip("tensorflow")
    values = np.concatenate([np.linspace(-1.2, 1.2, 5001), [np.nan, np.inf, -np.inf, 1e30]]).astype(np.float32)
    np.testing.assert_array_equal(tf.function(images.to_uint8_tensor)(values), images.to_uint8(values))


def test_psnr():
    first = np.zeros((2, 2, 3), np.uint8)
    assert images.psnr(first, first) == float("inf")
    assert images.psnr(first, first + 255) == 0
    second = first.copy()
    second[0, 0, 0] = 51  # a fifth of the range in one of 12 values
    assert images.psnr(first, second) == pytest.approx(10 * np.log10(25 * 12))
    assert images.psnr(first, second) == images.psnr(second, first)
