"""Videos in every format, and what is refused."""

import importlib.util
import sys

import numpy as np
import pytest
from PIL import Image

from stylegan_tf.errors import UserError
from stylegan_tf.inference.video import check_video_path, enlarged_frame, on_white, write_video

HAS_FFMPEG = importlib.util.find_spec("imageio_ffmpeg") is not None


def frames(count=6, channels=3, side=16):
    for number in range(count):
        yield np.full((side, side, channels), 40 * number, np.uint8)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pillow_formats_contain_every_frame(tmp_path, suffix, channels):
    path = tmp_path / f"walk{suffix}"
    assert write_video(path, frames(channels=channels), fps=25) == 6
    with Image.open(path) as video:
        video.load()  # the duration is known once a WebP file is read
        assert video.n_frames == 6
        assert video.size == (16, 16)
        assert video.info["duration"] == 40
        assert video.info.get("loop", 0) == 0
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_webp_keeps_transparency(tmp_path):
    write_video(tmp_path / "clear.webp", frames(channels=4))
    with Image.open(tmp_path / "clear.webp") as video:
        assert video.mode == "RGBA"


@pytest.mark.skipif(not HAS_FFMPEG, reason="imageio-ffmpeg is not installed")
@pytest.mark.parametrize(("channels", "side"), [(3, 16), (1, 15), (4, 8)])
def test_mp4_contains_every_frame(tmp_path, channels, side):
    import imageio_ffmpeg

    path = tmp_path / "walk.mp4"
    assert write_video(path, frames(channels=channels, side=side), fps=25) == 6
    count, seconds = imageio_ffmpeg.count_frames_and_secs(str(path))
    assert (count, seconds) == (6, pytest.approx(0.24, abs=0.02))


@pytest.mark.parametrize(("side", "columns", "size"), [(8, 1, (256, 256)), (32, 2, (512, 256)), (128, 1, (256, 256)), (256, 1, (256, 256))])
def test_frames_have_at_least_256_pixels(side, columns, size):
    frame = np.zeros((side, columns * side, 3), np.uint8)
    assert enlarged_frame(frame, side).shape[1::-1] == size


def test_frames_of_grids_show_each_image_with_128_pixels():
    assert enlarged_frame(np.zeros((64, 96, 3), np.uint8), 32).shape == (256, 384, 3)


@pytest.mark.skipif(not HAS_FFMPEG, reason="imageio-ffmpeg is not installed")
def test_mp4_of_small_images_is_sharp(tmp_path):
    import imageio_ffmpeg

    frame = enlarged_frame(np.random.RandomState(0).randint(0, 256, (32, 32, 3), np.uint8), 32)
    write_video(tmp_path / "walk.mp4", [frame] * 8)
    reader = imageio_ffmpeg.read_frames(str(tmp_path / "walk.mp4"))
    assert next(reader)["size"] == (256, 256)
    decoded = np.frombuffer(next(reader), np.uint8).reshape(frame.shape)
    # The root mean square is 4 for this factor of 8, and 24 for 7: H.264 averages colours over two pixels.
    assert np.sqrt(np.mean((decoded.astype(float) - frame) ** 2)) < 6


def test_without_ffmpeg_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match=r"pip install imageio-ffmpeg.*\.gif and \.webp work"):
        check_video_path(tmp_path / "walk.mp4")
    check_video_path(tmp_path / "walk.gif")


def test_files_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"\.mp4, \.gif, \.webp"):
        check_video_path(tmp_path / "walk.avi")
    with pytest.raises(UserError, match="does not exist"):
        check_video_path(tmp_path / "none" / "walk.gif")


def test_a_failing_frame_leaves_nothing_behind(tmp_path):
    def broken():
        yield from frames(2)
        raise RuntimeError("frame failed")

    with pytest.raises(RuntimeError, match="frame failed"):
        write_video(tmp_path / "walk.gif", broken())
    assert list(tmp_path.iterdir()) == []


def test_on_white():
    clear = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 0, 0, 51]]], np.uint8)
    np.testing.assert_array_equal(on_white(clear), [[[255, 255, 255], [10, 20, 30], [204, 204, 204]]])
