"""Images of a generator in batches of one size, as uint8, the same whatever the batch size."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from stylegan_tf import resolution as growth
from stylegan_tf.images import to_uint8
from stylegan_tf.models.base import Generator, StyleGenerator


class Sampler:
    """What samplers share: the generator and how it is run.

    Args:
        G: the generator, usually G_ema.
        lod: level of detail of the images, 0 for the full resolution.
        batch_size: images computed at once. The last batch is padded, so that there is one trace.
    """

    def __init__(self, G: Generator, *, lod: float = 0.0, batch_size: int = 8):
        self.G, self.lod, self.batch_size = G, growth.split_lod(lod), batch_size

    @property
    def resolution(self) -> int:
        """Side of the images."""
        return growth.resolution_at(self.G.resolution, self.lod)

    def _batches(self, compute: Callable[..., tf.Tensor], inputs: Sequence[np.ndarray], noise_seeds: Sequence[int]) -> Iterator[np.ndarray]:
        """Yields uint8 [at most batch_size, R, R, C] of `compute(*inputs, noise_seeds)`."""
        seeds = np.array([divmod(int(seed), 2**31) for seed in noise_seeds], np.int32)
        for start in range(0, len(inputs[0]), self.batch_size):
            rows = slice(start, start + self.batch_size)
            count = len(inputs[0][rows])
            padded = [_padded(array[rows], self.batch_size).astype(np.float32) for array in inputs]
            yield to_uint8(compute(*padded, _padded(seeds[rows], self.batch_size)).numpy()[:count])


class ImageSampler(Sampler):
    """Images of any generator from z and labels, by `Generator.sample`; the noise in an image is a function of its noise seed."""

    def __init__(self, G: Generator, *, lod: float = 0.0, batch_size: int = 8):
        super().__init__(G, lod=lod, batch_size=batch_size)
        self._sample = tf.function(lambda z, labels, seed: G.sample(z, labels, lod=self.lod, noise_seed=seed), reduce_retracing=True)

    def batches(self, z: np.ndarray, labels: np.ndarray | None = None, noise_seeds: Sequence[int] | None = None) -> Iterator[np.ndarray]:
        """Computes images batch by batch, so that any number fits into memory.

        Args:
            z: [N, z_dim].
            labels: [N, label_size], None for an unconditional network.
            noise_seeds: N integers, one an image; None for 0, 1, 2, ...

        Yields:
            uint8 [at most batch_size, R, R, C].
        """
        seeds = range(len(z)) if noise_seeds is None else noise_seeds
        if labels is None:
            return self._batches(lambda z, seed: self._sample(z, None, seed), [z], seeds)
        return self._batches(self._sample, [z, labels], seeds)


class StyleSampler(Sampler):
    """Images of a style-based generator: z to ws, and ws to images.

    Args:
        G, lod, batch_size: as `Sampler`.
        noise_mode: "const" (the network's own noise maps), "random" (a function of each image's noise seed) or "none".
    """

    G: StyleGenerator

    def __init__(self, G: StyleGenerator, *, lod: float = 0.0, batch_size: int = 8, noise_mode: str = "const"):
        super().__init__(G, lod=lod, batch_size=batch_size)
        self.noise_mode = noise_mode
        self._synthesis = tf.function(
            lambda ws, seed: G.synthesis(ws, noise_mode=noise_mode, lod=self.lod, noise_seed=seed), reduce_retracing=True
        )
        self._mapping = tf.function(lambda z, labels: G.mapping(z, labels), reduce_retracing=True)

    def ws(self, z: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Maps z [N, z_dim] and labels [N, label_size] to ws [N, num_ws, w_dim], not truncated."""
        parts = []
        for start in range(0, len(z), 1024):
            part = slice(start, start + 1024)
            parts.append(self._mapping(z[part], None if labels is None else labels[part]).numpy())
        return np.concatenate(parts)

    def truncate(self, ws: np.ndarray, psi: float | None, cutoff: int | None = None) -> np.ndarray:
        """w_avg + psi * (w - w_avg) in the first `cutoff` layers of ws [N, num_ws, w_dim] (None: in all layers)."""
        if psi is None or psi == 1:
            return ws
        w_avg = np.asarray(self.G.w_avg)
        truncated = w_avg + np.float32(psi) * (ws - w_avg)
        is_truncated = np.arange(ws.shape[1]) < (ws.shape[1] if cutoff is None else cutoff)
        return np.where(is_truncated[None, :, None], truncated, ws)

    def batches(self, ws: np.ndarray, noise_seeds: Sequence[int] | None = None) -> Iterator[np.ndarray]:
        """Computes images batch by batch, so that any number fits into memory.

        Args:
            ws: [N, num_ws, w_dim].
            noise_seeds: N integers that random noise is a function of; None for 0, 1, 2, ...

        Yields:
            uint8 [at most batch_size, R, R, C].
        """
        return self._batches(self._synthesis, [ws], range(len(ws)) if noise_seeds is None else noise_seeds)

    def images(self, ws: np.ndarray, noise_seeds: Sequence[int] | None = None) -> np.ndarray:
        """All images of `batches`: uint8 [N, R, R, C]."""
        return np.concatenate(list(self.batches(ws, noise_seeds)))


def _padded(array: np.ndarray, count: int) -> np.ndarray:
    """`array` with its last row repeated up to `count` rows."""
    missing = count - len(array)
    return np.concatenate([array, np.repeat(array[-1:], missing, axis=0)]) if missing else array
