"""The networks of a run, built from its settings under its strategy."""

import dataclasses
from typing import Any

from stylegan_tf import networks, snapshot
from stylegan_tf.settings import TrainingSettings


def build_networks(settings: TrainingSettings, *, resolution: int, channels: int, label_size: int, policy: str, strategy: Any):
    """Builds G, D and G_ema; G_ema starts as a copy of G.

    Args:
        settings: the run's settings; `label_size` counts only where `data.conditional` is on.
        resolution, channels: of the images.
        label_size: width of the dataset's labels.
        policy: Keras dtype policy, such as "float32" or "mixed_bfloat16".
        strategy: tf.distribute strategy whose scope the weights are created in.

    Returns:
        (G, D, G_ema).
    """
    shape = {"resolution": resolution, "channels": channels, "label_size": label_size if settings.data.conditional else 0}
    with strategy.scope():
        G = networks.Generator(**shape, **dataclasses.asdict(settings.G), dtype=policy, name="G")
        D = networks.Discriminator(**shape, **dataclasses.asdict(settings.D), dtype=policy, name="D")
        G_ema = networks.Generator(**shape, **dataclasses.asdict(settings.G), dtype=policy, name="G_ema")
    networks.assign_weights(G_ema, snapshot.weight_arrays(G))
    return G, D, G_ema
