"""Variables of official networks as weights of ours: names, layouts and rotated kernels."""

import re
from collections.abc import Mapping

import numpy as np

from stylegan_tf.errors import UserError

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
            weights[f"synthesis/{match[1]}"] = _without_ones(array)
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
    if name.endswith("/conv0_up/kernel") and array.ndim == 4 and _is_rotated(int(name.partition("x")[0]), fused_scale):
        # A transposed convolution does not flip its kernel: those of the fused layers are stored rotated by 180 degrees.
        return array[::-1, ::-1]
    return array


def _is_rotated(side: int, fused_scale: bool | str) -> bool:
    return side >= FUSED_FROM_RESOLUTION if fused_scale == "auto" else bool(fused_scale)


def from_chw(array: np.ndarray, axis: int) -> np.ndarray:
    """Reorders one axis of a matrix from flattened [C, 4, 4] to flattened [4, 4, C]."""
    if array.ndim != 2 or array.shape[axis] % 16:
        return array  # the check of shapes names it
    order = np.arange(array.shape[axis]).reshape(-1, 4, 4).transpose(1, 2, 0).ravel()
    return array.take(order, axis=axis)


def _without_ones(array: np.ndarray) -> np.ndarray:
    """[1, 1, R, R] -> [R, R]."""
    return array[0, 0] if array.ndim == 4 and array.shape[:2] == (1, 1) else array
