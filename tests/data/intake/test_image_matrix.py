"""Pixels follow the header of the file: every format, depth and option of a matrix gives the samples it was built from, or is skipped."""

import subprocess

import cv2
import numpy as np
import pytest

from stylegan_tf.data.intake.decode import decode_image_file
from stylegan_tf.data.sources import UnusableImage
from tests.data.intake.image_matrix import HEIGHT, WIDTH, all_cases, to_bytes

CASES = all_cases()
# Neither OpenCV nor FFmpeg reads these as the specifications say: OpenCV ignores the transparent colour and FFmpeg compares it with
# scaled samples; both take the fourth of unspecified samples for opacity, and palettes of bytes for black; 32 bits and Lab are not read.
UNCONFIRMED = ("1bit_key", "1bit_interlaced_key", "2bit_key", "2bit_interlaced_key", "4bit_key", "4bit_interlaced_key", "_and_more_")
UNCONFIRMED += ("grey32_", "palette1_of_bytes", "palette2_of_bytes", "float_inverted", ".dds", "lab_")


def as_rgba(pixels):
    """int [H, W, 4]."""
    pixels = pixels.repeat(3, axis=2) if pixels.shape[2] == 1 else pixels
    pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)]) if pixels.shape[2] == 3 else pixels
    return pixels.astype(int)


def difference(pixels, expected):
    """Largest difference; colours do not count where nothing of them is seen (opacity 0, or 1 by rounding)."""
    pixels, expected = as_rgba(pixels), as_rgba(expected)
    distance = np.abs(pixels - expected)
    distance[:, :, :3] *= (np.minimum(pixels, expected) > 0)[:, :, 3:]
    return int(distance.max())


def opencv(content):
    """The pixels that OpenCV reads; None if it reads none."""
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None or image.dtype not in (np.uint8, np.uint16, np.float32):
        return None
    image = image[:, :, None] if image.ndim == 2 else image
    image = to_bytes(image, {"uint8": 255, "uint16": 65535, "float32": 1}[image.dtype.name])
    return np.dstack([image[:, :, 2::-1], image[:, :, 3:]]) if image.shape[2] >= 3 else image[:, :, :1]


def ffmpeg(path):
    """The pixels that FFmpeg reads; None if it reads none."""
    program = pytest.importorskip("imageio_ffmpeg").get_ffmpeg_exe()
    command = [program, "-v", "quiet", "-i", path, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgba", "-"]
    content = subprocess.run(command, capture_output=True, check=False).stdout
    return np.frombuffer(content, np.uint8).reshape(HEIGHT, WIDTH, 4) if len(content) == HEIGHT * WIDTH * 4 else None


def test_the_matrix_has_enough_files():
    assert len(CASES) >= 300
    assert sum(case.pixels is None for case in CASES.values()) < 60


@pytest.mark.parametrize("name", CASES)
def test_pixels_are_those_of_the_header(name):
    content, expected = CASES[name]
    if expected is None:
        with pytest.raises(UnusableImage, match=r"(unsupported pixels|invalid pixel values|corrupt): "):
            decode_image_file(content)
        return
    decoded = decode_image_file(content)
    assert decoded.size == (HEIGHT, WIDTH)
    assert difference(decoded.pixels, expected) <= 1  # 16 bits are rounded or cut to 8


@pytest.mark.slow
def test_opencv_or_ffmpeg_read_the_same_pixels(tmp_path):
    wrong = []
    for name, (content, expected) in CASES.items():
        if expected is None or any(part in name for part in UNCONFIRMED):
            continue
        (tmp_path / name).write_bytes(content)
        found = [pixels for pixels in (opencv(content), ffmpeg(tmp_path / name)) if pixels is not None]
        if not any(difference(pixels, expected) <= 2 for pixels in found):  # 2: FFmpeg converts samples of 5 bits by shifting
            wrong.append(name)
    assert wrong == []
