"""The contents of a network snapshot, read and checked without TensorFlow; `snapshot` builds networks from them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf import models, safe_pickle, settings_text
from stylegan_tf.display import class_name
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.ranges import Channels, CountOrZero, Resolution
from stylegan_tf.resolution import check_lod

NETWORKS_FORMAT = "stylegan_tf networks"
STATE_FORMAT = "stylegan_tf training state"
# 1: options of a StyleGAN side by side; 2: model, shape and settings of its own.
FORMAT_VERSION = 2
READ_VERSIONS = (1, 2)
MAX_NIMG = 1 << 53  # real images shown; as float64 counts


@dataclass(frozen=True)
class NetworkShape:
    """The shape of a network, which follows from the data: keyword arguments of its constructor."""

    resolution: Resolution
    channels: Channels
    label_size: CountOrZero


@dataclass(frozen=True)
class NetworkArrays:
    """Settings of one network, an instance of its class's `settings_type`, and its weights by public name."""

    settings: Any
    weights: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class SnapshotContents:
    """The contents of a snapshot: the three networks as settings and arrays, and their metadata."""

    source: str  # the file
    model: str  # name of the model
    shape: NetworkShape  # of all three networks
    G: NetworkArrays  # G, D, G_ema: generator, discriminator, moving average of the generator
    D: NetworkArrays
    G_ema: NetworkArrays
    nimg: int = 0  # real images shown so far
    lod: float = 0.0  # level of detail reached in training; 0 for a network that is fully grown
    # Name, digest, label_size, class_names, num_images, mirror and path of the data; label_examples, some of its labels where they are
    # not one-hot, None where they are (missing in older files)
    dataset: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)  # settings of the run, as plain values

    @property
    def label_examples(self) -> np.ndarray | None:
        """Labels of the data, float32 [n, label_size], if they are not one-hot; None if they are or may be."""
        return self.dataset.get("label_examples")

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; empty if not known."""
        return class_names_of(self.dataset)


def class_names_of(dataset: Mapping[str, object]) -> tuple[str, ...]:
    """Names of the classes in the description of a dataset; empty if not known."""
    names = dataset.get("class_names")
    return tuple(class_name(str(name)) for name in names) if isinstance(names, list | tuple) else ()


def read_contents(path: str | os.PathLike) -> SnapshotContents:
    """Reads a network snapshot of ours, of any version.

    Raises:
        MissingFileError: no such file.
        UserError: not a network snapshot, damaged, or written by a later version.
    """
    value = read_format(path, NETWORKS_FORMAT, "network snapshot")
    try:
        return _contents(value, str(path))
    except UserError as error:
        raise UserError(f"{path} is not a complete network snapshot: {error} Try an older snapshot.") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(f"{path} is not a complete network snapshot ({type(error).__name__}: {error}). Try an older snapshot.") from error


def read_format(path: str | os.PathLike, expected_format: str, what: str) -> dict[str, Any]:
    """The dictionary in a file of ours whose format and version are known; raises as `read_contents`."""
    if not Path(path).is_file():
        raise MissingFileError(f"{path}: no such file. Expected a {what} (.pkl).")
    value = safe_pickle.read_pickle(path)
    if not isinstance(value, dict) or value.get("format") != expected_format:
        raise UserError(f"{path} is not a {what} of this library.")
    version = value.get("format_version")
    if type(version) is not int or version not in READ_VERSIONS:
        raise UserError(
            f"{path} has format version {version!s:.40}; this library reads {' and '.join(map(str, READ_VERSIONS))}. "
            f"It was written by version {str(value.get('library_version', 'unknown'))[:40]}: install that one, or a later one."
        )
    return value


def _contents(value: Mapping[str, Any], source: str) -> SnapshotContents:
    if value["format_version"] == 1:
        model = "stylegan"
        kinds = models.network_settings(model)
        found = [settings_text.from_flat(kind, value[f"{which}_config"]) for which, kind in zip("GD", kinds, strict=True)]
        (G, shape), (D, shape_of_D) = found
        if shape != shape_of_D:
            raise UserError("G and D have different shapes.")
    else:
        model = value["model"]
        kinds = models.network_settings(model)
        G, D = (settings_text.from_plain(kind, value[f"{which}_settings"]) for which, kind in zip("GD", kinds, strict=True))
        shape = value["shape"]
    shape = settings_text.from_plain(NetworkShape, shape)
    _check_label_examples(value["dataset"].get("label_examples"), shape.label_size)
    nimg = int(value["nimg"])
    if not 0 <= nimg <= MAX_NIMG:
        raise UserError(f"`nimg` must be from 0 to {MAX_NIMG}.")
    return SnapshotContents(
        source=source,
        model=model,
        shape=shape,
        G=NetworkArrays(G, value["G"]),
        D=NetworkArrays(D, value["D"]),
        G_ema=NetworkArrays(G, value["G_ema"]),
        nimg=nimg,
        lod=check_lod(value["lod"], shape.resolution),
        dataset=dict(value["dataset"]),
        config=dict(value["config"]),
    )


def _check_label_examples(labels: object, label_size: int) -> None:
    if labels is None:
        return
    is_array = isinstance(labels, np.ndarray) and labels.dtype == np.float32 and labels.ndim == 2
    if not is_array or not len(labels) or labels.shape[1] != label_size or not np.isfinite(labels).all():
        raise UserError(f"`label_examples` must be finite float32 numbers [n, {label_size}].")
