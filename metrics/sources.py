"""Inputs of scores: snapshots, datasets, labels and classifier files, found and checked without TensorFlow."""

import hashlib
import os
from typing import TYPE_CHECKING, Protocol

import numpy as np

from metrics.image_sets import ImageSet, ScoredImages, open_image_set
from stylegan_tf import data
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.loading import find_dataset
from stylegan_tf.snapshot_file import SnapshotContents

if TYPE_CHECKING:
    from stylegan_tf.snapshot import Networks

_LEAST_LABELLED = 10  # one image in ten tests the classifier


class Sizes(Protocol):
    """Sizes of a generator: of a network, or of what a file says."""

    resolution: int
    channels: int
    label_size: int


def open_dataset_of(
    trained: "SnapshotContents | Networks", path: str | os.PathLike | None = None, max_pixels: int | None = None
) -> ImageSet:
    """The real images at `path`; None: what the networks were trained on. Raises as `loading.find_dataset` and `open_image_set`."""
    return open_image_set(find_dataset(trained.source, trained.dataset, path), max_pixels)


def check_fit(network: Sizes, dataset: ImageSet) -> None:
    """Refuses a dataset that a network cannot be scored against.

    Args:
        network: a generator, or the shape of one.
        dataset: real images.
    """
    if isinstance(dataset, data.PictureSet):
        return  # pictures are brought to the size of the network
    if dataset.channels != network.channels:
        raise UserError(f"{dataset.path} has {dataset.channels} channels, the network generates {network.channels}.")
    if network.label_size and dataset.label_size != network.label_size:
        raise UserError(f"The network expects labels of {network.label_size} numbers, {dataset.path} has labels of {dataset.label_size}.")
    dataset.level(network.resolution)


def open_held_out(path: str | os.PathLike, dataset: ImageSet | None, max_pixels: int | None = None) -> ImageSet:
    """The real images that were kept out of training, which must differ from `dataset` (None: not known yet)."""
    held_out = open_image_set(path, max_pixels)
    if dataset is None:
        return held_out
    if held_out.digest == dataset.digest:
        raise UserError(f"{held_out.path} is the training set itself. Held-out images must be different images.")
    if isinstance(held_out, data.Dataset) and isinstance(dataset, data.Dataset) and held_out.channels != dataset.channels:
        raise UserError(f"{held_out.path} has {held_out.channels} channels, {dataset.path} has {dataset.channels}.")
    return held_out


def is_attributes(dataset: ImageSet) -> bool:
    """Whether labels are several yes-or-no attributes rather than one class of many."""
    labels = np.asarray(dataset.labels[:10_000])
    return dataset.label_size > 0 and not np.array_equal(labels.sum(axis=1), np.ones(len(labels)))


def check_labels(dataset: ImageSet) -> None:
    """Raises UserError for a dataset without labels, with a single class, with other numbers than 0 and 1, or with very few images."""
    if dataset.num_images < _LEAST_LABELLED:
        raise UserError(f"{dataset.path} has {dataset.num_images} images: a classifier of its labels needs {_LEAST_LABELLED} or more.")
    if dataset.label_size < 2 and not is_attributes(dataset):
        raise UserError(
            f"{dataset.path} has no labels to train a classifier on. Make it from one folder a class (dataset_tool.py "
            "create_from_images --labels folders), or use another classifier: --classifier model.keras"
        )
    if not np.isin(dataset.labels[:10_000], (0, 1)).all():
        raise UserError(
            f"The labels of {dataset.path} are not classes or attributes (0 and 1). Use another classifier: --classifier model.keras"
        )


def check_classes(dataset: ImageSet) -> None:
    """Raises UserError for a dataset whose labels are not classes, two or more."""
    check_labels(dataset)
    if is_attributes(dataset):
        raise UserError(f"The labels of {dataset.path} are attributes, which an image may have several of. This score needs classes.")


def class_names(dataset: ImageSet) -> list[str]:
    """Names of the classes, or their numbers."""
    return list(dataset.class_names) or [str(number) for number in range(dataset.label_size)]


def check_asked_classes(scored: "Networks | ScoredImages", label_size: int, dataset: ImageSet) -> None:
    """Raises UserError for images without a requested class, and for pictures in folders of other classes than the data's."""
    is_pictures = isinstance(scored, ScoredImages)
    if not label_size:
        what = "pictures in one folder a class (0/, 1/, ...)" if is_pictures else "a model trained with labels"
        raise UserError(f"{scored.source}: no class was requested. A score by class needs {what}.")
    if is_pictures and (names := list(scored.images.class_names)) != (known := class_names(dataset)):
        raise UserError(f"The classes of {scored.source} are {', '.join(names)}; those of {dataset.path}: {', '.join(known)}.")


def classifier_digest(path: str | os.PathLike) -> str:
    """`file_digest` of an attribute classifier.

    Raises:
        MissingFileError: no such file.
    """
    if not os.path.isfile(path):
        raise MissingFileError(f"{path} does not exist. Expected a Keras model (.keras) as attribute classifier.")
    return file_digest(path)


def file_digest(path: str | os.PathLike) -> str:
    """SHA-256 of a file, 24 hexadecimal digits: another file under the same path is another network."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()[:24]
