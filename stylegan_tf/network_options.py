"""What each option of a network may be: files from elsewhere are held to it before a network is built."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from stylegan_tf import network_shapes
from stylegan_tf.errors import UserError
from stylegan_tf.resolution import MAX_RESOLUTION, MIN_RESOLUTION, is_power_of_two

MAX_WIDTH = 1 << 24  # no claim of size: the weights in the file decide (network_shapes.check_shapes)
MAX_MAPPING_LAYERS = 64


def _is_width(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_WIDTH


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_WIDTH


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e9


def _is_number_or_none(value: Any) -> bool:
    return value is None or _is_number(value)


def _is_flag(value: Any) -> bool:
    return type(value) is bool


def _is_nonlinearity(value: Any) -> bool:
    return type(value) is str and value in ("lrelu", "relu")


def _is_filter(value: Any) -> bool:
    return value is None or (type(value) is tuple and 0 < len(value) <= 16 and all(_is_number(tap) for tap in value))


def _is_fused(value: Any) -> bool:
    return type(value) is bool or (type(value) is str and value == "auto")


def _is_resolution(value: Any) -> bool:
    return type(value) is int and MIN_RESOLUTION <= value <= MAX_RESOLUTION and is_power_of_two(value)


def _is_decay(value: Any) -> bool:
    return _is_number(value) and abs(value) <= 16


_SHARED: dict[str, Callable[[Any], bool]] = {
    "resolution": _is_resolution,
    "channels": lambda value: type(value) is int and value in (1, 3, 4),
    "label_size": _is_count,
    "fmap_base": _is_width,
    "fmap_decay": _is_decay,
    "fmap_max": _is_width,
    "nonlinearity": _is_nonlinearity,
    "use_wscale": _is_flag,
    "blur_filter": _is_filter,
    "fused_scale": _is_fused,
}
GENERATOR_OPTIONS = _SHARED | {
    "z_dim": _is_width,
    "w_dim": _is_width,
    "mapping_layers": lambda value: _is_count(value) and value <= MAX_MAPPING_LAYERS,
    "mapping_fmaps": _is_width,
    "mapping_lrmul": _is_number,
    "mapping_nonlinearity": _is_nonlinearity,
    "normalize_latents": _is_flag,
    "use_styles": _is_flag,
    "const_input": _is_flag,
    "use_noise": _is_flag,
    "use_pixel_norm": _is_flag,
    "use_instance_norm": _is_flag,
    "w_avg_beta": _is_number_or_none,
    "style_mixing_prob": _is_number_or_none,
    "truncation_psi": _is_number_or_none,
    "truncation_cutoff": lambda value: value is None or _is_count(value),
}
DISCRIMINATOR_OPTIONS = _SHARED | {"mbstd_group_size": _is_count, "mbstd_num_features": _is_width}


def check_generator(options: Mapping[str, Any], weights: Mapping[str, Any], what: str = "G") -> None:
    """Refuses options and weights that do not make a generator together.

    Args:
        options: arguments of `networks.Generator`, all of them.
        weights: arrays by name.
        what: what the network is called in a message.

    Raises:
        UserError: an option that is not known, missing or impossible; weights that are missing, not known, of another
            shape or not numbers.
    """
    check_options(options, GENERATOR_OPTIONS, what)
    if options["mapping_layers"] == 0 and (options["z_dim"] != options["w_dim"] or options["label_size"]):
        raise UserError(f"{what} has no mapping layers, so z_dim must be w_dim and label_size 0.")
    network_shapes.check_shapes(weights, network_shapes.generator_shapes(options), what)


def check_discriminator(options: Mapping[str, Any], weights: Mapping[str, Any], what: str = "D") -> None:
    """Refuses options and weights that do not make a discriminator together; as `check_generator`."""
    check_options(options, DISCRIMINATOR_OPTIONS, what)
    network_shapes.check_shapes(weights, network_shapes.discriminator_shapes(options), what)


def check_options(options: Mapping[str, Any], known: Mapping[str, Callable[[Any], bool]], what: str) -> None:
    """Raises UserError unless `options` are exactly the known ones with possible values."""
    if not isinstance(options, Mapping):
        raise UserError(f"The options of {what} must be a dictionary. Received: {type(options).__name__}")
    odd = [name for name in options if name not in known] + [name for name in known if name not in options]
    if odd:
        raise UserError(f"The options of {what} must be {', '.join(known)}. Missing or not known: {str(odd[0])[:80]!r}")
    for name, is_possible in known.items():
        if not is_possible(options[name]):
            raise UserError(f"{what} has an impossible option: {name} = {str(options[name])[:80]}")


def check_lod(lod: Any, resolution: int) -> float:
    """The level of detail as a float where a network of this resolution can stand at it, UserError otherwise."""
    highest = resolution.bit_length() - 3
    value = float(lod) if type(lod) in (int, float) else math.nan
    if not 0 <= value <= highest:
        raise UserError(f"lod of a {resolution}x{resolution} network goes from {highest} to 0. Received: {str(lod)[:80]}")
    return value
