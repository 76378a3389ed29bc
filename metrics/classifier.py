"""A small convolutional classifier trained on a dataset's own labels, kept under the digest of the dataset."""

import dataclasses
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from metrics.features.store import key_of
from metrics.labels import check_labels, is_attributes
from stylegan_tf import data
from stylegan_tf.array_files import read_npz
from stylegan_tf.files import atomic_path
from stylegan_tf.progress_bar import track

MAX_SIDE = 64  # larger images are averaged down: attributes of whole objects survive that
_BATCH = 64
_STEPS = 1500  # apple leaves, 64x64, 4 classes: no better after 1,000
_LEARNING_RATE = 1e-3
_HELD_OUT = 10  # one image in ten tells the accuracy
_MAX_READ = 50_000  # images read for training


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained classifier.

    Attributes:
        model: float images [N, S, S, C] in [-1, 1] to logits [N, label_size].
        side: S.
        is_one_hot: labels are classes (softmax), not attributes of their own (sigmoid).
        accuracy: share of labels told correctly among images that it was not trained on.
        origin: what a result calls it.
    """

    model: keras.Model
    side: int
    is_one_hot: bool
    accuracy: float
    origin: str

    def logits(self, images) -> tf.Tensor:
        """uint8 images [N, R, R, C], R a multiple of `side`, to float32 logits [N, label_size]."""
        return self.model(shrink(tf.cast(images, tf.float32) / 127.5 - 1, self.side), training=False)


def shrink(images, side: int):
    """Means of whole blocks of pixels, as the smaller levels of a dataset are made."""
    factor = images.shape[1] // side
    return tf.nn.avg_pool2d(images, factor, factor, "VALID") if factor > 1 else images


def trained_classifier(dataset: data.Dataset, *, seed: int, cache: Path) -> Classifier:
    """A classifier of the dataset's labels: from the cache, or trained (about a minute a thousand steps on two cores).

    Raises:
        UserError: a dataset without labels, or with a single class.
    """
    check_labels(dataset)
    side = min(dataset.resolution, MAX_SIDE)
    is_one_hot = not is_attributes(dataset)
    protocol = {"dataset": dataset.digest, "side": side, "steps": _STEPS, "seed": seed}
    path = cache / f"classifier-{key_of(protocol)}.npz"
    model = _build(side, dataset.channels, dataset.label_size)
    try:
        names = [f"w{index}" for index in range(len(model.weights))]
        arrays = read_npz(path, ["accuracy", *names])
        model.set_weights([arrays[name] for name in names])
        accuracy = float(arrays["accuracy"])
    except (ValueError, TypeError):  # missing, damaged, or of another shape: trained anew
        accuracy = _train(model, dataset, side, is_one_hot, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            np.savez(temporary, accuracy=accuracy, **{f"w{index}": array for index, array in enumerate(model.get_weights())})
    origin = f"classifier trained on the labels of {dataset.name} ({100 * accuracy:.1f} % correct)"
    return Classifier(model, side, is_one_hot, accuracy, origin)


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


def _train(model: keras.Model, dataset: data.Dataset, side: int, is_one_hot: bool, seed: int) -> float:
    """Trains on nine images in ten and returns the accuracy on the tenth."""
    rng = np.random.default_rng([seed, 0xC1A5])
    order = rng.permutation(dataset.num_images)[:_MAX_READ]
    images = np.concatenate([data.read_images(dataset, part, side) for part in np.array_split(order, 1 + len(order) // 1000)])
    labels = np.asarray(dataset.labels)[order]
    num_held_out = max(1, len(order) // _HELD_OUT)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, _STEPS))
    optimizer.build(model.trainable_variables)
    losses = tf.nn.softmax_cross_entropy_with_logits if is_one_hot else tf.nn.sigmoid_cross_entropy_with_logits

    @tf.function
    def step(batch, targets):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(losses(targets, model(tf.cast(batch, tf.float32) / 127.5 - 1, training=True)))
        optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True))

    for _ in track(range(_STEPS), _STEPS, "classifier: steps", unit="steps"):
        chosen = rng.integers(num_held_out, len(order), min(_BATCH, len(order)))
        batch = images[chosen]
        step(np.where(rng.random((len(batch), 1, 1, 1)) < 0.5, batch, batch[:, :, ::-1]), labels[chosen])
    outputs = np.concatenate([model(_to_float(part), training=False) for part in _parts(images[:num_held_out])])
    expected = labels[:num_held_out]
    if is_one_hot:
        return float(np.mean(outputs.argmax(1) == expected.argmax(1)))
    return float(np.mean((outputs > 0) == (expected > 0.5)))


def _to_float(images: np.ndarray) -> np.ndarray:
    return images.astype(np.float32) / 127.5 - 1


def _parts(images: np.ndarray) -> list[np.ndarray]:
    return [images[start : start + 256] for start in range(0, len(images), 256)]
