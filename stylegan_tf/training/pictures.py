"""The image grids of a run: reals before training, fakes of fixed latents at every tick."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from stylegan_tf import images
from stylegan_tf.models.base import Generator
from stylegan_tf.resolution import Lod, split_lod
from stylegan_tf.settings import RunSettings

BATCH_SIZE = 24  # images generated at once
MIN_SHOWN_SIDE = 64  # pixels: smaller images are enlarged in the grids, because their details are too small to be seen on a screen


class PictureGrids:
    """Grids of latents that depend on the seed alone, and so are the same for the whole run.

    Args:
        settings: grid size and seed.
        resolution: full resolution, that of the grids at every level of detail.
        labels: float32 [num_images, label_size] of the dataset, or None. With labels, each row shows one class.
    """

    def __init__(self, settings: RunSettings, *, resolution: int, z_dim: int, labels: np.ndarray | None, num_images: int):
        self.resolution = resolution
        columns, rows = images.grid_shape(resolution, settings.grid_size)
        self.columns = settings.grid_columns or columns
        rows = settings.grid_rows or rows
        random = np.random.RandomState(settings.seed)
        if labels is None or labels.shape[1] == 0:
            count = self.columns * rows
            self.indices = random.randint(num_images, size=count) if count > num_images else random.choice(num_images, count, False)
            self.labels = None
        else:
            self.indices = _one_class_a_row(labels, self.columns, rows, random)
            self.labels = labels[self.indices]
        self.z = random.randn(len(self.indices), z_dim).astype(np.float32)
        self._real_spread: dict[int, float] = {}
        self._draw: dict[tuple[int, bool], Callable] = {}  # by (floor of lod, whether a level fades in)

    def reals(self, read_images: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Grid of reals, uint8 [H, W, C]. `read_images(indices)` returns uint8 [n, R, R, C] at full resolution."""
        return self._grid(read_images(np.sort(self.indices) if self.labels is None else self.indices), self.columns)

    def augmented(self, read_images: Callable[[np.ndarray], np.ndarray], augment: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Grid of reals as D sees them, uint8 [H, W, C]: a row of images for each strength of the augmentation.

        Args:
            read_images: as in `reals`.
            augment: float32 [n, R, R, C] in [-1, 1] to [rows * n, R, R, C].
        """
        reals = read_images(np.sort(self.indices[: self.columns]))
        return self._grid(images.to_uint8(augment(images.to_float(reals))), len(reals))

    def fakes(self, pictures: np.ndarray) -> np.ndarray:
        """Grid of the pictures that `draw` returned, uint8 [H, W, C], of the same size at every level of detail."""
        return self._grid(pictures, self.columns)

    def _grid(self, pictures: np.ndarray, columns: int) -> np.ndarray:
        return images.make_grid(images.upscale(pictures, max(self.resolution, MIN_SHOWN_SIDE) // pictures.shape[1]), columns)

    def diversity(self, pictures: np.ndarray, read_images: Callable[[np.ndarray, int], np.ndarray]) -> float:
        """Diversity of fakes: the mean standard deviation of their pixels, divided by that of as many reals at the same resolution.

        With labels, within each class: a generator that makes one image a class has collapsed, however the classes differ.

        Args:
            pictures: returned by `draw`.
            read_images: (indices, resolution) to uint8 [n, R, R, C].
        """
        size = pictures.shape[1]
        if size not in self._real_spread:
            self._real_spread[size] = self._spread(read_images(self.indices, size))
        return self._spread(pictures) / max(self._real_spread[size], 1e-9)

    def _spread(self, pictures: np.ndarray) -> float:
        """Standard deviation over the pictures of a class, averaged over classes and pixels."""
        classes = np.zeros(len(pictures)) if self.labels is None else self.labels.argmax(axis=1)
        return float(np.mean([pictures[classes == kind].astype(np.float32).std(axis=0).mean() for kind in np.unique(classes)]))

    def draw(self, G_ema: Generator, lod: float) -> np.ndarray:
        """Generates the fakes, without truncation and with fixed noise.

        Returns:
            uint8 [N, R, R, C] at the resolution of the level of detail.
        """
        floor, fade = split_lod(lod)
        if (floor, fade is None) not in self._draw:

            def draw(z: tf.Tensor, labels: tf.Tensor | None, fade: tf.Tensor | None) -> tf.Tensor:
                return G_ema.preview(z, labels, lod=Lod(floor, fade))

            # Only the last one: earlier levels do not occur again, and their traces would occupy memory.
            self._draw = {(floor, fade is None): tf.function(draw, autograph=False)}
        fade = None if fade is None else tf.constant(fade, tf.float32)
        drawn = []
        for start in range(0, len(self.z), BATCH_SIZE):
            chosen = np.arange(start, start + BATCH_SIZE) % len(self.z)  # the last batch is padded: one shape, one trace
            labels = None if self.labels is None else tf.constant(self.labels[chosen])
            drawn.append(images.to_uint8(self._draw[floor, fade is None](tf.constant(self.z[chosen]), labels, fade).numpy()))
        return np.concatenate(drawn)[: len(self.z)]


def _one_class_a_row(labels: np.ndarray, columns: int, rows: int, random: np.random.RandomState) -> np.ndarray:
    """Indices of images, one row after the other, each of one class; as many rows as there are classes, at most `rows`."""
    classes = labels.argmax(axis=1)
    chosen = []
    for kind in np.unique(classes)[:rows]:
        members = np.flatnonzero(classes == kind)
        chosen.append(random.choice(members, columns, replace=len(members) < columns))
    return np.concatenate(chosen)
