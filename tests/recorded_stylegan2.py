"""Names and layouts of stylegan2-ada-pytorch turned into ours, for the arrays recorded from it."""

import re

import numpy as np

# Layers whose kernel that program applies turned by 180 degrees.
TURNED = re.compile(r"synthesis/\d+x\d+/conv0_up/kernel")


def our_name(theirs: str) -> str | None:
    """Our name of a parameter or buffer of G or D, None for those that we do not keep (filters)."""
    if theirs.endswith("resample_filter"):
        return None
    if theirs == "mapping.w_avg":
        return "w_avg"
    if match := re.fullmatch(r"synthesis\.b(\d+)\.conv([01])\.noise_const", theirs):
        return f"synthesis/noise{2 * int(match[1]).bit_length() - 7 + int(match[2])}"
    name = re.sub(r"\bb(\d+)\.", r"\1x\1/", theirs)
    is_of_G = name.startswith("synthesis.")
    if is_of_G:
        name = name.replace("4x4/conv1.", "4x4/conv.") if "/4x4/" in name or ".4x4/" in name else name.replace("conv0.", "conv0_up.")
    else:
        name = name.replace("conv1.", "conv1_down.")
    for old, new in [("4x4/fc.", "4x4/dense0."), ("4x4/out.", "4x4/dense1."), ("mapping.fc", "mapping.dense"), ("torgb", "to_rgb"),
                     ("fromrgb", "from_rgb"), ("affine", "style"), ("weight", "kernel"), (".", "/")]:  # fmt: skip
        name = name.replace(old, new)
    return name


def our_array(name: str, theirs: np.ndarray) -> np.ndarray:
    """A parameter (or its gradient) in our layout; `name` is ours."""
    if name == "4x4/dense0/kernel":  # [out, C * 4 * 4], ours [4 * 4 * C, out]
        return theirs.reshape(theirs.shape[0], -1, 4, 4).transpose(2, 3, 1, 0).reshape(theirs.shape[::-1])
    if theirs.ndim == 4:  # [out, in, k, k]
        kernel = theirs.transpose(2, 3, 1, 0)
        return kernel[::-1, ::-1] if TURNED.fullmatch(name) else kernel
    if theirs.ndim == 3:  # [C, 4, 4]
        return theirs.transpose(1, 2, 0)
    return theirs.T if theirs.ndim == 2 and not name.startswith("synthesis/noise") else theirs


def our_weights(recorded: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """Arrays `prefix`... of the recording by our names, in our layouts."""
    named = {our_name(key.removeprefix(prefix)): array for key, array in recorded.items() if key.startswith(prefix)}
    return {name: our_array(name, array) for name, array in named.items() if name}
