"""An official pickle as settings and weights of ours, checked before any network is built."""

import os
from pathlib import Path

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.legacy import names, options, stylegan2, torch_modules, unpickler
from stylegan_tf.resolution import check_lod
from stylegan_tf.snapshot_file import NetworkArrays, NetworkShape, SnapshotContents


def read_official(path: str | os.PathLike) -> SnapshotContents:
    """Reads the networks of an official pickle: of StyleGAN (TensorFlow 1), StyleGAN2-ADA or StyleGAN2 in stylegan3 (both PyTorch).

    Returns:
        The networks with the lod of the training at that time. nimg is 0: such files do not record it.

    Raises:
        MissingFileError: there is no such file.
        UserError: not such a pickle, damaged, of another program, or with impossible options.
    """
    path = Path(path)
    if torch_modules.is_torch_pickle(path):
        return stylegan2.read_stylegan2(path)
    networks = unpickler.read_networks(path)
    kinds = [network.kind for network in networks]
    if kinds != ["G_style", "D_basic", "G_style"]:
        shown = ", ".join(kind[:40] for kind in kinds[:4])
        raise UserError(f"{path} contains networks of the kinds {shown}. Expected those of StyleGAN: G_style, D_basic, G_style.")
    try:
        budget = 2 * path.stat().st_size + (1 << 20)
        (G, shape), (D, shape_of_D), (G_ema, shape_of_Gs) = (_translated(network, budget) for network in networks)
        if not shape == shape_of_D == shape_of_Gs:
            raise UserError("G, D and Gs have different resolutions, channels or labels.")
        lod = _level_of_detail(networks[2], shape.resolution)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    dataset = {"label_size": shape.label_size, "class_names": []}
    return SnapshotContents(str(path), "stylegan", shape, G, D, G_ema, lod=lod, dataset=dataset)


def _translated(network: unpickler.OfficialNetwork, budget: int) -> tuple[NetworkArrays, NetworkShape]:
    """Settings and weights of ours, and the shape; `budget` is the number of bytes that the weights may need."""
    is_generator = network.kind == "G_style"
    settings, shape = options.translate_generator(network.options) if is_generator else options.translate_discriminator(network.options)
    rename = names.generator_weights if is_generator else names.discriminator_weights
    weights = rename(network.variables, resolution=shape.resolution, fused_scale=options.fused_scale(network.options))
    # Checked before they are copied: all of them could be one array.
    if 4 * sum(array.size for array in weights.values()) > budget:
        raise UserError(f"{network.name[:40]} has more weights than the file can contain.")
    if any(array.dtype.kind not in "fiub" for array in weights.values()):
        raise UserError(f"the weights of {network.name[:40]} must be real numbers.")
    return NetworkArrays(settings, {name: np.ascontiguousarray(array, np.float32) for name, array in weights.items()}), shape


def _level_of_detail(network: unpickler.OfficialNetwork, resolution: int) -> float:
    lod = network.variables.get("lod", network.variables.get("synthesis/lod", np.zeros(())))
    if lod.size != 1:
        raise UserError(f"its lod must be one number. Received: {lod.size}")
    return check_lod(float(lod.reshape(())), resolution)
