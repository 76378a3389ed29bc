"""PNGs that Pillow can decode and other readers of the records may not."""

import struct
import zlib

import numpy as np
import pytest

from stylegan_tf.data.intake.decode import decode_image_file
from stylegan_tf.data.records.png import strip_png
from tests.data.broken_files import SIDE, chunk, plain_rows, png

HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0))


def with_window(bits):
    """A PNG whose zlib stream is compressed with, and claims, a window of 2^bits."""
    compress = zlib.compressobj(9, zlib.DEFLATED, bits)
    stream = compress.compress(plain_rows()) + compress.flush()
    return png(b"").replace(chunk(b"IDAT", zlib.compress(b"")), chunk(b"IDAT", stream))


def test_a_valid_png_can_be_stored_as_it_is():
    assert strip_png(with_window(15), SIDE, 3) is not None
    assert strip_png(with_window(12), SIDE, 3) is not None  # 4 KB hold all 3,104 bytes


@pytest.mark.parametrize("content", [with_window(11), png(plain_rows(), more=HEADER), png(plain_rows(), more=chunk(b"CgBI", b"1234"))],
                         ids=["window smaller than the image", "second header", "unknown critical chunk"])  # fmt: skip
def test_a_png_that_libpng_may_reject_is_not_stored_as_it_is(content):
    assert strip_png(content, SIDE, 3) is None


def test_a_png_with_a_small_window_is_decoded():
    expected = decode_image_file(with_window(15)).pixels
    np.testing.assert_array_equal(decode_image_file(with_window(11)).pixels, expected)
