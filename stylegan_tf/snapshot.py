"""Network snapshots and training states: data-only pickles, written whole or not at all."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import stylegan_tf
from stylegan_tf import network_options, safe_pickle
from stylegan_tf.errors import MissingFileError, UserError
from stylegan_tf.networks import Discriminator, Generator, assign_weights, named_weights

NETWORKS_FORMAT = "stylegan_tf networks"
STATE_FORMAT = "stylegan_tf training state"
FORMAT_VERSION = 1
_KERAS_KEYS = ("name", "trainable", "dtype", "autocast")  # of get_config, not ours to keep


@dataclass
class Networks:
    """The three networks of a run, and what a reader must know about them.

    Attributes:
        G, D, G_ema: generator, discriminator, and the moving average of the generator that pictures are drawn with.
        nimg: real images shown so far.
        lod: level of detail that training stood at; 0 for a network that is fully grown.
        dataset: name, digest, label_size, class_names, num_images, mirror and path of the data.
        config: settings of the run, as plain values.
        source: file they came from.
    """

    G: Generator
    D: Discriminator
    G_ema: Generator
    nimg: int = 0
    lod: float = 0.0
    dataset: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    source: str = ""


def save_networks(path: str | os.PathLike, networks: Networks) -> None:
    """Writes a network snapshot.

    Raises:
        OSError: the file cannot be written; an older one is untouched.
    """
    generator = networks.G_ema
    value = {
        "format": NETWORKS_FORMAT,
        "format_version": FORMAT_VERSION,
        "library_version": stylegan_tf.__version__,
        "nimg": int(networks.nimg),
        "lod": float(networks.lod),
        "G_config": network_config(generator),
        "D_config": network_config(networks.D),
        "G": weight_arrays(networks.G),
        "D": weight_arrays(networks.D),
        "G_ema": weight_arrays(generator),
        "dataset": networks.dataset,
        "config": networks.config,
    }
    safe_pickle.write_pickle(path, value)


def load_networks(path: str | os.PathLike, *, dtype: str | None = None) -> Networks:
    """Reads a network snapshot of ours.

    Args:
        path: a `.pkl` written by `save_networks`.
        dtype: compute policy of the networks, "float32" unless told.

    Raises:
        MissingFileError: no such file.
        UserError: not a network snapshot, damaged, or written by a later version.
    """
    return make_snapshot_networks(_read_file(path, "network snapshot"), path, dtype=dtype)


def make_snapshot_networks(value: Any, path: str | os.PathLike, *, dtype: str | None = None) -> Networks:
    """The networks of the content of the snapshot `path`; see `load_networks`."""
    value = _of_format(value, path, NETWORKS_FORMAT, "network snapshot")
    try:
        lod = _check(value)
        networks = [
            _make(kind, value[config], value[name], name, dtype)
            for kind, config, name in ((Generator, "G_config", "G"), (Discriminator, "D_config", "D"), (Generator, "G_config", "G_ema"))
        ]
        return Networks(*networks, nimg=int(value["nimg"]), lod=lod, dataset=dict(value["dataset"]),
                        config=dict(value["config"]), source=str(path))  # fmt: skip
    except UserError as error:
        raise UserError(f"{path} is not a whole network snapshot: {error} Try an older snapshot.") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(f"{path} is not a whole network snapshot ({type(error).__name__}: {error}). Try an older snapshot.") from error


def save_state(path: str | os.PathLike, state: dict[str, Any]) -> None:
    """Writes a training state: plain values and arrays.

    Raises:
        OSError: the file cannot be written; an older one is untouched.
    """
    safe_pickle.write_pickle(path, {"format": STATE_FORMAT, "format_version": FORMAT_VERSION, "state": state})


def load_state(path: str | os.PathLike) -> dict[str, Any]:
    """Reads a training state of ours; raises as `load_networks`."""
    state = _of_format(_read_file(path, "training state"), path, STATE_FORMAT, "training state").get("state")
    if not isinstance(state, dict):
        raise UserError(f"{path} is not a whole training state. Start from a network snapshot instead.")
    return state


def network_config(network: Generator | Discriminator) -> dict[str, Any]:
    """Arguments of a network's constructor as plain values, without Keras's own."""
    config = {name: value for name, value in network.get_config().items() if name not in _KERAS_KEYS}
    return {name: tuple(value) if isinstance(value, (list, tuple)) else value for name, value in config.items()}


def weight_arrays(network: Generator | Discriminator) -> dict[str, Any]:
    """Every weight as a float32 array by its public name."""
    return {name: variable.numpy() for name, variable in named_weights(network).items()}


def _check(value):
    """Holds options, weights and lod to what a network can be, before one is built; returns the lod."""
    for name in ("G", "G_ema"):
        network_options.check_generator(value["G_config"], value[name], name)
    network_options.check_discriminator(value["D_config"], value["D"], "D")
    return network_options.check_lod(value["lod"], value["G_config"]["resolution"])


def _make(kind, config, weights, name, dtype):
    network = kind(**config, dtype=dtype, name=name)
    assign_weights(network, weights)
    return network


def _read_file(path, what):
    if not Path(path).is_file():
        raise MissingFileError(f"{path}: no such file. Expected a {what} (.pkl).")
    return safe_pickle.read_pickle(path)


def _of_format(value, path, expected_format, what):
    if not isinstance(value, dict) or value.get("format") != expected_format:
        raise UserError(f"{path} is not a {what} of this library.")
    version = value.get("format_version")
    if type(version) is not int or version != FORMAT_VERSION:
        raise UserError(
            f"{path} has format version {version!s:.40}; this library reads {FORMAT_VERSION}. "
            f"It was written by version {value.get('library_version', 'unknown')}: install that one, or a later one."
        )
    return value
