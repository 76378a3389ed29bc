"""A network pickle of StyleGAN as settings and weights of ours: names, layouts and options, each value checked."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stylegan_tf import settings_text
from stylegan_tf.errors import UserError
from stylegan_tf.legacy import unpickler
from stylegan_tf.models.stylegan.settings import DiscriminatorSettings, GeneratorSettings
from stylegan_tf.resolution import check_lod
from stylegan_tf.settings import NetworkSettings
from stylegan_tf.snapshot_file import NetworkArrays, NetworkShape, SnapshotContents

# Original name -> (our name, default of the original).
_SHARED = {
    "num_channels": ("channels", 3),
    "resolution": ("resolution", 1024),
    "label_size": ("label_size", 0),
    "fmap_base": ("fmap_base", 8192),
    "fmap_decay": ("fmap_decay", 1.0),
    "fmap_max": ("fmap_max", 512),
    "nonlinearity": ("nonlinearity", "lrelu"),
    "use_wscale": ("use_wscale", True),
    "blur_filter": ("blur_filter", (1, 2, 1)),
    "fused_scale": ("fused_scale", "auto"),
}
_GENERATOR = _SHARED | {
    "latent_size": ("z_dim", 512),
    "dlatent_size": ("w_dim", 512),
    "mapping_layers": ("mapping_layers", 8),
    "mapping_fmaps": ("mapping_fmaps", 512),
    "mapping_lrmul": ("mapping_lrmul", 0.01),
    "mapping_nonlinearity": ("mapping_nonlinearity", "lrelu"),
    "normalize_latents": ("normalize_latents", True),
    "use_styles": ("use_styles", True),
    "const_input_layer": ("const_input", True),
    "use_noise": ("use_noise", True),
    "use_pixel_norm": ("use_pixel_norm", False),
    "use_instance_norm": ("use_instance_norm", True),
    "dlatent_avg_beta": ("w_avg_beta", 0.995),
    "style_mixing_prob": ("style_mixing_prob", 0.9),
    "truncation_psi": ("truncation_psi", 0.7),
    "truncation_cutoff": ("truncation_cutoff", 8),
}
# The defaults of the original's discriminator are those of its smallest test.
_DISCRIMINATOR = _SHARED | {
    "num_channels": ("channels", 1),
    "resolution": ("resolution", 32),
    "mbstd_group_size": ("mbstd_group_size", 4),
    "mbstd_num_features": ("mbstd_num_features", 1),
}
# Options without effect on the numbers of a network, and those that are arguments of each call here.
_IGNORED = frozenset(
    ["dtype", "structure", "randomize_noise", "dlatent_broadcast", "is_training", "is_validation", "is_template_graph",
     "force_clean_graph", "return_dlatents", "truncation_psi_val", "truncation_cutoff_val", "func_name"]
)  # fmt: skip
_FLAGS = frozenset(ours for ours, default in _GENERATOR.values() if type(default) is bool)
# From this output resolution on, the original fuses upscaling and convolution where fused_scale is "auto".
FUSED_FROM_RESOLUTION = 128

_PARTS = {
    "weight": "kernel",
    "bias": "bias",
    "Noise/weight": "noise_strength",
    "StyleMod/weight": "style/kernel",
    "StyleMod/bias": "style/bias",
    "const": "const",
}
_LAYERS = {"Const": "const", "Dense": "dense", "Conv": "conv", "Conv0_up": "conv0_up", "Conv1": "conv1"}
_LAYERS_OF_D = {"Conv0": "conv0", "Conv1_down": "conv1_down", "Conv": "conv", "Dense0": "dense0", "Dense1": "dense1"}
_BLOCK = re.compile(r"(\d{1,4}x\d{1,4})/(\w+)/(weight|bias|const|Noise/weight|StyleMod/weight|StyleMod/bias)")
_RGB = re.compile(r"(ToRGB|FromRGB)_lod(\d)/(weight|bias)")


def read_stylegan(path: Path) -> SnapshotContents:
    """Reads the networks of a pickle of TensorFlow 1. nimg is 0: such files do not record it.

    Raises:
        MissingFileError: there is no such file.
        UserError: not such a pickle, damaged, of another program, or with impossible options.
    """
    networks = unpickler.read_networks(path)
    kinds = [network.kind for network in networks]
    if kinds != ["G_style", "D_basic", "G_style"]:
        shown = ", ".join(kind[:40] for kind in kinds[:4])
        raise UserError(f"{path} contains networks of the kinds {shown}. Expected those of StyleGAN: G_style, D_basic, G_style.")
    try:
        (G, shape), (D, shape_of_D), (G_ema, shape_of_Gs) = (_translated(network, path) for network in networks)
        if not shape == shape_of_D == shape_of_Gs:
            raise UserError("G, D and Gs have different resolutions, channels or labels.")
        lod = _level_of_detail(networks[2], shape.resolution)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    dataset = {"label_size": shape.label_size, "class_names": []}
    return SnapshotContents(str(path), "stylegan", shape, G, D, G_ema, lod=lod, dataset=dataset)


def _translated(network: unpickler.OfficialNetwork, path: Path) -> tuple[NetworkArrays, NetworkShape]:
    """Settings and weights of ours, and the shape."""
    settings, shape = translate(network.options, is_generator=network.kind == "G_style")
    rename = generator_weights if network.kind == "G_style" else discriminator_weights
    weights = rename(network.variables, resolution=shape.resolution, fused_scale=fused_scale(network.options))
    return checked_arrays(settings, weights, network.name, path), shape


def checked_arrays(settings: NetworkSettings, weights: Mapping[str, np.ndarray], name: str, path: Path) -> NetworkArrays:
    """The weights of a network as float32.

    Raises:
        UserError: they are not real numbers, or far more than the file can contain (all of them could be one array).
    """
    if 4 * sum(array.size for array in weights.values()) > 2 * path.stat().st_size + (1 << 20):
        raise UserError(f"{name[:40]} has more weights than the file can contain.")
    if any(array.dtype.kind not in "fiub" for array in weights.values()):
        raise UserError(f"the weights of {name[:40]} must be real numbers.")
    return NetworkArrays(settings, {key: np.array(array, np.float32, order="C") for key, array in weights.items()})


def _level_of_detail(network: unpickler.OfficialNetwork, resolution: int) -> float:
    lod = network.variables.get("lod", network.variables.get("synthesis/lod", np.zeros(())))
    if lod.size != 1:
        raise UserError(f"its lod must be one number. Received: {lod.size}")
    return check_lod(float(lod.reshape(())), resolution)


def translate(static_kwargs: dict[str, Any], *, is_generator: bool) -> tuple[Any, NetworkShape]:
    """Settings and shape of our generator or discriminator from the `static_kwargs` of a G_style or D_basic.

    Raises:
        UserError: an unknown option, or a value that is not possible.
    """
    table, kind = (_GENERATOR, GeneratorSettings) if is_generator else (_DISCRIMINATOR, DiscriminatorSettings)
    unknown = [key for key in static_kwargs if key not in table and key not in _IGNORED]
    if unknown:
        raise UserError(f"The networks in the pickle have an unknown option: {str(unknown[0])[:80]!r}.")
    values = {ours: _plain(static_kwargs.get(theirs, default), ours) for theirs, (ours, default) in table.items()}
    settings, shape = settings_text.from_flat(kind, values)
    # The pickle's fused_scale only says how its kernels are stored; our layers choose the faster form themselves.
    return dataclasses.replace(settings, fused_scale="auto"), settings_text.from_plain(NetworkShape, shape)


def fused_scale(static_kwargs: dict[str, Any]) -> bool | str:
    """The pickle's own `fused_scale`, which says which of its upscaling kernels are rotated."""
    return _plain(static_kwargs.get("fused_scale", "auto"), "fused_scale")


def _plain(value: Any, ours: str) -> Any:
    """Numbers of NumPy as Python's, 0 and 1 as flags, an empty filter as none."""
    value = value.item() if isinstance(value, np.generic) else value
    if (ours in _FLAGS or ours == "fused_scale") and type(value) is int and value in (0, 1):
        return bool(value)
    if ours == "blur_filter" and (value is None or (isinstance(value, list | tuple) and not value)):
        return None
    return value


def generator_weights(variables: Mapping[str, np.ndarray], *, resolution: int, fused_scale: bool | str) -> dict[str, np.ndarray]:
    """Our weights, by name and in our layouts (views where that is possible), of a G_style.

    Args:
        variables: arrays of the original, NCHW, named as in `OfficialNetwork.variables`.
        resolution: of the network.
        fused_scale: the pickle's own, which says which upscaling kernels are rotated (those of D never are).

    Raises:
        UserError: a variable that no such network has.
    """
    weights = {}
    for name, array in variables.items():
        if name in ("lod", "synthesis/lod"):
            continue
        if name == "dlatent_avg":
            weights["w_avg"] = array
        elif name == "mapping/LabelConcat/weight":
            weights["mapping/label_embedding"] = array
        elif match := re.fullmatch(r"mapping/Dense(\d{1,2})/(weight|bias)", name):
            weights[f"mapping/dense{match[1]}/{_PARTS[match[2]]}"] = array
        elif match := re.fullmatch(r"synthesis/(noise\d{1,2})", name):
            weights[f"synthesis/{match[1]}"] = (
                array[0, 0] if array.ndim == 4 and array.shape[:2] == (1, 1) else array
            )  # [1, 1, R, R] -> [R, R]
        else:
            prefix, _, rest = name.partition("/")
            ours = _block_name(rest, _LAYERS, resolution, "to_rgb") if prefix == "synthesis" else None
            if ours is None:
                raise UserError(f"The generator in the pickle has an unknown variable: {name[:100]!r}.")
            weights[f"synthesis/{ours}"] = _to_our_layout(ours, array, fused_scale)
    return weights


def discriminator_weights(variables: Mapping[str, np.ndarray], *, resolution: int, fused_scale: bool | str) -> dict[str, np.ndarray]:
    """Our weights, by name and in our layouts, of a D_basic, as `generator_weights`."""
    weights = {}
    for name, array in variables.items():
        if name == "lod":
            continue
        ours = _block_name(name, _LAYERS_OF_D, resolution, "from_rgb")
        if ours is None:
            raise UserError(f"The discriminator in the pickle has an unknown variable: {name[:100]!r}.")
        if ours == "4x4/dense0/kernel":
            array = from_chw(array, axis=0)
        weights[ours] = array
    return weights


def _block_name(name: str, layers: Mapping[str, str], resolution: int, rgb: str) -> str | None:
    """Our name of a variable that belongs to one resolution, None for any other."""
    if match := _RGB.fullmatch(name):
        side = resolution >> int(match[2])
        return f"{side}x{side}/{rgb}/{_PARTS[match[3]]}"
    match = _BLOCK.fullmatch(name)
    if match is None or match[2] not in layers:
        return None
    return f"{match[1]}/{layers[match[2]]}/{_PARTS[match[3]]}"


def _to_our_layout(name: str, array: np.ndarray, fused_scale: bool | str) -> np.ndarray:
    if name == "4x4/const/const" and array.ndim == 4:
        return array[0].transpose(1, 2, 0)  # [1, C, 4, 4] -> [4, 4, C]
    if name == "4x4/dense/kernel":
        return from_chw(array, axis=1)
    side = int(name.partition("x")[0])
    is_rotated = side >= FUSED_FROM_RESOLUTION if fused_scale == "auto" else bool(fused_scale)
    if name.endswith("/conv0_up/kernel") and array.ndim == 4 and is_rotated:
        # A transposed convolution does not flip its kernel: those of the fused layers are stored rotated by 180 degrees.
        return array[::-1, ::-1]
    return array


def from_chw(array: np.ndarray, axis: int) -> np.ndarray:
    """Reorders one axis of a matrix from flattened [C, 4, 4] to flattened [4, 4, C]."""
    if array.ndim != 2 or array.shape[axis] % 16:
        return array  # the check of shapes names it
    order = np.arange(array.shape[axis]).reshape(-1, 4, 4).transpose(1, 2, 0).ravel()
    return array.take(order, axis=axis)
