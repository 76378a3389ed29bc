"""What becomes of StyleGAN2's weights in a network of other widths, classes or colours, and which of D's layers can be frozen."""

from collections.abc import Iterable

import numpy as np

from stylegan_tf.models.stylegan import transfer


def frozen(weight_names: Iterable[str], num_layers: int) -> list[str]:
    """Names of D's weights that are not trained where its first `num_layers` convolutions are frozen, FromRGB with them.

    The 1x1 convolution around a block is frozen with the second of the two that it goes around.

    Source: Mo et al. 2020 (Freeze-D).
    """
    names = [name for name in weight_names if not name.startswith("mapping/")]
    chosen = transfer.frozen([name for name in names if "/skip/" not in name], num_layers)
    blocks = {name.split("/")[0] for name in chosen if "/conv1_down/" in name}
    return [name for name in names if name in chosen or ("/skip/" in name and name.split("/")[0] in blocks)]


def resized(name: str, source: np.ndarray, fresh: np.ndarray) -> tuple[np.ndarray, int]:
    """`fresh` with the part of `source` that fits, and how many values that is; as `stylegan.transfer.resized`."""
    if name.startswith("4x4/dense1/") and source.shape[-1] != fresh.shape[-1]:
        return fresh, 0  # one logit, or features that the embedding of a label is multiplied by: neither becomes the other
    is_demodulated = name.startswith("synthesis/") and "/style/" not in name and "/to_rgb/" not in name
    return transfer.resized(name, source, fresh, keeps_scale=not is_demodulated, style_rows=1)
