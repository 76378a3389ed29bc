"""Tests of decoding: every kind of pixel becomes the right 8-bit colours."""

import zlib

import numpy as np
import pytest
from PIL import Image

from stylegan_tf.data.intake import decode
from stylegan_tf.data.intake.colour import parse_colour, to_channels
from stylegan_tf.data.intake.decode import ALPHA, COLOUR, GREY, decode_image_file
from stylegan_tf.data.sources import UnusableImage
from stylegan_tf.errors import UserError
from tests.data.broken_files import chunk, encoded, leaf, plain_rows, png

WHITE = (255, 255, 255)


def decoded(picture, kind="PNG", **options):
    return decode_image_file(encoded(picture, kind, **options))


def test_plain_png_is_decoded_as_pillow_does():
    for picture in (leaf(), leaf().convert("L")):
        result = decoded(picture)
        assert (np.squeeze(result.pixels) == np.asarray(picture)).all()
        assert result.is_plain
        assert result.notes == ()


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_rotation_is_applied(orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = leaf().resize((40, 24))
    for kind in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        result = decoded(picture, kind, exif=exif, **options)
        assert (result.pixels == np.rot90(np.asarray(picture), turns)).all(), kind
        assert result.size == result.pixels.shape[:2]


def test_sixteen_bits_are_scaled_not_clipped():
    values = np.array([[0, 257, 32896, 65535]], np.uint16).repeat(4, axis=0)
    result = decoded(Image.fromarray(values))
    assert result.kind == GREY
    assert result.pixels[0, :, 0].tolist() == [0, 1, 128, 255]
    assert result.notes == ("16-bit scaled",)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 0.25, 0.3], [0, 64, 76]),
        ([0.0, 100.0, 255.0], None),
        ([-1.0, 0.0, 1.0], None),
        ([0.0, 257.0, 65535.0], None),
    ],
)
def test_floats_are_from_black_0_to_white_1_or_refused(values, expected):  # what else they mean, no header says
    picture = Image.fromarray(np.array([values] * 3, np.float32))
    if expected is None:
        with pytest.raises(UnusableImage, match="invalid pixel values: floats from"):
            decoded(picture, "TIFF")
    else:
        assert decoded(picture, "TIFF").pixels[0, :, 0].tolist() == expected


def test_palette_one_bit_and_cmyk_become_colours():
    palette = leaf().quantize(8)
    assert (decoded(palette).pixels == np.asarray(palette.convert("RGB"))).all()
    one_bit = leaf().convert("1")
    assert (decoded(one_bit).pixels[:, :, 0] == np.asarray(one_bit) * 255).all()
    cmyk = Image.new("CMYK", (32, 32), (0, 255, 255, 0))  # red
    assert decoded(cmyk, "JPEG", quality=100).pixels[5, 5].tolist() == pytest.approx([255, 0, 0], abs=3)


def test_transparent_pixels_are_blended_with_the_background():
    picture = leaf().convert("RGBA")
    assert decoded(picture).kind == COLOUR  # an alpha channel without a transparent pixel
    picture.putalpha(0)
    result = decoded(picture)
    assert result.kind == ALPHA
    assert (to_channels(result.pixels, 3, (10, 20, 30)) == (10, 20, 30)).all()
    assert (to_channels(result.pixels, 1, (100, 100, 100)) == 100).all()
    assert to_channels(result.pixels, 4, WHITE).shape == (32, 32, 4)


def test_channels_of_grey_and_colour():
    grey = decoded(leaf().convert("L"))
    assert np.ptp(to_channels(grey.pixels, 3, WHITE), axis=2).max() == 0
    assert (to_channels(grey.pixels, 4, WHITE)[:, :, 3] == 255).all()
    assert (to_channels(decoded(leaf()).pixels, 1, WHITE)[:, :, 0] == np.asarray(leaf().convert("L"))).all()


def test_the_first_image_of_an_animation_is_used():
    for kind in ("GIF", "PNG", "TIFF", "WEBP"):
        options = {"lossless": True} if kind == "WEBP" else {}
        result = decoded(leaf(0), kind, save_all=True, append_images=[leaf(1), leaf(2)], **options)
        assert np.abs(result.pixels[:, :, :3].astype(int) - np.asarray(leaf(0))).mean() < 12, kind  # a GIF has 256 colours
        assert any("first image used" in note for note in result.notes), kind


def test_a_plain_jpeg_can_be_stored_as_it_is():
    assert decoded(leaf(), "JPEG").is_plain
    assert not decoded(leaf().convert("CMYK"), "JPEG").is_plain


def test_huge_pictures_are_reduced_and_too_huge_ones_refused(monkeypatch):
    monkeypatch.setattr(decode, "_KEPT_SIDE", 16)
    monkeypatch.setattr(decode, "_LARGE_PIXELS", 32 * 32)
    for kind in ("PNG", "JPEG"):
        result = decoded(leaf(0, 128), kind)
        assert result.size == (128, 128)
        assert 16 <= result.pixels.shape[0] <= 32
        assert not result.is_plain
    with pytest.raises(UnusableImage, match=r"too many pixels: 64x64; at most 0\.001024 million are decoded"):
        decode_image_file(encoded(leaf(0, 64), "PNG"), 32 * 32)


def test_colours_of_the_background():
    assert parse_colour("black") == (0, 0, 0)
    assert parse_colour("#ff8000") == (255, 128, 0)
    with pytest.raises(UserError, match="must be a colour"):
        parse_colour("blackish")


def test_a_png_with_a_small_window_is_decoded():
    """Pillow ignores the window that the zlib stream of a PNG states."""
    compress = zlib.compressobj(9, zlib.DEFLATED, 11)
    stream = compress.compress(plain_rows()) + compress.flush()
    small = png(b"").replace(chunk(b"IDAT", zlib.compress(b"")), chunk(b"IDAT", stream))
    np.testing.assert_array_equal(decode_image_file(small).pixels, decode_image_file(png(plain_rows())).pixels)


def test_decoders_write_nothing_to_stderr(capfd):  # libtiff and libpng did, one line for each damaged file
    tiff = encoded(leaf(), "TIFF", compression="tiff_deflate")
    rows = bytes(65 * 32)
    without_end, with_more = (png(b"", depth=16, color_type=0).replace(chunk(b"IDAT", zlib.compress(b"")), chunk(b"IDAT", stream))
                              for stream in (zlib.compress(rows)[:-4], zlib.compress(rows) + b"more"))  # fmt: skip
    for content in (tiff[:-40], tiff[:200] + bytes(100) + tiff[300:], without_end, with_more):
        with pytest.raises(UnusableImage):
            decode_image_file(content)
    assert capfd.readouterr().err == ""
