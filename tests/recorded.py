"""Reads what the original program recorded: where the arrays lie, its names and its layouts turned into ours."""

import functools
import re
from pathlib import Path

import numpy as np
import pytest

COPIES = Path(__file__).parent / "golden"
SHARED = Path(__file__).parents[2] / "shared"

# Networks as recorded: the arguments of ours that build the same.
NET32 = {"resolution": 32, "fmap_base": 512, "fmap_max": 64}
NET256 = {"resolution": 256, "fmap_base": 512, "fmap_max": 16}
WIDTHS32 = {"z_dim": 64, "w_dim": 64, "mapping_fmaps": 64}
WIDTHS256 = {"z_dim": 32, "w_dim": 32, "mapping_fmaps": 32}

# The original fuses upscaling and convolution from this output resolution on, and applies those kernels rotated.
ROTATED_FROM_RESOLUTION = 128


def golden_path(name: str) -> Path:
    """The recorded file, from tests/golden or ../shared/golden; skips the test where it is in neither."""
    for folder in (COPIES, SHARED / "golden"):
        if (folder / name).exists():
            return folder / name
    pytest.skip(f"needs {name} of ../shared/golden")


@functools.cache
def arrays(name: str) -> dict[str, np.ndarray]:
    """All arrays of `name`.npz."""
    with np.load(golden_path(f"{name}.npz"), allow_pickle=False) as recorded:
        return dict(recorded)


def nhwc(x: np.ndarray) -> np.ndarray:
    """[N, C, H, W] to [N, H, W, C]; anything of fewer axes as it is."""
    return np.transpose(x, [0, 2, 3, 1]) if x.ndim == 4 else x


def shrink(x: np.ndarray, factor: int) -> np.ndarray:
    """Means of factor x factor pixels of [N, H, W, C]: full-size recordings at the size that our networks work at."""
    n, height, width, channels = x.shape
    return x.reshape(n, height // factor, factor, width // factor, factor, channels).mean(axis=(2, 4))


def repeat(x: np.ndarray, factor: int) -> np.ndarray:
    """Every pixel of [N, H, W, C] repeated, as the original pads small images to full size."""
    return x.repeat(factor, axis=1).repeat(factor, axis=2)


def our_name(theirs: str, resolution: int) -> str | None:
    """Our name of a variable `G/...`, `Gs/...` or `D/...` of the original, None for those that we do not keep (lod)."""
    name = theirs.split("/", 1)[1]
    if name.split("/")[-1] == "lod":
        return None
    name = {"dlatent_avg": "w_avg"}.get(name, name)
    name = re.sub(r"(To|From)RGB_lod(\d+)", lambda m: f"{resolution >> int(m[2])}x{resolution >> int(m[2])}/{m[1].lower()}_rgb", name)
    for old, new in [
        ("G_mapping/", "mapping/"), ("G_synthesis/", "synthesis/"), ("StyleMod/weight", "style/kernel"), ("StyleMod", "style"),
        ("Noise/weight", "noise_strength"), ("/weight", "/kernel"), ("LabelConcat/kernel", "label_embedding"),
        ("Const", "const"), ("Conv", "conv"), ("Dense", "dense"),
    ]:  # fmt: skip
        name = name.replace(old, new)
    return name


def our_array(name: str, theirs: np.ndarray) -> np.ndarray:
    """A variable of the original (or its gradient) in our layout. `name` is ours."""
    if name.startswith("synthesis/noise"):  # [1, 1, R, R]
        return theirs[0, 0]
    if name == "synthesis/4x4/const/const":  # [1, C, 4, 4]
        return np.transpose(theirs[0], [1, 2, 0])
    if name == "4x4/dense0/kernel":  # [C * 4 * 4, out], ours [4 * 4 * C, out]
        return theirs.reshape(-1, 4, 4, theirs.shape[1]).transpose(1, 2, 0, 3).reshape(theirs.shape)
    match = re.fullmatch(r"synthesis/(\d+)x\d+/conv0_up/kernel", name)
    if match and int(match[1]) >= ROTATED_FROM_RESOLUTION:
        return theirs[::-1, ::-1]
    return theirs


def our_weights(recorded: dict[str, np.ndarray], network: str, resolution: int) -> dict[str, np.ndarray]:
    """Variables `network`/... of the original by our names, in our layouts."""
    weights = {}
    for theirs, value in recorded.items():
        if theirs.startswith(network + "/") and (name := our_name(theirs, resolution)):
            weights[name] = our_array(name, value)
    return weights
