"""One worker a device: a copy of the generator and of the metric networks, so that every device draws and scores."""

import functools
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import tensorflow as tf

from metrics.features.inception import Inception
from metrics.features.lpips import Lpips
from metrics.generated import Generated
from metrics.networks import weights
from metrics.options import Options

_FEATURE_BATCH = 32  # 299x299 images; 64 gained nothing and took 200 MB more


class Worker:
    """What works on one device. Metric networks are made when first asked for, and kept for the next evaluation.

    Args:
        generated: draws images on the device.
        options: resize, precision, and where the weights lie.
    """

    def __init__(self, generated: Generated, options: Options):
        self.generated, self.options, self.device = generated, options, generated.device

    @property
    def inception(self) -> Inception:
        """The feature network, on this device."""
        return _inception(self.device, self.options.inception, self.options.resize, self.options.precision)

    @property
    def lpips(self) -> Lpips:
        """The perceptual distance, on this device."""
        return _lpips(self.device, self.options.lpips)

    def features(self, images) -> np.ndarray:
        """float32 [N, 2048] of uint8 images [N, R, R, C], N above 0. Transparency is not looked at."""
        with tf.device(self.device):
            parts = [self.inception(images[start : start + _FEATURE_BATCH, ..., :3]) for start in range(0, len(images), _FEATURE_BATCH)]
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


def make_workers(G, data_labels: np.ndarray | None, *, lod: float, options: Options) -> list[Worker]:
    """A worker for every GPU, or one for the CPU.

    The first uses the generator as it is, the others copies of it. Scores are taken in float32: a generator that
    computes in less, as in training, is copied, too.
    """
    devices = [device.name for device in tf.config.list_logical_devices("GPU")] or ["/CPU:0"]
    workers = []
    for device in devices:
        is_usable = device == devices[0] and getattr(G, "compute_dtype", "float32") == "float32"
        generator = G if is_usable else _copy(G, device)
        workers.append(Worker(Generated(generator, data_labels, lod=lod, options=options, device=device), options))
    return workers


def _copy(G, device: str):
    """The same generator on another device, in float32."""
    from stylegan_tf import networks

    with tf.device(device):
        copy = type(G)(**{**G.options, "dtype": "float32"})
        networks.assign_weights(copy, {name: variable.numpy() for name, variable in networks.named_weights(G).items()})
    return copy


def run_in_order(workers: list[Worker], task: Callable[[Worker, Any], Any], items: Iterable) -> Iterator:
    """Yields task(worker, item) for all items in their order; as many run at once as there are workers."""
    if len(workers) == 1:
        for item in items:
            yield task(workers[0], item)
        return
    idle: queue.Queue[Worker] = queue.Queue()
    for worker in workers:
        idle.put(worker)

    def run(item):
        worker = idle.get()
        try:
            return task(worker, item)
        finally:
            idle.put(worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        pending: deque = deque()
        for item in items:
            pending.append(pool.submit(run, item))
            if len(pending) > 2 * len(workers):  # results that wait are held in memory: keep few
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
