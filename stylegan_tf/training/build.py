"""What a run is built of, made from its settings: networks, trainer, and the identity of its data."""

import dataclasses
from typing import Any

from stylegan_tf import networks, snapshot
from stylegan_tf.networks import named_weights
from stylegan_tf.settings import TrainingSettings
from stylegan_tf.training.devices import Devices
from stylegan_tf.training.steps import Trainer
from stylegan_tf.training.transfer import frozen_names


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


def make_trainer(settings: TrainingSettings, networks: tuple, dataset: Any, devices: Devices) -> Trainer:
    """The trainer of a run."""
    return Trainer(
        *networks,
        strategy=devices.strategy,
        loss=settings.loss,
        optimizer=settings.optimizer,
        seed=settings.run.seed,
        label_pool=dataset.labels if settings.data.conditional else None,
        frozen=frozen_names(named_weights(networks[1]), settings.transfer.frozen_layers),
        use_loss_scaling=devices.policy == "mixed_float16",
        use_xla=settings.run.use_xla,
    )


def identity_of(dataset: Any, settings: TrainingSettings) -> dict[str, Any]:
    """What a snapshot says about the data it was trained on."""
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "label_size": dataset.label_size if settings.data.conditional else 0,
        "class_names": list(dataset.class_names or []),
        "num_images": dataset.num_images,
        "mirror": settings.data.mirror,
        "path": str(dataset.path),
    }
