"""The input of a metric: one network or set of images, the real images, the features of both, and the protocol."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from metrics import real_images
from metrics.features.inception import RESIZE_PROTOCOLS, ROUNDING
from metrics.features.moments import Moments
from metrics.features.store import CHUNK, FeatureStore, cached_moments, key_of
from metrics.generated import Worker, devices, make_workers, network_digest, run_in_order
from metrics.image_sets import ImageBatches, ImageSet, ScoredImages, notes, real_protocol
from metrics.networks import weights
from metrics.options import Json, Options
from metrics.real_images import RealSelection
from metrics.sources import check_fit, open_held_out
from stylegan_tf.models.base import Generator
from stylegan_tf.progress_bar import Progress
from stylegan_tf.snapshot import Networks

Task = Callable[[Worker, int, int], np.ndarray]  # (worker, chunk or number of the first image, count) -> [count, ...]
ImageFunction = Callable[[Worker, tf.Tensor], np.ndarray]  # (worker, uint8 images [n, R, R, C]) -> [n, ...]


class Bench:
    """One generator, or one set of images, and the real images to score it against.

    Args:
        scored: a snapshot's networks, of which `G_ema` is scored (see docs/architecture.md), or images from elsewhere.
        dataset: real images, from `data.open_dataset` or `image_sets.open_image_set`.
        options: of the protocol.

    Attributes:
        resolution, channels, label_size: of the images that are scored.
    """

    def __init__(self, scored: Networks | ScoredImages, dataset: ImageSet, options: Options):
        self.scored, self.dataset, self.options = scored, dataset, options
        self.cache = weights.cache_folder() / "metrics"
        if isinstance(scored, ScoredImages):
            sizes, self.lod, was_mirrored = scored, 0.0, False
        else:
            sizes, self.lod, was_mirrored = scored.G_ema, float(scored.lod), bool(scored.dataset.get("mirror"))
            check_fit(sizes, dataset)
        self.resolution, self.channels, self.label_size = sizes.resolution, sizes.channels, sizes.label_size
        self.is_mirrored = was_mirrored if options.mirror is None else options.mirror
        self._stores: list[FeatureStore] = []  # of generated images
        self._for_moments: list[FeatureStore] = []  # of real images, made here only for moments, which are cached themselves
        self._needed: set[Path] = set()  # folders of real features that a metric reads one by one

    @property
    def networks(self) -> Networks:
        """The snapshot; a metric that uses it requires it by a `Need`."""
        if isinstance(self.scored, ScoredImages):
            raise ValueError("Images are scored without a network.")
        return self.scored

    @property
    def G(self) -> Generator:  # noqa: N802 - its name everywhere
        """The generator that is scored."""
        return self.networks.G_ema

    @functools.cached_property
    def digest(self) -> str:
        """Digest of the weights and the configuration of the generator."""
        return network_digest(self.G, self.lod)

    @functools.cached_property
    def logits_kernel(self) -> np.ndarray:
        """Of Inception, from pool features to logits [2048, 1008]."""
        return weights.load_logits_kernel(self.options.inception)

    @functools.cached_property
    def logits_name(self) -> str:
        """Name of the logits in a protocol."""
        return weights.logits_name(self.logits_kernel)

    @functools.cached_property
    def held_out(self) -> ImageSet | None:
        """The dataset that was kept out of training, None where none was named."""
        return open_held_out(self.options.held_out, self.dataset, self.options.max_pixels) if self.options.held_out else None

    @functools.cached_property
    def workers(self) -> list[Worker]:
        """One for every device."""
        if isinstance(self.scored, ScoredImages):
            return [Worker(ImageBatches(self.scored, self.options, device), self.options) for device in devices()]
        return make_workers(self.G, self.dataset.labels if self.label_size else None, lod=self.lod, options=self.options)

    @property
    def num_available(self) -> float:
        """Images that can be scored; a generator has no limit."""
        return self.scored.images.num_images if isinstance(self.scored, ScoredImages) else float("inf")

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was done to the images before they were compared."""
        return notes(self.scored, self.dataset) if isinstance(self.scored, ScoredImages) else ()

    def common_protocol(self) -> dict[str, Json]:
        """The part of the protocol that all scores share."""
        options = self.options
        if isinstance(self.scored, ScoredImages):
            return self.scored.protocol | {"seed": options.seed} | real_protocol(self.dataset, self.resolution)
        return {
            "network": self.digest, "lod": self.lod, "resolution": self.resolution, "seed": options.seed,
            "truncation_psi": options.truncation_psi, "truncation_cutoff": options.truncation_cutoff,
            "noise": options.noise_mode, "labels": "as in the data" if self.label_size else "none",
        }  # fmt: skip

    def feature_protocol(self) -> dict[str, Json]:
        """The part of the protocol that all scores on features share."""
        precision = ROUNDING if self.options.precision == "bfloat16" else self.options.precision
        return {"features": weights.INCEPTION, "resize": RESIZE_PROTOCOLS[self.options.resize], "precision": precision}

    def generated_features(self, num_images: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (number of the first image, float32 features [n, 2048]), chunk by chunk; kept until `clear`."""
        yield from self.stored_chunks("fakes", self.feature_protocol(), num_images, Worker.generated_features, "fakes")

    def all_generated_features(self, num_images: int) -> np.ndarray:
        """float32 [num_images, 2048]."""
        return np.concatenate([rows for _, rows in self.generated_features(num_images)])

    def real_moments(self, selection: RealSelection) -> Moments:
        """Moments of real images, from the cache where the same images were requested before."""

        def make() -> Moments:
            moments = None
            store = self._real_store(self.dataset)
            if not store.folder.exists():
                self._for_moments.append(store)
            for start, features in self._real_features(store, selection, self.dataset, "reals"):
                moments = moments or Moments(features.shape[1])
                moments.add(features, selection.counts[start : start + len(features)])
            return moments

        return cached_moments(self.cache, self._real_protocol(self.dataset) | {"selection": selection.digest}, make)

    def real_features(self, selection: RealSelection, of: ImageSet | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (first row of the selection, float32 features [n, 2048]); kept for later evaluations.

        Args:
            selection: of images.
            of: real images other than those that are scored against.
        """
        store = self._real_store(of or self.dataset)
        self._needed.add(store.folder)
        yield from self._real_features(store, selection, of or self.dataset, "reals" if of is None else "held-out reals")

    def _real_features(
        self, store: FeatureStore, selection: RealSelection, dataset: ImageSet, label: str
    ) -> Iterator[tuple[int, np.ndarray]]:
        def make(worker: Worker, keys: np.ndarray) -> np.ndarray:
            images = real_images.read(dataset, keys, self.resolution, self.channels)
            return worker.features(images, advance=worker.generated.advance)

        def fetch(worker: Worker, start: int, count: int) -> np.ndarray:
            return store.get(selection.keys[start : start + count], lambda missing: make(worker, missing))

        yield from self._in_chunks(fetch, len(selection.indices), label)

    def _real_store(self, dataset: ImageSet) -> FeatureStore:
        return FeatureStore(self.cache / f"reals-{key_of(self._real_protocol(dataset))}")

    def all_real_features(self, selection: RealSelection) -> np.ndarray:
        """float32 [n, 2048], one row for each row of the selection."""
        return np.concatenate([rows for _, rows in self.real_features(selection)])

    def _real_protocol(self, dataset: ImageSet) -> dict[str, Json]:
        return {"dataset": dataset.digest, "resolution": self.resolution, "channels": self.channels, **self.feature_protocol()}

    def of_images(self, kind: str, protocol: dict[str, Json], num: int, function: ImageFunction, label: str) -> np.ndarray:
        """float32 [num, ...] of a function of the generated images; as `stored_chunks`."""

        def task(worker: Worker, chunk: int, count: int) -> np.ndarray:
            return np.concatenate([function(worker, images) for _, images in worker.generated.batches(chunk, count)])

        return np.concatenate([rows for _, rows in self.stored_chunks(kind, protocol, num, task, label)])

    def stored_chunks(self, kind: str, protocol: dict[str, Json], num: int, task: Task, label: str) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (first number, float32 [n, ...]) of task(worker, chunk, count), kept until `clear`, with progress.

        Args:
            kind, protocol: what is computed; the same is not computed twice.
            num: images, or pairs of them.
            task: computes the first `count` rows of a chunk.
            label: of the progress.
        """
        labels_of = {"labels_of": self.dataset.digest} if self.label_size else {}
        store = FeatureStore(self.cache / f"{kind}-{key_of(self.common_protocol() | protocol | labels_of)}")
        self._stores.append(store)

        def fetch(worker: Worker, start: int, count: int) -> np.ndarray:
            numbers = np.arange(start, start + count)
            # Even numbers, as those of real images that are not mirrored: a file of the store is one chunk.
            return store.get(2 * numbers, lambda missing: task(worker, start // CHUNK, count)[missing // 2 - start])

        yield from self._in_chunks(fetch, num, label)

    def _in_chunks(self, fetch: Task, num: int, label: str) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (start, fetch(worker, start, count)) for all chunks of `num` images, with progress in images."""
        with Progress(num, label) as progress:

            def run(worker: Worker, start: int) -> np.ndarray:
                count, shown = min(CHUNK, num - start), 0

                def advance(finished: int) -> None:
                    nonlocal shown
                    shown += finished
                    progress.advance(finished)

                worker.generated.advance = advance
                values = fetch(worker, start, count)
                progress.advance(count - shown)  # images that were stored
                return values

            starts = range(0, num, CHUNK)
            yield from zip(starts, run_in_order(self.workers, run, starts), strict=True)

    def clear(self) -> None:
        """Deletes what is not needed after all scores are written: generated features, and real ones whose moments suffice."""
        for store in [*self._stores, *(store for store in self._for_moments if store.folder not in self._needed)]:
            store.remove()
