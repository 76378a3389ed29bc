"""Pictures with an ICC profile are converted to sRGB, unless the profile is sRGB or broken."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from stylegan_tf.data.intake.colour import CONVERTED, IGNORED, to_srgb
from stylegan_tf.data.intake.decode import decode_image_file
from stylegan_tf.data.intake.options import PrepareOptions
from stylegan_tf.data.intake.prepare import prepare
from stylegan_tf.data.sources import open_images
from tests.data.broken_files import encoded, leaf

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
# Another space out of sRGB: LittleCMS keeps the primaries as three rXYZ, gXYZ, bXYZ tags of 20 bytes; red and green change places.
SWAPPED = SRGB.replace(b"rXYZ", b"?XYZ").replace(b"gXYZ", b"rXYZ").replace(b"?XYZ", b"gXYZ")


def decoded(picture, kind, profile):
    return decode_image_file(encoded(picture, kind, icc_profile=profile))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_colours_of_another_space_become_srgb(kind):
    """With red and green primaries exchanged, red values are displayed as green."""
    result = decoded(Image.new("RGB", (32, 32), (250, 10, 20)), kind, SWAPPED)
    assert result.pixels[9, 9].tolist() == pytest.approx([10, 250, 20], abs=5)
    assert result.notes == (CONVERTED,)
    assert not result.is_plain


def test_transparency_is_kept_and_palettes_are_converted():
    half = Image.new("RGBA", (32, 32), (250, 10, 20, 77))
    assert decoded(half, "PNG", SWAPPED).pixels[9, 9].tolist() == pytest.approx([10, 250, 20, 77], abs=3)
    palette = Image.new("RGB", (32, 32), (250, 10, 20)).quantize(4)
    result = decoded(palette, "PNG", SWAPPED)
    assert result.pixels[9, 9].tolist() == pytest.approx([10, 250, 20], abs=3)
    assert result.notes == ("palette converted", CONVERTED)


def test_the_result_is_that_of_a_chain_through_lab():
    """Oracle: LittleCMS from the profile to Lab and from Lab to sRGB."""
    picture = leaf()
    lab = ImageCms.createProfile("LAB")
    there = ImageCms.profileToProfile(picture, io.BytesIO(SWAPPED), lab, outputMode="LAB")
    back = ImageCms.profileToProfile(there, lab, ImageCms.createProfile("sRGB"), outputMode="RGB")
    difference = np.abs(decoded(picture, "PNG", SWAPPED).pixels.astype(int) - np.asarray(back))
    assert difference.mean() < 2  # Lab in 8 bits rounds


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_copy_of_srgb_changes_nothing(kind):
    result = decoded(leaf(), kind, SRGB)
    assert (result.pixels == decode_image_file(encoded(leaf(), kind)).pixels).all()
    assert result.is_plain
    assert result.notes == ()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("profile", [b"no profile", SWAPPED[:300], SWAPPED[:128] + bytes(400), bytes(128)])
def test_a_broken_profile_is_ignored_with_a_note(kind, profile):
    result = decoded(leaf(), kind, profile)
    assert (result.pixels == decode_image_file(encoded(leaf(), kind)).pixels).all()
    assert result.notes == (IGNORED,)


def test_profiles_for_another_colour_space_are_ignored():
    cmyk = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    result = decoded(cmyk, "TIFF", SWAPPED)  # an RGB profile
    assert result.pixels[9, 9].tolist() == [255, 0, 0]
    assert result.notes == (IGNORED, "CMYK converted")
    assert decoded(leaf().convert("L"), "PNG", SWAPPED).notes == ()  # greys have no colours


def cmyk_profile(lab_of_ink):
    """A printer's profile by hand, as ICC.1:2010 lays it out: a table of two points a channel from CMYK to Lab.

    Args:
        lab_of_ink: function of four zeros and ones to (L 0 to 100, a, b).
    """
    corners = [[index >> shift & 1 for shift in (3, 2, 1, 0)] for index in range(16)]
    labs = [lab_of_ink(*inks) for inks in corners]
    table = b"".join(bytes([round(lightness * 2.55), a + 128, b + 128]) for lightness, a, b in labs)
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 * one for one in (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + identity + 4 * ramp + table + 3 * ramp
    lut += bytes(-len(lut) % 4)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = struct.pack(">I", 2) + struct.pack(">4sII", b"A2B0", 156, len(lut)) + struct.pack(">4sII", b"wtpt", 156 + len(lut), len(white))
    size = 156 + len(lut) + len(white)
    header = struct.pack(">I4sI4s4s4s", size, b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ") + bytes(12) + b"acsp"
    return header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061).ljust(60, b"\0") + tags + lut + white


def test_cmyk_is_converted_by_its_profile():
    """In this press the cyan ink is red: sRGB's red is (53.2, 80, 67) in Lab (of D65; 54, 81, 70 adapted to D50)."""

    def lab(cyan, magenta, yellow, black):
        return (0, 0, 0) if black else (54, 81, 70) if cyan else (100, 0, 0)

    inks = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    inks.paste((0, 0, 0, 0), (0, 0, 8, 32))
    inks.paste((0, 0, 0, 255), (24, 0, 32, 32))
    result = decoded(inks, "TIFF", cmyk_profile(lab))
    assert CONVERTED in result.notes
    assert result.pixels[9, 16].tolist() == pytest.approx([255, 0, 0], abs=12)
    assert result.pixels[9, 2].tolist() == pytest.approx([255, 255, 255], abs=3)
    assert result.pixels[9, 30].tolist() == pytest.approx([0, 0, 0], abs=3)
    assert decoded(inks, "TIFF", None).pixels[9, 16].tolist() == [0, 255, 255]  # without it cyan is cyan


def test_damaged_profiles_do_not_make_a_picture_unusable():
    random = np.random.RandomState(0)
    for _ in range(100):
        damaged = bytearray(SWAPPED)
        for place in random.randint(0, len(damaged), 3):
            damaged[place] ^= random.randint(1, 256)
        assert decoded(leaf(), "PNG", bytes(damaged)).pixels.shape == (32, 32, 3)


def test_the_report_counts_them(tmp_path):
    for number, profile in enumerate([SRGB, SWAPPED, SWAPPED, b"broken"]):
        (tmp_path / f"{number}.png").write_bytes(encoded(leaf(number), "PNG", icc_profile=profile))
    checked = prepare(open_images(tmp_path), PrepareOptions(), say=lambda text: None).checked
    assert checked.notes == {CONVERTED: 2, IGNORED: 1}


def test_pictures_without_a_profile_are_unchanged():
    picture = leaf()
    assert to_srgb(picture, None) == (picture, [])
    assert to_srgb(picture, b"") == (picture, [])
