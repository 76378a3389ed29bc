"""Classifiers of images, trained on a dataset's labels or the user's own, and their logits of generated images."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import scipy.special
import tensorflow as tf

from metrics.features.store import key_of
from metrics.image_sets import ImageSet, read_images
from metrics.sources import check_labels, classifier_digest, is_attributes
from metrics.users_classifier import model_logits, users_model
from stylegan_tf.array_files import read_npz
from stylegan_tf.errors import UserError
from stylegan_tf.files import atomic_path
from stylegan_tf.progress_bar import track

if TYPE_CHECKING:
    from metrics.bench import Bench

Logits = Callable[[tf.Tensor], tf.Tensor]  # uint8 images [N, R, R, C] to [N, k]

MAX_SIDE = 64  # larger images are averaged down, which keeps attributes of whole objects
_BATCH = 64
_STEPS = 1500  # apple leaves, 64x64, 4 classes: no better after 1,000
_LEARNING_RATE = 1e-3
_HELD_OUT = 10  # the accuracy is measured on one image in ten
_LEAST_GAIN = 0.1  # of the errors of the most frequent label, which a classifier must avoid
_MAX_READ = 50_000  # images read for training


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained classifier."""

    model: keras.Model  # float images [N, S, S, C] in [-1, 1] to logits [N, label_size]
    side: int  # S
    is_one_hot: bool  # labels are classes (softmax), not attributes of their own (sigmoid)
    accuracy: float  # share of correct labels on images that it was not trained on
    origin: str  # its name in a result

    def logits(self, images: np.ndarray | tf.Tensor) -> tf.Tensor:
        """uint8 images [N, R, R, C], R a multiple of `side`, to float32 logits [N, label_size]."""
        return model_logits(self.model, images, self.side)


def trained_classifier(dataset: ImageSet, *, resolution: int, channels: int, seed: int, cache: Path) -> Classifier:
    """A classifier of the dataset's labels: from the cache, or trained (about a minute a thousand steps on two cores).

    Args:
        dataset: images with labels.
        resolution, channels: of the images that it will classify.
        seed: of the training.
        cache: folder for classifiers.

    Raises:
        UserError: a dataset without labels, or with a single class.
    """
    check_labels(dataset)
    side = side_of(resolution)
    is_one_hot = not is_attributes(dataset)
    protocol = {"dataset": dataset.digest, "side": side, "steps": _STEPS, "seed": seed}
    path = cache / f"classifier-{key_of(protocol)}.npz"
    model = _build(side, channels, dataset.label_size)
    try:
        names = [f"w{index}" for index in range(len(model.weights))]
        arrays = read_npz(path, ["accuracy", *names])
        model.set_weights([arrays[name] for name in names])
        accuracy = float(arrays["accuracy"])
    except (ValueError, TypeError):  # missing, damaged, or of another shape: train again
        rng = np.random.default_rng([seed, 0xC1A5])
        order = rng.permutation(dataset.num_images)[:_MAX_READ]
        parts = np.array_split(order, 1 + len(order) // 1000)
        images = np.concatenate([read_images(dataset, part, side, channels) for part in parts])
        accuracy = _train(model, images, np.asarray(dataset.labels)[order], is_one_hot, rng)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            np.savez(temporary, accuracy=accuracy, **{f"w{index}": array for index, array in enumerate(model.get_weights())})
    check_accuracy(accuracy, np.asarray(dataset.labels), is_one_hot, dataset.name)
    origin = f"classifier trained on the labels of {dataset.name} ({100 * accuracy:.1f} % correct)"
    return Classifier(model, side, is_one_hot, accuracy, origin)


def side_of(resolution: int) -> int:
    """The side that images are reduced to by means of whole blocks of pixels."""
    return max(side for side in range(1, min(resolution, MAX_SIDE) + 1) if resolution % side == 0)


def classifier_of_pictures(positive: np.ndarray, negative: np.ndarray, *, seed: int) -> Classifier:
    """A classifier of two kinds of pictures, uint8 [N, S, S, C] each, S at most `MAX_SIDE`; its one logit is that of the first kind.

    Raises:
        UserError: it is hardly better than chance.
    """
    rng = np.random.default_rng([seed, 0xC1A5])
    images = np.concatenate([positive, negative])
    labels = (np.arange(len(images)) < len(positive)).astype(np.float32)[:, None]
    order = rng.permutation(len(images))
    model = _build(images.shape[1], images.shape[3], 1)
    accuracy = _train(model, images[order], labels[order], False, rng)
    check_accuracy(accuracy, labels, False, "the two kinds of pictures")
    origin = f"classifier trained on {len(images)} pictures ({100 * accuracy:.1f} % correct)"
    return Classifier(model, images.shape[1], False, accuracy, origin)


def check_accuracy(accuracy: float, labels: np.ndarray, is_one_hot: bool, name: str) -> None:
    """Refuses a classifier that is hardly better than the most frequent label: a score based on it would be meaningless.

    Args:
        accuracy: share of correct labels on images that it was not trained on.
        labels: [N, label_size] of the dataset.
        is_one_hot: see `Classifier`.
        name: of the dataset.
    """
    shares = labels.mean(axis=0)
    chance = float(shares.max() if is_one_hot else np.maximum(shares, 1 - shares).mean())
    if accuracy <= chance + _LEAST_GAIN * (1 - chance):
        raise UserError(
            f"The classifier trained on the labels of {name} is {100 * accuracy:.1f} % correct, the most frequent label alone "
            f"{100 * chance:.1f} %: its score would be meaningless. Use another classifier (ls --classifier FILE.keras)."
        )


def _build(side: int, channels: int, outputs: int) -> keras.Model:
    """Convolutions of 32, 64, 128, ... features, halving the image down to 4x4, then one dense layer."""
    layers: list[keras.layers.Layer] = [keras.layers.Input((side, side, channels))]
    features = 32
    while side >= 4:
        layers += [keras.layers.Conv2D(features, 3, padding="same", use_bias=False), keras.layers.BatchNormalization()]
        layers += [keras.layers.ReLU(), keras.layers.MaxPooling2D()]
        side, features = side // 2, min(2 * features, 128)
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(0.3), keras.layers.Dense(outputs)]
    return keras.Sequential(layers)


def _train(model: keras.Model, images: np.ndarray, labels: np.ndarray, is_one_hot: bool, rng: np.random.Generator) -> float:
    """Trains on nine images in ten and returns the accuracy on the tenth; images are in random order."""
    side = images.shape[1]
    num_held_out = max(1, len(images) // _HELD_OUT)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, _STEPS))
    optimizer.build(model.trainable_variables)
    losses = tf.nn.softmax_cross_entropy_with_logits if is_one_hot else tf.nn.sigmoid_cross_entropy_with_logits

    @tf.function
    def step(batch, targets):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(losses(targets, model(tf.cast(batch, tf.float32) / 127.5 - 1, training=True)))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True))

    for _ in track(range(_STEPS), _STEPS, "classifier: steps", unit="steps"):
        chosen = rng.integers(num_held_out, len(images), min(_BATCH, len(images)))
        batch = images[chosen]
        step(np.where(rng.random((len(batch), 1, 1, 1)) < 0.5, batch, batch[:, :, ::-1]), labels[chosen])
    starts = range(0, num_held_out, 256)
    outputs = np.concatenate([model_logits(model, images[start : min(start + 256, num_held_out)], side) for start in starts])
    expected = labels[:num_held_out]
    if is_one_hot:
        return float(np.mean(outputs.argmax(1) == expected.argmax(1)))
    return float(np.mean((outputs > 0) == (expected > 0.5)))


def label_logits(bench: "Bench", num_images: int) -> tuple[np.ndarray, Classifier]:
    """Logits [num_images, label_size] of the classifier trained on the dataset's labels, and that classifier."""
    options = {"resolution": bench.resolution, "channels": bench.channels, "seed": bench.options.seed, "cache": bench.cache}
    classifier = trained_classifier(bench.dataset, **options)
    key = {"classifier": classifier.origin, "trained_on": bench.dataset.digest}
    return _outputs(bench, classifier.logits, key, num_images), classifier


def attribute_logits(bench: "Bench", num_images: int) -> tuple[np.ndarray, str]:
    """Logits [num_images, attributes], positive for yes, and the name of their source."""
    if bench.options.classifier:
        origins = [f"{Path(path).name}/{classifier_digest(path)}" for path in bench.options.classifier]
        found = [_of_users_file(bench, path, origin, num_images) for path, origin in zip(bench.options.classifier, origins, strict=True)]
        return np.concatenate(found, axis=1), ", ".join(origins)
    outputs, classifier = label_logits(bench, num_images)
    return (_each_against_the_rest(outputs) if classifier.is_one_hot else outputs), classifier.origin


def _outputs(bench: "Bench", logits: Logits, key: dict[str, str], num_images: int) -> np.ndarray:
    """float32 [num_images, k] of a function of uint8 images on the device, stored under a key that identifies the function."""
    return bench.of_images("logits", key, num_images, lambda _, images: logits(images), "classified")


def _of_users_file(bench: "Bench", path: str, origin: str, num_images: int) -> np.ndarray:
    """Attributes by a Keras model: images [N, S, S, C] in [-1, 1] to one logit an attribute (two or more: classes)."""
    model, side = users_model(path, bench.resolution, bench.channels)
    outputs = _outputs(bench, lambda images: model_logits(model, images, side), {"classifier": origin}, num_images)
    if not np.all(np.isfinite(outputs)):
        raise UserError(f"{path} gives logits that are not finite.")
    return outputs if outputs.shape[1] == 1 else _each_against_the_rest(outputs)


def _each_against_the_rest(logits: np.ndarray) -> np.ndarray:
    """Class logits [N, K] to a logit for each class against all others; two classes are one attribute."""
    logits = np.asarray(logits, np.float64)
    columns = range(1 if logits.shape[1] == 2 else logits.shape[1])
    others = [scipy.special.logsumexp(np.delete(logits, column, axis=1), axis=1) for column in columns]
    return np.stack([logits[:, column] - other for column, other in zip(columns, others, strict=True)], axis=1)
