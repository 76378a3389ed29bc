"""Videos: frames to .mp4, .gif or .webp, whole or not at all."""

import importlib.util
import itertools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from stylegan_tf.command_line import check_output
from stylegan_tf.errors import UserError
from stylegan_tf.files import atomic_path
from stylegan_tf.images import upscale
from stylegan_tf.sheets import MIN_SHOWN_SIDE

MIN_FRAME_SIDE = 256  # pixels
SUFFIXES = (".mp4", ".gif", ".webp")
_RATE_FACTOR = "18"  # of H.264, 0 (lossless) to 51: no visible loss


def check_video_path(path: str | os.PathLike) -> Path:
    """Checks, before any slow work, that a video can be written.

    Raises:
        UserError: another suffix, a file that cannot be written, or the package that writes .mp4 is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"Videos are written as {', '.join(SUFFIXES)}. Received: {path}")
    check_output(path)
    if path.suffix.lower() == ".mp4":
        _ffmpeg()
    return path


def write_video(path: str | os.PathLike, frames: Iterable[np.ndarray], *, fps: float = 30.0) -> int:
    """Writes uint8 frames [H, W, C] one after the other.

    Args:
        path: its suffix chooses the format.
        frames: of one size; C is 1, 3 or 4. Transparency is kept in .webp; other formats get a white background.
        fps: frames per second.

    Returns:
        Number of frames.
    """
    path = check_video_path(path)
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".mp4":
            return _write_mp4(temporary, iter(frames), fps)
        return _write_pillow(temporary, iter(frames), fps, path.suffix.lower())


def can_write_mp4() -> bool:
    """Whether the package that writes .mp4 is installed."""
    return importlib.util.find_spec("imageio_ffmpeg") is not None


def enlarged_frame(frame: np.ndarray, side: int) -> np.ndarray:
    """Repeats the pixels of a frame made of images of `side` until each has at least 128 pixels a side, and the frame 256.

    The factor is even: H.264 stores colours at half of the resolution, and then loses none of them.
    """
    factor = max(-(-MIN_SHOWN_SIDE // side), -(-MIN_FRAME_SIDE // min(frame.shape[:2])))
    return upscale(frame[None], factor + factor % 2 if factor > 1 else 1)[0]


def on_white(frame: np.ndarray) -> np.ndarray:
    """[H, W, 1, 3 or 4] to RGB on a white background."""
    if frame.shape[2] == 1:
        return frame.repeat(3, axis=2)
    if frame.shape[2] == 3:
        return frame
    alpha = frame[:, :, 3:].astype(np.float32) / 255
    return np.round(frame[:, :, :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _ffmpeg():
    try:
        import imageio_ffmpeg
    except ImportError:
        raise UserError(
            "Writing .mp4 needs the package imageio-ffmpeg (pip install imageio-ffmpeg). Without it, .gif and .webp work."
        ) from None
    return imageio_ffmpeg


def _write_mp4(path: Path, frames: Iterator[np.ndarray], fps: float) -> int:
    first = next(frames)
    height, width = first.shape[:2]
    # H.264 with 4:2:0 colours needs even sides.
    even = (-(-height // 2) * 2, -(-width // 2) * 2)
    writer = _ffmpeg().write_frames(
        str(path), (even[1], even[0]), fps=fps, codec="libx264", quality=None, macro_block_size=1, pix_fmt_out="yuv420p",
        output_params=["-crf", _RATE_FACTOR, "-movflags", "+faststart"], ffmpeg_log_level="error",
    )  # fmt: skip
    writer.send(None)
    count = 0
    try:
        for frame in itertools.chain([first], frames):
            rgb = on_white(frame)
            writer.send(np.pad(rgb, [(0, even[0] - height), (0, even[1] - width), (0, 0)], mode="edge").tobytes())
            count += 1
    except OSError as error:  # ffmpeg has ended; its message follows the first line
        raise UserError(f"ffmpeg cannot write the video: {str(error).strip().splitlines()[0]}") from error
    finally:
        writer.close()
    if not _has_frames(path, count):  # ffmpeg that fails at the end, on a full disk, is not reported
        raise UserError(f"ffmpeg could not write the video of {count} frames. Is the disk full?")
    return count


def _has_frames(path: Path, count: int) -> bool:
    try:
        return _ffmpeg().count_frames_and_secs(str(path))[0] == count
    except RuntimeError:
        return False


def _write_pillow(path: Path, frames: Iterator[np.ndarray], fps: float, suffix: str) -> int:
    count = 0

    def images() -> Iterator[Image.Image]:
        nonlocal count
        for frame in frames:
            count += 1
            keeps_alpha = suffix == ".webp" and frame.shape[2] == 4
            yield Image.fromarray(frame if keeps_alpha else on_white(frame))

    stream = images()
    options = {"quality": 90} if suffix == ".webp" else {}
    milliseconds = max(round(1000 / fps), 20 if suffix == ".gif" else 1)  # viewers slow frames below 20 ms down
    next(stream).save(path, format=suffix[1:].upper(), save_all=True, append_images=stream, duration=milliseconds, loop=0, **options)
    return count
