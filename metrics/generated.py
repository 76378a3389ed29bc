"""Generated images to score, on every device; each image depends only on the seed and its number."""

import dataclasses
import functools
import hashlib
import json
import queue
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
import tensorflow as tf

from metrics.features.inception import Inception
from metrics.features.lpips import Lpips
from metrics.features.store import CHUNK
from metrics.image_sets import ImageBatches
from metrics.networks import weights
from metrics.options import Options
from stylegan_tf.images import to_uint8_tensor
from stylegan_tf.models.base import Generator
from stylegan_tf.models.weights import assign_weights, weight_arrays
from stylegan_tf.parallel import parallel_map

# Streams of random numbers that must not repeat each other.
_LATENTS, _LABELS, _NOISE = 1, 2, 3
_FEATURE_BATCH = 32  # 299x299 images; 64 gained nothing and took 200 MB more

_Item = TypeVar("_Item")
_Found = TypeVar("_Found")


class Generated:
    """Images of a generator on one device.

    Args:
        G: a generator (see docs/architecture.md).
        data_labels: float32 [n, label_size] that labels are sampled from, as often as they occur; None without labels.
        lod: level of detail of the network; smaller images are repeated up to full size, as in training.
        options: seed, truncation, noise and batch size.
        device: name, such as "/GPU:1".

    Attributes:
        advance: called with the number of images after each batch.
    """

    def __init__(self, G: Generator, data_labels: np.ndarray | None, *, lod: float, options: Options, device: str):
        self.G, self.lod, self.options, self.device = G, lod, options, device
        self.data_labels = data_labels if data_labels is not None and G.label_size else None
        self.batch_size = options.batch_size_for(G.resolution)
        self.advance: Callable[[int], None] = lambda count: None
        self._draw = tf.function(self._draw_batch, reduce_retracing=True)

    @functools.cached_property
    def path_norm(self) -> float:
        """Norm of the latents on a path in z: 1 where the styles do not depend on it, otherwise sqrt(z_dim), as of Gaussian latents.

        A mapping network that normalises z alone ignores the norm. One that normalises z and the embedded label together
        would see hardly anything of a unit vector, and one that does not normalise would see latents as in no training.
        """
        z, labels = self.latents(0)[:8], self.labels(0)
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        gaussian_norm = float(np.sqrt(self.G.z_dim))
        unit, gaussian = (np.asarray(self.G.mapping(z * norm, None if labels is None else labels[:8])) for norm in (1.0, gaussian_norm))
        return 1.0 if np.linalg.norm(unit - gaussian) < 1e-3 * np.linalg.norm(unit) else gaussian_norm

    def latents(self, chunk: int) -> np.ndarray:
        """float32 z [CHUNK, z_dim] of a chunk."""
        rng = np.random.default_rng([self.options.seed, _LATENTS, chunk])
        return rng.standard_normal((CHUNK, self.G.z_dim), np.float32)

    def labels(self, chunk: int) -> np.ndarray | None:
        """float32 labels [CHUNK, label_size] of a chunk, sampled from the data; None without labels."""
        if self.data_labels is None:
            return None
        rng = np.random.default_rng([self.options.seed, _LABELS, chunk])
        return np.asarray(self.data_labels[rng.integers(len(self.data_labels), size=CHUNK)])

    def batches(self, chunk: int, count: int = CHUNK) -> Iterator[tuple[slice, tf.Tensor]]:
        """Yields (slice of the chunk, uint8 images [n, R, R, C] on the device) for a chunk."""
        z, labels = self.latents(chunk), self.labels(chunk)
        noise_seeds = self.noise_seeds(chunk)
        for start in range(0, count, self.batch_size):
            rows = slice(start, min(start + self.batch_size, count))
            with tf.device(self.device):
                yield rows, self._draw(z[rows], None if labels is None else labels[rows], noise_seeds[rows])
            self.advance(rows.stop - rows.start)

    def noise_seeds(self, chunk: int) -> np.ndarray:
        """int32 [CHUNK, 2], a seed for the noise of each image of a chunk, so that it does not depend on the batch size."""
        return np.random.default_rng([self.options.seed, _NOISE, chunk]).integers(2**31, size=(CHUNK, 2), dtype=np.int32)

    def _draw_batch(self, z: tf.Tensor, labels: tf.Tensor | None, noise_seeds: tf.Tensor) -> tf.Tensor:
        if self.options.is_plain:
            return to_uint8_tensor(self._full_size(self.G.sample(z, labels, lod=self.lod, noise_seed=noise_seeds)))
        return to_uint8_tensor(self.synthesize(self.styles(z, labels), noise_seeds))

    def styles(self, z: tf.Tensor, labels: tf.Tensor | None) -> tf.Tensor:
        """ws [N, num_ws, w_dim] of latents, truncated by the options."""
        ws = self.G.mapping(z, labels)
        if self.options.truncation_psi == 1:
            return ws
        cutoff = self.options.truncation_cutoff
        return self.G.truncate(ws, self.options.truncation_psi, ws.shape[1] if cutoff is None else cutoff)

    def synthesize(self, ws: tf.Tensor, noise_seeds: tf.Tensor, noise_mode: str | None = None) -> tf.Tensor:
        """Float images [N, R, R, C] of styles at full size; the noise mode of the options where none is given."""
        images = self.G.synthesis(ws, noise_mode=noise_mode or self.options.noise_mode, lod=self.lod, noise_seed=noise_seeds)
        return self._full_size(images)

    def _full_size(self, images: tf.Tensor) -> tf.Tensor:
        """Repeats the pixels of a network that is still growing, as in training."""
        repeats = self.G.resolution // images.shape[1]
        return tf.repeat(tf.repeat(images, repeats, axis=1), repeats, axis=2) if repeats > 1 else images


class Worker:
    """The generator or a set of images, and the metric networks, on one device.

    Metric networks are made at first use and kept for the next evaluation.

    Args:
        generated: images of the generator, or of the set, on the device.
        options: resize, precision, and the files of the weights.

    Attributes:
        path_steps: compiled functions of path lengths, by space and crop.
    """

    def __init__(self, generated: Generated | ImageBatches, options: Options):
        self.generated, self.options, self.device = generated, options, generated.device
        self.path_steps: dict[tuple[str, str], Callable[..., tf.Tensor]] = {}

    @property
    def inception(self) -> Inception:
        """The feature network, on this device."""
        return _inception(self.device, self.options.inception, self.options.resize, self.options.precision)

    @property
    def lpips(self) -> Lpips:
        """The perceptual distance, on this device."""
        return _lpips(self.device, self.options.lpips)

    def features(self, images: np.ndarray | tf.Tensor, *, advance: Callable[[int], None] = lambda count: None) -> np.ndarray:
        """float32 [N, 2048] of uint8 images [N, R, R, C], N above 0, without alpha; `advance` is called with the size of each batch."""
        parts = []
        for start in range(0, len(images), _FEATURE_BATCH):
            with tf.device(self.device):
                parts.append(self.inception(images[start : start + _FEATURE_BATCH, ..., :3]))
            advance(len(parts[-1]))
        return np.concatenate(parts)

    def generated_features(self, chunk: int, count: int) -> np.ndarray:
        """float32 [count, 2048] of a chunk of generated images."""
        return np.concatenate([self.features(images) for _, images in self.generated.batches(chunk, count)])


@functools.lru_cache(maxsize=16)
def _inception(device: str, path: str | None, resize: str, precision: str) -> Inception:
    with tf.device(device):
        return Inception(weights.load_inception(path), resize=resize, precision=precision)


@functools.lru_cache(maxsize=16)
def _lpips(device: str, path: str | None) -> Lpips:
    with tf.device(device):
        return Lpips(weights.load_lpips(path))


def make_workers(G: Generator, data_labels: np.ndarray | None, *, lod: float, options: Options) -> list[Worker]:
    """A worker for every GPU, or one for the CPU.

    The first uses the generator itself, the others copies of it. Scores are computed in float32: a generator of lower
    precision, as in training, is copied, too.
    """
    workers: list[Worker] = []
    for device in devices():
        is_usable = not workers and getattr(G, "compute_dtype", "float32") == "float32"
        generator = G if is_usable else _copy(G, device)
        workers.append(Worker(Generated(generator, data_labels, lod=lod, options=options, device=device), options))
    return workers


def devices() -> list[str]:
    """Names of all GPUs, or of the CPU."""
    return [device.name for device in tf.config.list_logical_devices("GPU")] or ["/CPU:0"]


def _copy(G: Generator, device: str) -> Generator:
    """The same generator on another device, in float32."""
    with tf.device(device):
        copy = type(G).from_config({**G.get_config(), "dtype": "float32"})
        assign_weights(copy, weight_arrays(G))
    return copy


def run_in_order(workers: list[Worker], task: Callable[[Worker, _Item], _Found], items: Iterable[_Item]) -> Iterator[_Found]:
    """Yields task(worker, item) for all items in their order; as many run at once as there are workers."""
    idle: queue.Queue[Worker] = queue.Queue()
    for worker in workers:
        idle.put(worker)

    def run(item: _Item) -> _Found:
        worker = idle.get()
        try:
            return task(worker, item)
        finally:
            idle.put(worker)

    yield from parallel_map(run, items, len(workers), at_once=1)


def network_digest(G: Generator, lod: float) -> str:
    """24 hexadecimal digits; the same for a copy, for another file name, and after saving and loading."""
    settings = {name: value for name, value in dataclasses.asdict(G.settings).items() if name not in G.settings.changeable}
    config = {**G.shape_config, **settings}
    digest = hashlib.sha256(json.dumps([config, lod], sort_keys=True, default=str).encode())
    for name, array in sorted(weight_arrays(G).items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:24]
