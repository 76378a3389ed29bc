"""The image pyramid of a dataset: every level is the mean of 2x2 pixels of the level above, rounded only when written."""

from collections.abc import Iterator

import numpy as np

from stylegan_tf.resolution import MIN_RESOLUTION


def pyramid(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the levels of a batch, largest first, down to 4x4.

    Args:
        images: uint8 [N, R, R, C], R a power of two from 4 to 1024.

    Yields:
        uint8 [N, r, r, C] for r = R, R / 2, ..., 4. Means are kept exactly from level to level (float32 holds sums of
        4^8 bytes) and rounded half to even where a level is handed out.

    Source: the original release's TFRecord exporter (ORIGINAL: "level k+1 is the float 2x2 mean of level k").
    """
    yield images
    means = images
    while means.shape[1] > MIN_RESOLUTION:
        means = halve(means)
        yield np.rint(means).astype(np.uint8)


def halve(images: np.ndarray) -> np.ndarray:
    """Mean of 2x2 pixels: [N, 2r, 2r, C] of uint8 or float32 to float32 [N, r, r, C]."""
    # uint16 holds the sum of two bytes. NumPy adds along rows quickly; across them it wants long runs, hence a channel at a time.
    rows = np.add(images[:, 0::2], images[:, 1::2], dtype=np.uint16 if images.dtype == np.uint8 else np.float32)
    means = np.empty((*rows.shape[:2], rows.shape[2] // 2, rows.shape[3]), np.float32)
    for channel in range(rows.shape[3]):
        np.add(rows[:, :, 0::2, channel], rows[:, :, 1::2, channel], out=means[..., channel], dtype=np.float32)
    means *= np.float32(0.25)
    return means
