"""Draws pictures from a generator in batches of one size, as uint8, the same whatever the batch size."""

from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from stylegan_tf import resolution as growth
from stylegan_tf.images import to_uint8
from stylegan_tf.networks import Generator


class Painter:
    """z to ws to pictures.

    Args:
        G: the generator, usually the averaged one.
        lod: level of detail to draw at: 0 is full size, a half-grown network draws at the level it stands at.
        batch_size: images drawn at once; the last batch is filled up, so that there is one trace.
        noise_mode: "const" (the network's own maps), "random" (a function of each picture's noise seed) or "none".
    """

    def __init__(self, G: Generator, *, lod: float = 0.0, batch_size: int = 8, noise_mode: str = "const"):
        self.G, self.lod, self.noise_mode = G, growth.split_lod(lod), noise_mode
        # Noise is drawn for a whole batch; alone, a picture's noise depends on nothing but its own seed.
        self.batch_size = 1 if noise_mode == "random" else batch_size
        self._synthesis = tf.function(self._draw, reduce_retracing=True)
        self._mapping = tf.function(lambda z, labels: G.mapping(z, labels), reduce_retracing=True)

    @property
    def resolution(self) -> int:
        """Side of the pictures."""
        return growth.resolution_at(self.G.resolution, self.lod)

    def ws(self, z: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Maps z [N, z_dim] and labels [N, label_size] to ws [N, num_ws, w_dim], not truncated."""
        parts = []
        for start in range(0, len(z), 1024):
            part = slice(start, start + 1024)
            parts.append(self._mapping(z[part], None if labels is None else labels[part]).numpy())
        return np.concatenate(parts)

    def truncate(self, ws: np.ndarray, psi: float | None, cutoff: int | None = None) -> np.ndarray:
        """w_avg + psi * (w - w_avg) on the first `cutoff` layers of ws [N, num_ws, w_dim] (None: on all of them)."""
        if psi is None or psi == 1:
            return ws
        w_avg = np.asarray(self.G.w_avg)
        truncated = w_avg + np.float32(psi) * (ws - w_avg)
        is_truncated = np.arange(ws.shape[1]) < (ws.shape[1] if cutoff is None else cutoff)
        return np.where(is_truncated[None, :, None], truncated, ws)

    def pictures(self, ws: np.ndarray, noise_seeds: Sequence[int] | None = None) -> np.ndarray:
        """uint8 [N, R, R, C] of ws [N, num_ws, w_dim]; see `batches`."""
        return np.concatenate(list(self.batches(ws, noise_seeds)))

    def batches(self, ws: np.ndarray, noise_seeds: Sequence[int] | None = None) -> Iterator[np.ndarray]:
        """Draws pictures batch by batch, so that any number fits into memory.

        Args:
            ws: [N, num_ws, w_dim].
            noise_seeds: N numbers that random noise is a function of; None counts from 0.

        Yields:
            uint8 [at most batch_size, R, R, C].
        """
        seeds = range(len(ws)) if noise_seeds is None else noise_seeds
        for start in range(0, len(ws), self.batch_size):
            batch = ws[start : start + self.batch_size]
            missing = self.batch_size - len(batch)
            filled = np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)]) if missing else batch
            seed = np.array(divmod(int(seeds[start]), 2**31), np.int32)
            images = self._synthesis(np.asarray(filled, np.float32), seed).numpy()
            yield to_uint8(images[: len(batch)])

    def _draw(self, ws, seed):
        return self.G.synthesis(ws, noise_mode=self.noise_mode, lod=self.lod, noise_seed=seed)
