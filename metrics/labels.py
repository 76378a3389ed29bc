"""What a dataset's labels are good for: classes, attributes, or nothing."""

import numpy as np

from stylegan_tf import data
from stylegan_tf.errors import UserError


def is_attributes(dataset: data.Dataset) -> bool:
    """Whether labels are several yes-or-no attributes rather than one class of many."""
    labels = np.asarray(dataset.labels[:10_000])
    return dataset.label_size > 0 and not np.array_equal(labels.sum(axis=1), np.ones(len(labels)))


def check_labels(dataset: data.Dataset) -> None:
    """Raises UserError for a dataset without labels, or with a single class."""
    if dataset.label_size < 2 and not is_attributes(dataset):
        raise UserError(
            f"{dataset.path} has no labels to train a classifier on. Make it from one folder a class (dataset_tool.py "
            "create_from_images --labels folders), or name a classifier of your own: --classifier model.keras"
        )


def check_classes(dataset: data.Dataset) -> None:
    """Raises UserError for a dataset whose labels are not classes, two or more."""
    check_labels(dataset)
    if is_attributes(dataset):
        raise UserError(f"The labels of {dataset.path} are attributes, not classes: there is no Inception Score by them.")
