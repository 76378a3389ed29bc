"""Images of the generator under test: each a function of the seed and its number, whatever else is computed."""

import numpy as np
import tensorflow as tf

from metrics.options import Options

CHUNK = 250  # images computed and stored together; an interrupted evaluation loses at most this many

# Streams of random numbers that must not repeat each other.
_LATENTS, _LABELS, _NOISE = 1, 2, 3


class Generated:
    """Draws images of a generator on one device.

    Args:
        G: a generator (see docs/architecture.md).
        data_labels: float32 [n, label_size] to draw labels from, as they occur in the data; None without labels.
        lod: level of detail the network is at; smaller images are repeated up to full size, as in training.
        options: seed, truncation, noise and batch size.
        device: name, such as "/GPU:1".
    """

    def __init__(self, G, data_labels: np.ndarray | None, *, lod: float, options: Options, device: str):
        self.G, self.lod, self.options, self.device = G, lod, options, device
        self.data_labels = data_labels if data_labels is not None and G.label_size else None
        self.batch_size = options.batch_size_for(G.resolution)
        self._draw = tf.function(self._draw_batch, reduce_retracing=True)

    @property
    def pair_noise(self) -> str:
        """Noise mode of images that are compared with each other: the same seed gives both the same maps."""
        return "none" if self.options.noise_mode == "none" else "random"

    def latents(self, chunk: int, count: int = CHUNK) -> np.ndarray:
        """float32 z [count, z_dim] of a chunk."""
        rng = np.random.default_rng([self.options.seed, _LATENTS, chunk])
        return rng.standard_normal((CHUNK, self.G.z_dim), np.float32)[:count]

    def labels(self, chunk: int, count: int = CHUNK) -> np.ndarray | None:
        """float32 labels [count, label_size] of a chunk, drawn as they occur in the data; None without labels."""
        if self.data_labels is None:
            return None
        rng = np.random.default_rng([self.options.seed, _LABELS, chunk])
        return np.asarray(self.data_labels[rng.integers(len(self.data_labels), size=CHUNK)[:count]])

    def batches(self, chunk: int, count: int = CHUNK):
        """Yields (slice of the chunk, uint8 images [n, R, R, C] on the device) for a chunk."""
        z, labels = self.latents(chunk), self.labels(chunk)
        for number, start in enumerate(range(0, count, self.batch_size)):
            # A batch is drawn whole even where its end is not asked for: its noise is a function of its shape, too.
            whole = slice(start, min(start + self.batch_size, CHUNK))
            with tf.device(self.device):
                images = self._draw(z[whole], None if labels is None else labels[whole], self.noise_seed(chunk, number))
            rows = slice(start, min(whole.stop, count))
            yield rows, images[: rows.stop - rows.start]

    def noise_seed(self, chunk: int, batch: int):
        """int32 [2] that the noise of a batch is a function of."""
        return np.random.default_rng([self.options.seed, _NOISE, chunk, batch]).integers(2**31, size=2, dtype=np.int32)

    def _draw_batch(self, z, labels, noise_seed):
        return self.to_uint8(self.synthesize(self.styles(z, labels), noise_seed))

    def styles(self, z, labels):
        """ws [N, num_ws, w_dim] of latents, truncated where asked for."""
        ws = self.G.mapping(z, labels)
        if self.options.truncation_psi == 1:
            return ws
        cutoff = self.options.truncation_cutoff
        return self.G.truncate(ws, self.options.truncation_psi, ws.shape[1] if cutoff is None else cutoff)

    def synthesize(self, ws, noise_seed, noise_mode: str | None = None):
        """Float images [N, R, R, C] at full size."""
        images = self.G.synthesis(ws, noise_mode=noise_mode or self.options.noise_mode, lod=self.lod, noise_seed=noise_seed)
        repeats = 2 ** int(self.lod)
        return tf.repeat(tf.repeat(images, repeats, axis=1), repeats, axis=2) if repeats > 1 else images

    @staticmethod
    def to_uint8(images):
        """[-1, 1] to [0, 255] as `stylegan_tf.images.to_uint8` does it."""
        levels = tf.cast(images, tf.float32) * 127.5 + 128.0
        return tf.cast(tf.clip_by_value(tf.where(tf.math.is_nan(levels), 0.0, levels), 0.0, 255.0), tf.uint8)
