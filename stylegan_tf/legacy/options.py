"""Options of the original's networks as arguments of ours, each value checked."""

from typing import Any

import numpy as np

from stylegan_tf.errors import UserError
from stylegan_tf.network_options import DISCRIMINATOR_OPTIONS, GENERATOR_OPTIONS, check_options

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
# What has no bearing on the numbers that a network computes, or is chosen at each call here.
_IGNORED = frozenset(
    ["dtype", "structure", "randomize_noise", "dlatent_broadcast", "is_training", "is_validation", "is_template_graph",
     "force_clean_graph", "return_dlatents", "truncation_psi_val", "truncation_cutoff_val", "func_name"]
)  # fmt: skip
_FLAGS = frozenset(ours for ours, default in _GENERATOR.values() if type(default) is bool)


def generator_options(static_kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `networks.Generator` from the `static_kwargs` of a G_style.

    `fused_scale` is the pickle's own; it says which kernels have to be rotated.

    Raises:
        UserError: an unknown option, or a value that is none.
    """
    return _translate(static_kwargs, _GENERATOR, GENERATOR_OPTIONS)


def discriminator_options(static_kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `networks.Discriminator` from the `static_kwargs` of a D_basic, as `generator_options`."""
    return _translate(static_kwargs, _DISCRIMINATOR, DISCRIMINATOR_OPTIONS)


def _translate(static_kwargs: dict[str, Any], table: dict[str, tuple[str, Any]], known: dict) -> dict[str, Any]:
    unknown = [key for key in static_kwargs if key not in table and key not in _IGNORED]
    if unknown:
        raise UserError(f"The pickle's networks have an option that StyleGAN does not know: {str(unknown[0])[:80]!r}.")
    options = {ours: _plain(static_kwargs.get(theirs, default), ours) for theirs, (ours, default) in table.items()}
    check_options(options, known, "The pickle's network")
    return options


def _plain(value: Any, ours: str) -> Any:
    """Numbers of NumPy as Python's, lists as tuples, 0 and 1 as flags."""
    value = value.item() if isinstance(value, np.generic) else value
    if (ours in _FLAGS or ours == "fused_scale") and type(value) is int and value in (0, 1):
        return bool(value)
    if ours == "blur_filter":
        return tuple(value) if isinstance(value, list | tuple) and value else None if not isinstance(value, str) else value
    return value
