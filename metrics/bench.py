"""The bench: one network and one dataset, their features, and the protocol that goes with them. Metrics work on it."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from metrics import real_images
from metrics.digests import network_digest
from metrics.features.moments import Moments
from metrics.features.rounding import ROUNDING
from metrics.features.store import FeatureStore, cached_moments, key_of
from metrics.generated import CHUNK
from metrics.networks import weights
from metrics.options import Options
from metrics.sources import check_fit, open_held_out
from metrics.workers import make_workers, run_in_order
from stylegan_tf import data
from stylegan_tf.progress_bar import track


class Bench:
    """Scores one generator against one dataset.

    Args:
        networks: `G_ema`, `lod`, `dataset` of a snapshot (see docs/architecture.md).
        dataset: real images, from `data.open_dataset`.
        options: the protocol.
        cache: folder for what is kept between evaluations.
    """

    def __init__(self, networks, dataset: data.Dataset, options: Options, *, cache: Path | None = None):
        self.G, self.dataset, self.options = networks.G_ema, dataset, options
        self.cache = (cache or weights.cache_folder()) / "metrics"
        self.lod = float(networks.lod or 0)
        self.is_mirrored = bool((networks.dataset or {}).get("mirror")) if options.mirror is None else options.mirror
        check_fit(self.G, dataset)  # what cannot work fails before anything slow
        self._stores: list[FeatureStore] = []  # of generated images
        self._for_moments: list[FeatureStore] = []  # of real images, made here for moments that are cached by themselves
        self._needed: set[Path] = set()  # folders of real features that a metric takes one by one

    @functools.cached_property
    def digest(self) -> str:
        """Stands for the weights and the form of the generator."""
        return network_digest(self.G, self.lod)

    @functools.cached_property
    def last_layer(self) -> np.ndarray:
        """Of Inception, from pool features to logits; see `inception_score.load_last_layer`."""
        from metrics.inception_score import load_last_layer

        return load_last_layer(self.options)

    @functools.cached_property
    def held_out(self) -> data.Dataset | None:
        """The dataset that was kept out of training, None where none was named."""
        return open_held_out(self.options.held_out, self.dataset) if self.options.held_out else None

    @functools.cached_property
    def workers(self) -> list:
        """One for every device."""
        return make_workers(self.G, self.dataset.labels if self.G.label_size else None, lod=self.lod, options=self.options)

    # --- protocol

    def common_protocol(self) -> dict[str, Any]:
        """What every score's protocol says."""
        options = self.options
        return {
            "network": self.digest, "lod": self.lod, "resolution": self.G.resolution, "seed": options.seed,
            "truncation_psi": options.truncation_psi, "truncation_cutoff": options.truncation_cutoff,
            "noise": options.noise_mode, "batch": options.batch_size_for(self.G.resolution),
            "labels": "as in the data" if self.G.label_size else "none",
        }  # fmt: skip

    def feature_protocol(self) -> dict[str, Any]:
        """How images become features."""
        precision = ROUNDING if self.options.precision == "bfloat16" else self.options.precision
        return {"features": weights.INCEPTION, "resize": self.options.resize, "precision": precision}

    # --- generated images

    def generated_features(self, num_images: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (number of the first image, float32 features [n, 2048]), chunk by chunk; kept until `clear`."""
        store = self._store("fakes", self.common_protocol() | self.feature_protocol())
        yield from self._stored(store, num_images, lambda worker, chunk, count: worker.generated_features(chunk, count), "fakes")

    def all_generated_features(self, num_images: int) -> np.ndarray:
        """float32 [num_images, 2048]."""
        return _collected(self.generated_features(num_images), num_images)

    # --- real images

    def select_reals(self, num_images: int | None, *, repeat: bool = False) -> real_images.RealSelection:
        """Real images of a score; see `real_images.select`."""
        return real_images.select(self.dataset.num_images, num_images, is_mirrored=self.is_mirrored, seed=self.options.seed, repeat=repeat)

    def real_moments(self, selection: real_images.RealSelection) -> Moments:
        """Moments of real images, from the cache where the same images were asked for before."""

        def make() -> Moments:
            moments = None
            store = self._real_store(selection, self.dataset)
            if not store.folder.exists():
                self._for_moments.append(store)
            for start, features in self._real_features(store, selection, self.dataset, "reals"):
                moments = moments or Moments(features.shape[1])
                moments.add(features, selection.counts[start : start + len(features)])
            return moments

        return cached_moments(self.cache, self._real_protocol(selection, self.dataset), make)

    def real_features(self, selection: real_images.RealSelection, of: data.Dataset | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (first row of the selection, float32 features [n, 2048]); kept for later evaluations.

        Args:
            selection: of images.
            of: another dataset than the one that is scored against.
        """
        store = self._real_store(selection, of or self.dataset)
        self._needed.add(store.folder)
        yield from self._real_features(store, selection, of or self.dataset, "reals" if of is None else "held-out reals")

    def _real_features(self, store: FeatureStore, selection, dataset: data.Dataset, label: str) -> Iterator[tuple[int, np.ndarray]]:
        def task(worker, chunk, count):
            rows = slice(chunk * CHUNK, chunk * CHUNK + count)
            return worker.features(real_images.read(dataset, selection, rows, self.G.resolution))

        yield from self._stored(store, len(selection.indices), task, label)

    def _real_store(self, selection: real_images.RealSelection, dataset: data.Dataset) -> FeatureStore:
        return FeatureStore(self.cache / f"reals-{key_of(self._real_protocol(selection, dataset))}")

    def all_real_features(self, selection: real_images.RealSelection) -> np.ndarray:
        """float32 [n, 2048], one row for each row of the selection."""
        return _collected(self.real_features(selection), len(selection.indices))

    def _real_protocol(self, selection: real_images.RealSelection, dataset: data.Dataset) -> dict[str, Any]:
        return {
            "dataset": dataset.digest, "resolution": self.G.resolution, "selection": selection.digest, **self.feature_protocol(),
        }  # fmt: skip

    # --- storage

    def stored_chunks(self, kind: str, protocol: dict[str, Any], num: int, task, label: str) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (first number, float32 [n, ...]) of task(worker, chunk, count), kept until `clear`, with progress."""
        yield from self._stored(self._store(kind, self.common_protocol() | protocol), num, task, label)

    def _store(self, kind: str, protocol: dict[str, Any]) -> FeatureStore:
        labels_of = {"labels_of": self.dataset.digest} if self.G.label_size else {}
        store = FeatureStore(self.cache / f"{kind}-{key_of(protocol | labels_of)}")
        self._stores.append(store)
        return store

    def _stored(self, store: FeatureStore, num: int, task, label: str) -> Iterator[tuple[int, np.ndarray]]:
        counts = [min(CHUNK, num - start) for start in range(0, num, CHUNK)]

        def get(worker, chunk):
            return store.get(chunk, counts[chunk], lambda: task(worker, chunk, counts[chunk]))

        done = run_in_order(self.workers, get, range(len(counts)))
        for chunk, values in enumerate(_by_images(done, counts, label)):
            yield chunk * CHUNK, values

    def clear(self) -> None:
        """Deletes what nobody needs once all scores are written: of the generated images, and of real ones whose moments suffice."""
        for store in [*self._stores, *(store for store in self._for_moments if store.folder not in self._needed)]:
            store.remove()


def _by_images(chunks, counts: list[int], label: str) -> Iterator[np.ndarray]:
    """Shows progress in images, hands on chunks."""

    def images():
        for values, count in zip(chunks, counts, strict=True):
            yield from [None] * (count - 1)
            yield values

    for values in track(images(), sum(counts), label):
        if values is not None:
            yield values


def _collected(chunks, count: int) -> np.ndarray:
    result = None
    for start, values in chunks:
        if result is None:
            result = np.empty((count, *values.shape[1:]), values.dtype)
        result[start : start + len(values)] = values
    return result
