"""The three networks of a run, built from what a file holds and written to one; training states as files."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import stylegan_tf
from stylegan_tf import models, safe_pickle, settings_text
from stylegan_tf.drawing import draw
from stylegan_tf.errors import UserError
from stylegan_tf.models.base import Generator, Network
from stylegan_tf.models.weights import assign_weights, check_weights, weight_arrays, weight_shapes
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


@dataclass(repr=False)
class Networks:
    """The three networks of a run, and what a reader must know about them; attributes as in `SnapshotContents`."""

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
        """Names of the classes, empty where unknown."""
        return class_names_of(self.dataset)

    def draw(self, seeds: int | Sequence[int], *, psi: float | None = None, label: str | int | Sequence[float] | None = None) -> Pictures:
        """Generates images of seeds with G_ema, as `generate.py images --seeds ... --trunc ... --class ...` does.

        Args:
            seeds: one or several, 0 to 2^32 - 1; z is that of the original release, RandomState(seed).randn(z_dim).
            psi: truncation, 1 for none; None for the network's own. Models without styles accept None alone.
            label: name or number of a class, or the numbers of a label [label_size]; None: a label of the data for each seed.

        Returns:
            uint8 [N, R, R, C]; notebooks show the array as a picture.

        Raises:
            UserError: a seed, class or label that is not possible; psi for a model without styles.
        """
        options = {"psi": psi, "label": label, "lod": self.lod, "class_names": self.class_names}
        return draw(self.G_ema, seeds, label_examples=self.dataset.get("label_examples"), **options)

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
    """Builds the networks that a file holds.

    Args:
        dtype: compute policy of the networks, "float32" if None.

    Raises:
        UserError: settings and arrays do not fit each other; no network is built then.
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
    """The networks of these names with their weights; the weights of all are checked before the first is built."""
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
