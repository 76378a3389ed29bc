"""Options of the original's networks as arguments of ours, each value checked."""

from collections.abc import Callable
from typing import Any

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.resolution import check_resolution

MAX_WIDTH = 1 << 16


def _width(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_WIDTH


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_WIDTH


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e9


def _number_or_none(value: Any) -> bool:
    return value is None or _number(value)


def _flag(value: Any) -> bool:
    return type(value) is bool or value in (0, 1)


def _nonlinearity(value: Any) -> bool:
    return value in ("lrelu", "relu")


def _filter(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and len(value) <= 16 and all(_number(tap) for tap in value))


def _fused(value: Any) -> bool:
    return value in (True, False, "auto")


def _resolution(value: Any) -> bool:
    return type(value) is int and check_resolution(value) == value


# Original name -> (our name, default of the original, what a value must be).
_SHARED = {
    "num_channels": ("channels", 3, _width),
    "resolution": ("resolution", 1024, _resolution),
    "label_size": ("label_size", 0, _count),
    "fmap_base": ("fmap_base", 8192, _width),
    "fmap_decay": ("fmap_decay", 1.0, _number),
    "fmap_max": ("fmap_max", 512, _width),
    "nonlinearity": ("nonlinearity", "lrelu", _nonlinearity),
    "use_wscale": ("use_wscale", True, _flag),
    "blur_filter": ("blur_filter", (1, 2, 1), _filter),
    "fused_scale": ("fused_scale", "auto", _fused),
}
_GENERATOR = _SHARED | {
    "latent_size": ("z_dim", 512, _width),
    "dlatent_size": ("w_dim", 512, _width),
    "mapping_layers": ("mapping_layers", 8, lambda value: _count(value) and value <= 64),
    "mapping_fmaps": ("mapping_fmaps", 512, _width),
    "mapping_lrmul": ("mapping_lrmul", 0.01, _number),
    "mapping_nonlinearity": ("mapping_nonlinearity", "lrelu", _nonlinearity),
    "normalize_latents": ("normalize_latents", True, _flag),
    "use_styles": ("use_styles", True, _flag),
    "const_input_layer": ("const_input", True, _flag),
    "use_noise": ("use_noise", True, _flag),
    "use_pixel_norm": ("use_pixel_norm", False, _flag),
    "use_instance_norm": ("use_instance_norm", True, _flag),
    "dlatent_avg_beta": ("w_avg_beta", 0.995, _number_or_none),
    "style_mixing_prob": ("style_mixing_prob", 0.9, _number_or_none),
    "truncation_psi": ("truncation_psi", 0.7, _number_or_none),
    "truncation_cutoff": ("truncation_cutoff", 8, _number_or_none),
}
# The defaults of the original's discriminator are those of its smallest test.
_DISCRIMINATOR = _SHARED | {
    "num_channels": ("channels", 1, _width),
    "resolution": ("resolution", 32, _resolution),
    "mbstd_group_size": ("mbstd_group_size", 4, _count),
    "mbstd_num_features": ("mbstd_num_features", 1, _width),
}
# What has no bearing on the numbers that a network computes, or is chosen at each call here.
_IGNORED = frozenset(
    ["dtype", "structure", "randomize_noise", "dlatent_broadcast", "is_training", "is_validation", "is_template_graph",
     "force_clean_graph", "return_dlatents", "truncation_psi_val", "truncation_cutoff_val", "func_name"]
)  # fmt: skip
_FLAGS = frozenset(ours for ours, _, check in _GENERATOR.values() if check is _flag)


def generator_options(static_kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `networks.Generator` from the `static_kwargs` of a G_style.

    `fused_scale` is the pickle's own; it says which kernels have to be rotated.

    Raises:
        UserError: an unknown option, or a value that is none.
    """
    return _translate(static_kwargs, _GENERATOR)


def discriminator_options(static_kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `networks.Discriminator` from the `static_kwargs` of a D_basic, as `generator_options`."""
    return _translate(static_kwargs, _DISCRIMINATOR)


def _translate(static_kwargs: dict[str, Any], table: dict[str, tuple[str, Any, Callable]]) -> dict[str, Any]:
    unknown = [key for key in static_kwargs if key not in table and key not in _IGNORED]
    if unknown:
        raise UserError(f"The pickle's networks have an option that StyleGAN does not know: {str(unknown[0])[:80]!r}.")
    options = {}
    for theirs, (ours, default, is_valid) in table.items():
        value = static_kwargs.get(theirs, default)
        value = value.item() if isinstance(value, np.generic) else value
        if not is_valid(value):
            raise UserError(f"The pickle's networks have an impossible option: {theirs} = {str(value)[:80]}.")
        options[ours] = bool(value) if ours in _FLAGS else value
    options["blur_filter"] = tuple(options["blur_filter"]) if options["blur_filter"] else None
    return options
