"""How much disk a dataset will take, and whether it is there."""

import os
import shutil
from pathlib import Path

from stylegan_tf.errors import UserError

# Leaves at 256x256 take 0.41 of raw as PNG and 0.06 as JPEG of quality 90; busy photographs up to 0.65 and 0.2.
_BYTES_PER_RAW_BYTE = {"raw": 1.0, "png": 0.65, "jpeg": 0.2}
_OVERHEAD_BYTES = {"raw": 60, "png": 170, "jpeg": 450}  # each level: framing, shape, index, headers of the image format
_SPARE_BYTES = 64 << 20  # left free for everything else on the disk


def estimate_bytes(num_images: int, *, resolution: int, channels: int, encoding: str = "png", label_size: int = 0) -> int:
    """Disk that a dataset will take, all levels together: exact to a few percent for raw, a generous guess otherwise."""
    pixels_per_image = sum(side * side for side in _sides(resolution)) * channels
    bytes_per_image = pixels_per_image * _BYTES_PER_RAW_BYTE[encoding] + _OVERHEAD_BYTES[encoding] * len(_sides(resolution))
    return int(num_images * (bytes_per_image + 4 * label_size))


def check_disk(folder: Path, num_bytes: int) -> None:
    """Raises UserError where the disk that holds `folder` (which need not exist yet) has no room for `num_bytes`."""
    existing = Path(os.path.abspath(folder))
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if num_bytes + _SPARE_BYTES > free:
        raise UserError(
            f"{folder} would take about {num_bytes / 1e9:.1f} GB, but only {free / 1e9:.1f} GB are free there. "
            "Make room, or take a lower resolution or another encoding."
        )


def _sides(resolution: int) -> list[int]:
    return [1 << exponent for exponent in range(2, resolution.bit_length())]
