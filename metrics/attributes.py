"""What a classifier says of generated images, and the latents and styles that those images came from."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from metrics.classifier import Classifier, shrink, trained_classifier
from metrics.digests import classifier_digest
from metrics.generated import CHUNK
from metrics.labels import check_classes
from stylegan_tf.errors import UserError


def class_logits(bench, num_images: int) -> tuple[np.ndarray, str]:
    """Logits [num_images, classes] of the classifier trained on the dataset's labels, and its name."""
    check_classes(bench.dataset)
    classifier = trained_classifier(bench.dataset, seed=bench.options.seed, cache=bench.cache)
    return _outputs(bench, classifier.logits, _key(bench, classifier), num_images), classifier.origin


def attribute_logits(bench, num_images: int) -> tuple[np.ndarray, str]:
    """Logits [num_images, attributes], positive for yes, and where they come from."""
    if bench.options.classifier:
        origins = [f"{Path(path).name}/{classifier_digest(path)}" for path in bench.options.classifier]
        found = [_of_users_file(bench, path, origin, num_images) for path, origin in zip(bench.options.classifier, origins, strict=True)]
        return np.concatenate(found, axis=1), ", ".join(origins)
    classifier: Classifier = trained_classifier(bench.dataset, seed=bench.options.seed, cache=bench.cache)
    outputs = _outputs(bench, classifier.logits, _key(bench, classifier), num_images)
    return (_each_against_the_rest(outputs) if classifier.is_one_hot else outputs), classifier.origin


def latents_and_styles(bench, chosen: np.ndarray) -> Iterator[np.ndarray]:
    """Yields z [n, z_dim], then w [n, w_dim], of generated images by number (ascending); drawn again, not kept."""
    generated = bench.workers[0].generated
    chunks = [(chunk, chosen[chosen // CHUNK == chunk] % CHUNK) for chunk in np.unique(chosen // CHUNK)]
    yield np.concatenate([generated.latents(chunk)[rows] for chunk, rows in chunks])
    mapping = tf.function(lambda z, labels: generated.G.mapping(z, labels)[:, 0], autograph=False, reduce_retracing=True)
    yield np.concatenate([mapping(generated.latents(chunk), generated.labels(chunk)).numpy()[rows] for chunk, rows in chunks])


def _key(bench, classifier: Classifier) -> dict[str, str]:
    """What tells a classifier that was trained here from all others."""
    return {"classifier": classifier.origin, "trained_on": bench.dataset.digest}


def _outputs(bench, logits, key: dict[str, str], num_images: int) -> np.ndarray:
    """float32 [num_images, k] of a function of uint8 images on the device, kept under a key that stands for the function."""

    def task(worker, chunk, count):
        return np.concatenate([logits(images) for _, images in worker.generated.batches(chunk, count)])

    chunks = bench.stored_chunks("logits", key, num_images, task, "classified")
    return np.concatenate([values for _, values in chunks])


def _of_users_file(bench, path: str, origin: str, num_images: int) -> np.ndarray:
    """Attributes by a Keras model: images [N, S, S, C] in [-1, 1] to one logit an attribute (two or more: classes)."""
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} cannot be read as a Keras model: {error}") from error
    side = model.input_shape[1] or bench.G.resolution
    if model.input_shape[-1] != bench.G.channels or bench.G.resolution % side:
        raise UserError(f"{path} takes images {model.input_shape[1:]}; the network draws {bench.G.resolution} x {bench.G.channels}.")

    def logits(images):
        return model(shrink(tf.cast(images, tf.float32) / 127.5 - 1, side), training=False)

    outputs = _outputs(bench, logits, {"classifier": origin}, num_images)
    return outputs if outputs.shape[1] == 1 else _each_against_the_rest(outputs)


def _each_against_the_rest(logits: np.ndarray) -> np.ndarray:
    """Class logits [N, K] to a logit for each class against all others; two classes are one attribute."""
    logits = np.asarray(logits, np.float64)
    columns = range(1 if logits.shape[1] == 2 else logits.shape[1])
    others = [np.delete(logits, column, axis=1) for column in columns]
    return np.stack([logits[:, column] - _log_sum(rest) for column, rest in zip(columns, others, strict=True)], axis=1)


def _log_sum(logits: np.ndarray) -> np.ndarray:
    top = logits.max(axis=1)
    return top + np.log(np.exp(logits - top[:, np.newaxis]).sum(axis=1))
