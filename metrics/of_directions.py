"""The measures of `generate.py directions`: classifiers, LPIPS, and KID against the dataset."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from metrics.features.store import FeatureStore, key_of
from metrics.networks import weights
from metrics.sources import check_labels
from stylegan_tf import data
from stylegan_tf.errors import UserError
from stylegan_tf.inference.directions.scores import ImageClassifier, MeasureRequest, Measures
from stylegan_tf.progress_bar import track

if TYPE_CHECKING:
    import tensorflow as tf

    from metrics.classifiers import Classifier

NUM_REALS = 500  # images of the dataset that KID compares with: a minute or two on two cores, once a dataset
_BATCH = 32
_LEAST_LPIPS_SIDE = 16


def prepare(request: MeasureRequest) -> Callable[[], Measures]:
    """Reads weights and checks the data, before TensorFlow is imported; the function returned makes the measures.

    Raises:
        UserError: weights cannot be had, or there is nothing to train a classifier on.
    """
    dataset = request.dataset
    if "logits" in request.scores and request.pictures is None:
        if dataset is None:
            raise UserError("A classifier needs the dataset of the network: --data FOLDER.")
        check_labels(dataset)
    if "kid" in request.scores and dataset is not None and dataset.num_images < 2:
        raise UserError(f"KID needs two real images or more. {dataset.path} has {dataset.num_images}.")
    lpips = weights.load_lpips(request.lpips) if "lpips" in request.scores and request.side >= _LEAST_LPIPS_SIDE else None
    inception = weights.load_inception(request.inception) if "kid" in request.scores and dataset is not None else None

    def make() -> Measures:
        distance = kid = classifier = None
        if "logits" in request.scores:
            classifier = _classifier(request)
        if lpips is not None:
            from metrics.features.lpips import Lpips

            measure = Lpips(lpips)
            distance = lambda first, second: _in_batches(measure, first, second)  # noqa: E731
        if inception is not None:
            kid = _kid(inception, request)
        reference = f"{min(NUM_REALS, dataset.num_images)} images of {dataset.name}" if kid and dataset is not None else ""
        return Measures(classifier, distance, kid, reference)

    return make


def _classifier(request: MeasureRequest) -> ImageClassifier:
    from metrics.classifiers import classifier_of_pictures, side_of, trained_classifier

    if request.pictures is not None:
        factor = request.side // side_of(request.side)
        trained = classifier_of_pictures(*(_reduced(kind, factor) for kind in request.pictures), seed=request.seed)
        names = [request.pictures_name]
    else:
        dataset = request.dataset
        cache: Path = weights.cache_folder() / "metrics"
        trained = trained_classifier(dataset, resolution=request.side, channels=dataset.channels, seed=request.seed, cache=cache)
        names = list(dataset.class_names) or [f"class {number}" for number in range(dataset.label_size)]
    return ImageClassifier(lambda images: _log_odds(trained, images), names, trained.origin)


def _log_odds(classifier: "Classifier", images: "np.ndarray | tf.Tensor") -> "tf.Tensor":
    """Of each class against all others, or of each attribute: float32 [N, K]."""
    import tensorflow as tf

    logits = tf.concat([classifier.logits(images[start : start + _BATCH]) for start in range(0, len(images), _BATCH)], axis=0)
    if not classifier.is_one_hot:
        return logits
    own = tf.eye(logits.shape[1], dtype=tf.bool)
    others = tf.where(own, np.float32(-np.inf), logits[:, None, :])  # [N, K, K]
    return logits - tf.reduce_logsumexp(others, axis=2)


def _in_batches(distance: Callable, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    starts = range(0, len(first), _BATCH)
    return np.concatenate([np.asarray(distance(first[start : start + _BATCH], second[start : start + _BATCH])) for start in starts])


def _kid(arrays: dict[str, np.ndarray], request: MeasureRequest) -> Callable[[np.ndarray], float]:
    from metrics.features.inception import Inception
    from metrics.kernel_inception_distance import kernel_distance

    network, dataset = Inception(arrays), request.dataset

    def features(images: np.ndarray, label: str | None = None) -> np.ndarray:
        starts = range(0, len(images), _BATCH)
        shown = track(starts, label=label, unit="batches") if label else starts
        return np.concatenate([np.asarray(network(images[start : start + _BATCH, ..., :3])) for start in shown])

    rng = np.random.default_rng([request.seed, 0x1D])
    chosen = np.sort(rng.permutation(dataset.num_images)[:NUM_REALS])
    protocol = {"features": weights.INCEPTION, "dataset": dataset.digest, "side": request.side}
    store = FeatureStore(weights.cache_folder() / "metrics" / f"reals-{key_of(protocol)}")
    reals = store.get(chosen, lambda missing: features(data.read_images(dataset, missing, request.side), "Inception: reals"))
    return lambda images: kernel_distance(features(images), reals).value


def _reduced(images: np.ndarray, factor: int) -> np.ndarray:
    """Means of blocks of pixels."""
    count, side, _, channels = images.shape
    blocks = images.reshape(count, side // factor, factor, side // factor, factor, channels)
    return np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)
