"""Options of official networks as settings of ours, each value checked."""

import dataclasses
from typing import Any

import numpy as np

from stylegan_tf import settings_text
from stylegan_tf.errors import UserError
from stylegan_tf.models.stylegan.settings import DiscriminatorSettings, GeneratorSettings
from stylegan_tf.snapshot_file import NetworkShape

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


def translate_generator(static_kwargs: dict[str, Any]) -> tuple[GeneratorSettings, NetworkShape]:
    """Settings and shape of our generator from the `static_kwargs` of a G_style.

    Raises:
        UserError: an unknown option, or a value that is not possible.
    """
    return _translate(static_kwargs, _GENERATOR, GeneratorSettings)


def translate_discriminator(static_kwargs: dict[str, Any]) -> tuple[DiscriminatorSettings, NetworkShape]:
    """Settings and shape of our discriminator from the `static_kwargs` of a D_basic, as `translate_generator`."""
    return _translate(static_kwargs, _DISCRIMINATOR, DiscriminatorSettings)


def fused_scale(static_kwargs: dict[str, Any]) -> bool | str:
    """The pickle's own `fused_scale`, which says which of its upscaling kernels are rotated."""
    return _plain(static_kwargs.get("fused_scale", "auto"), "fused_scale")


def _translate(static_kwargs: dict[str, Any], table: dict[str, tuple[str, Any]], kind: type) -> tuple[Any, NetworkShape]:
    unknown = [key for key in static_kwargs if key not in table and key not in _IGNORED]
    if unknown:
        raise UserError(f"The networks in the pickle have an unknown option: {str(unknown[0])[:80]!r}.")
    values = {ours: _plain(static_kwargs.get(theirs, default), ours) for theirs, (ours, default) in table.items()}
    settings, shape = settings_text.from_flat(kind, values)
    # The pickle's fused_scale only says how its kernels are stored; our layers choose the faster form themselves.
    return dataclasses.replace(settings, fused_scale="auto"), settings_text.from_plain(NetworkShape, shape)


def _plain(value: Any, ours: str) -> Any:
    """Numbers of NumPy as Python's, 0 and 1 as flags, an empty filter as none."""
    value = value.item() if isinstance(value, np.generic) else value
    if (ours in _FLAGS or ours == "fused_scale") and type(value) is int and value in (0, 1):
        return bool(value)
    if ours == "blur_filter" and (value is None or (isinstance(value, list | tuple) and not value)):
        return None
    return value
