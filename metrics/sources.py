"""What a score is taken of: the snapshot's own facts and the datasets, found and checked without TensorFlow."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stylegan_tf import data
from stylegan_tf.errors import MissingFileError, UserError


def check_snapshot(path: str | os.PathLike, dataset_path: str | os.PathLike | None) -> data.Dataset:
    """Reads a snapshot's facts, and opens the dataset that it is to be scored against.

    Args:
        path: a snapshot (.pkl), ours or official, or a run folder.
        dataset_path: real images; None: what the snapshot was trained on.

    Raises:
        UserError: no network file, no dataset, or the two do not fit.
    """
    from stylegan_tf.inference.network_facts import read_facts

    facts = read_facts(path)
    dataset = data.open_dataset(find_dataset(facts.path, {} if dataset_path else _recorded(facts.path), dataset_path))
    check_fit(facts, dataset)
    return dataset


def find_dataset(source: str | os.PathLike, recorded: Mapping[str, Any] | None, path: str | os.PathLike | None) -> Path:
    """The dataset to score against.

    Args:
        source: the snapshot; beside a relative path as recorded, the same path is tried in the checkout whose
            results/RUN/ the snapshot lies in.
        recorded: what the snapshot says of its data.
        path: the dataset asked for; None: the recorded one.

    Raises:
        UserError: none is recorded, or it is not there.
    """
    if path:
        return Path(path)
    found = (recorded or {}).get("path")
    if not found:
        raise UserError(f"{source or 'This network'} does not say what it was trained on. Name the dataset: --data FOLDER")
    places = [Path(found)]
    parents = Path(source).absolute().parents
    if source and len(parents) > 2:
        places.append(parents[2] / found)  # CHECKOUT/results/RUN/network-snapshot-000140.pkl
    for place in places:
        if place.is_dir():
            return place
    raise MissingFileError(f"{source or 'This network'} was trained on {found}, which is not here. Name it: --data FOLDER")


def check_fit(network, dataset: data.Dataset) -> None:
    """Refuses a dataset that a network cannot be scored against.

    Args:
        network: whatever has `resolution`, `channels` and `label_size`: a generator, or the facts of one.
        dataset: real images.
    """
    if dataset.channels != network.channels:
        raise UserError(f"{dataset.path} has {dataset.channels} channels, the network draws {network.channels}.")
    if network.label_size and dataset.label_size != network.label_size:
        raise UserError(f"The network takes labels of {network.label_size} numbers, {dataset.path} has labels of {dataset.label_size}.")
    dataset.level(network.resolution)


def open_held_out(path: str | os.PathLike, dataset: data.Dataset | None) -> data.Dataset:
    """The dataset that was kept out of training, which must be another one than `dataset` (None: not known yet)."""
    held_out = data.open_dataset(path)
    if dataset is None:
        return held_out
    if held_out.digest == dataset.digest:
        raise UserError(f"{held_out.path} is the training set itself. Held-out images must be others.")
    if held_out.channels != dataset.channels:
        raise UserError(f"{held_out.path} has {held_out.channels} channels, {dataset.path} has {dataset.channels}.")
    return held_out


def _recorded(path: Path) -> Mapping[str, Any]:
    """What a snapshot says of its data; an official pickle says nothing."""
    from stylegan_tf.legacy import is_official
    from stylegan_tf.safe_pickle import read_pickle

    return {} if is_official(path) else read_pickle(path)["dataset"]
