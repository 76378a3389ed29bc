"""One official pickle as options and weights of ours, all of it checked before any network is built."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.legacy import names, options, unpickler
from stylegan_tf.network_options import check_discriminator, check_generator, check_lod


@dataclasses.dataclass(frozen=True)
class NetworkArrays:
    """Arguments of one of our networks, and its weights by name."""

    options: dict[str, Any]
    weights: dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class OfficialArrays:
    """The three networks of a pickle and the level of detail at which its training stood."""

    G: NetworkArrays
    D: NetworkArrays
    G_ema: NetworkArrays
    lod: float


def read_official(path: str | os.PathLike) -> OfficialArrays:
    """Reads the (G, D, Gs) of an official pickle.

    Raises:
        MissingFileError: there is no such file.
        UserError: not such a pickle, damaged, of another program, or its options and arrays disagree.
    """
    path = Path(path)
    networks = unpickler.read_networks(path)
    kinds = [network.kind for network in networks]
    if kinds != ["G_style", "D_basic", "G_style"]:
        shown = ", ".join(kind[:40] for kind in kinds[:4])
        raise UserError(f"{path} holds networks of the kinds {shown}. Expected those of StyleGAN: G_style, D_basic, G_style.")
    G, D, Gs = networks
    try:
        budget = 2 * path.stat().st_size + (1 << 20)
        translated = [_generator(G, "G", budget), _discriminator(D, "D", budget), _generator(Gs, "Gs", budget)]
        return OfficialArrays(*translated, lod=_level_of_detail(Gs, translated[2].options["resolution"]))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _generator(network: unpickler.OfficialNetwork, what: str, budget: int) -> NetworkArrays:
    arguments = options.generator_options(network.options)
    weights = names.generator_weights(network.variables, arguments)
    check_generator(arguments, weights, what)
    return _finish(arguments, weights, what, budget)


def _discriminator(network: unpickler.OfficialNetwork, what: str, budget: int) -> NetworkArrays:
    arguments = options.discriminator_options(network.options)
    weights = names.discriminator_weights(network.variables, arguments)
    check_discriminator(arguments, weights, what)
    return _finish(arguments, weights, what, budget)


def _finish(arguments: dict, weights: dict, what: str, budget: int) -> NetworkArrays:
    """Holds the weights to the size of the file before they are copied: they could all be one array."""
    if 4 * sum(array.size for array in weights.values()) > budget:
        raise UserError(f"{what} claims more weights than the file holds.")
    # How kernels are stored was settled on the way in; what is left of fused_scale is a matter of speed.
    return NetworkArrays(arguments | {"fused_scale": "auto"}, {name: np.ascontiguousarray(weights[name], np.float32) for name in weights})


def _level_of_detail(network: unpickler.OfficialNetwork, resolution: int) -> float:
    lod = network.variables.get("lod", network.variables.get("synthesis/lod", np.zeros(())))
    if lod.size != 1:
        raise UserError(f"its lod must be one number. Received: {lod.size}")
    return check_lod(float(lod.reshape(())), resolution)
