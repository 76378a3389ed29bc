"""The networks G, D and G_ema of a run: built from the contents of a file, and written to a file; files of training states."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf

import stylegan_tf
from stylegan_tf import models, safe_pickle, settings_text
from stylegan_tf.errors import UserError
from stylegan_tf.images import to_uint8
from stylegan_tf.models.base import Generator, Network, StyleGenerator
from stylegan_tf.models.weights import assign_weights, check_weights, weight_arrays, weight_shapes
from stylegan_tf.seeds import check_seeds, classes_from_seeds, find_class, labels_from_seeds, latents_from_seeds, one_hot
from stylegan_tf.sheets import Pictures
from stylegan_tf.snapshot_file import (
    FORMAT_VERSION,
    NETWORKS_FORMAT,
    STATE_FORMAT,
    SnapshotContents,
    class_names_of,
    read_format,
)

NAMES = ("G", "D", "G_ema")
_BATCH_SIZE = 8  # of images drawn

Label = str | int | Sequence[float]


@dataclass(repr=False)
class Networks:
    """The networks of a run (Keras models; G_ema is the moving average of G) and their metadata, see `SnapshotContents`."""

    G: Generator
    D: Network
    G_ema: Generator
    model: str = "stylegan"
    nimg: int = 0
    lod: float = 0.0
    dataset: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    source: str = ""

    def by_name(self) -> dict[str, Network]:
        """The networks as "G", "D" and "G_ema"."""
        return {name: getattr(self, name) for name in NAMES}

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; empty if not known."""
        return class_names_of(self.dataset)

    def draw(self, seeds: int | Sequence[int], *, psi: float | None = None, label: Label | None = None) -> Pictures:
        """Generates images with G_ema from seeds, as `generate.py images --seeds ... --trunc ... --class ...`.

        Args:
            seeds: one or several numbers from 0 to 2^32 - 1; z is RandomState(seed).randn(z_dim), as in the original release.
            psi: truncation, 1 for none; None for that of the settings. Models without styles accept only None.
            label: name or number of a class, or a label [label_size]; None: each seed has its own class, or its own label of the data.

        Returns:
            uint8 [N, R, R, C]; notebooks show the array as a picture.

        Raises:
            UserError: an invalid seed, class or label, or a psi for a model without styles.
        """
        seeds = check_seeds([seeds] if isinstance(seeds, int | np.integer) else seeds)
        if psi is not None and not isinstance(self.G_ema, StyleGenerator):
            raise UserError(f"psi needs a model with styles; {type(self.G_ema).__name__} has none.")
        labels = self._labels_of(seeds, label)
        z = latents_from_seeds(seeds, self.G_ema.z_dim)
        images = []
        for start in range(0, len(seeds), _BATCH_SIZE):
            rows = slice(start, start + _BATCH_SIZE)
            images.append(to_uint8(self._images(z[rows], None if labels is None else labels[rows], psi).numpy()))
        return np.concatenate(images).view(Pictures)

    def _labels_of(self, seeds: Sequence[int], label: Label | None) -> np.ndarray | None:
        """Labels float32 [N, label_size] of seeds, all equal to `label` if it is given; None for an unconditional network."""
        label_size, label_examples = self.G_ema.label_size, self.dataset.get("label_examples")
        if not label_size and label is None:
            return None
        if isinstance(label, str | int | np.integer):
            if label_examples is not None:
                raise UserError(f"The labels of this network are not classes: give {label_size} numbers. Received: label={label!r}")
            return one_hot([find_class(str(label), label_size, self.class_names)] * len(seeds), label_size)
        if label is not None:
            numbers = np.asarray(label, np.float32)
            if numbers.shape != (label_size,):
                raise UserError(f"A label of this network has {label_size} numbers. Received: {list(numbers.shape)}")
            return np.repeat(numbers[None], len(seeds), axis=0)
        if label_examples is not None:
            return labels_from_seeds(seeds, label_examples)
        return one_hot(classes_from_seeds(seeds, label_size), label_size)

    def _images(self, z: np.ndarray, labels: np.ndarray | None, psi: float | None) -> tf.Tensor:
        G = self.G_ema
        if not isinstance(G, StyleGenerator):
            return G.preview(z, labels, lod=self.lod)
        ws = G.mapping(z, labels)
        if psi is None:
            ws = G.truncate(ws)
        else:
            cutoff = G.settings.truncation_cutoff
            ws = G.truncate(ws, psi, G.num_ws if cutoff is None else cutoff)
        return G.synthesis(ws, noise_mode="const", lod=self.lod)

    def __repr__(self) -> str:
        shape = f"{self.G_ema.resolution}x{self.G_ema.resolution}x{self.G_ema.channels}"
        labels = f", labels of {self.G_ema.label_size} numbers" if self.G_ema.label_size else ""
        return f"<Networks G, D and G_ema: {self.model} {shape}{labels}, kimg {self.nimg / 1000:.1f}, from {self.source or 'memory'}>"


def build_networks(model: str, settings: Mapping[str, Any], shape: Mapping[str, int], dtype: str | None = None) -> dict[str, Network]:
    """Builds "G", "D" and "G_ema" with fresh weights.

    Args:
        settings: of "G", "D" and "G_ema".
        shape: resolution, channels and label_size.
        dtype: compute policy, "float32" if None.
    """
    kinds = _network_types(model)
    return {name: kinds[name](settings[name], **shape, dtype=dtype, name=name) for name in NAMES}


def make_networks(contents: SnapshotContents, *, dtype: str | None = None) -> Networks:
    """Builds the networks from the contents of a file.

    Args:
        dtype: compute policy of the networks, "float32" if None.

    Raises:
        UserError: settings and arrays do not match; no network is built then.
    """
    about = {name: getattr(contents, name) for name in ("model", "nimg", "lod", "dataset", "config", "source")}
    return Networks(**_built(contents, NAMES, dtype), **about)


def make_generator(contents: SnapshotContents, *, dtype: str | None = None) -> Generator:
    """Builds G_ema alone, as `make_networks` does: a third of the time and memory."""
    return _built(contents, ("G_ema",), dtype)["G_ema"]


def save_networks(path: str | os.PathLike, networks: Networks) -> None:
    """Writes a network snapshot.

    Raises:
        OSError: the file cannot be written; an older one is untouched.
    """
    value = {
        "format": NETWORKS_FORMAT,
        "format_version": FORMAT_VERSION,
        "library_version": stylegan_tf.__version__,
        "model": networks.model,
        "nimg": int(networks.nimg),
        "lod": float(networks.lod),
        "shape": networks.G_ema.shape_config,
        "G_settings": settings_text.to_plain(networks.G_ema.settings),
        "D_settings": settings_text.to_plain(networks.D.settings),
        **{name: weight_arrays(network) for name, network in networks.by_name().items()},
        "dataset": networks.dataset,
        "config": networks.config,
    }
    safe_pickle.write_pickle(path, value)


def save_state(path: str | os.PathLike, state: dict[str, Any]) -> None:
    """Writes a training state: plain values and arrays.

    Raises:
        OSError: the file cannot be written; an older one is untouched.
    """
    safe_pickle.write_pickle(path, {"format": STATE_FORMAT, "format_version": FORMAT_VERSION, "state": state})


def load_state(path: str | os.PathLike) -> dict[str, Any]:
    """Reads a training state of ours.

    Raises:
        MissingFileError: no such file.
        UserError: not a training state, damaged, or written by a later version.
    """
    state = read_format(path, STATE_FORMAT, "training state").get("state")
    if not isinstance(state, dict):
        raise UserError(f"{path} is not a complete training state. Start from a network snapshot instead.")
    return state


def _built(contents: SnapshotContents, names: Sequence[str], dtype: str | None) -> dict[str, Network]:
    """The networks of these names with their weights. All weights are checked before a network is built."""
    kinds, shape = _network_types(contents.model), asdict(contents.shape)
    stored = {name: getattr(contents, name) for name in names}
    try:
        for name, network in stored.items():
            check_weights(network.weights, weight_shapes(partial(kinds[name], network.settings, **shape)), name)
        networks = {name: kinds[name](stored[name].settings, **shape, dtype=dtype, name=name) for name in names}
        for name, network in networks.items():
            assign_weights(network, stored[name].weights)
    except (ValueError, ArithmeticError) as error:
        raise UserError(f"{contents.source} does not contain complete networks: {error}") from error
    return networks


def _network_types(model: str) -> dict[str, type[Network]]:
    found = models.find(model)
    return {"G": found.Generator, "D": found.Discriminator, "G_ema": found.Generator}
