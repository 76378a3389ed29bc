"""Images of seeds from a generator in memory, the same as `generate.py images` writes: `Networks.draw`."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from stylegan_tf.errors import UserError
from stylegan_tf.images import to_uint8
from stylegan_tf.models.base import Generator, StyleGenerator
from stylegan_tf.seeds import check_seeds, classes_from_seeds, find_class, labels_from_seeds, latents_from_seeds, one_hot
from stylegan_tf.sheets import Pictures

BATCH_SIZE = 8

Label = str | int | Sequence[float]


def draw(
    G: Generator,
    seeds: int | Sequence[int],
    *,
    psi: float | None = None,
    label: Label | None = None,
    lod: float = 0.0,
    class_names: Sequence[str] = (),
    label_examples: np.ndarray | None = None,
) -> Pictures:
    """See `Networks.draw`; `class_names` and `label_examples` are those of the data."""
    seeds = check_seeds([seeds] if isinstance(seeds, int | np.integer) else seeds)
    if psi is not None and not isinstance(G, StyleGenerator):
        raise UserError(f"psi needs a model with styles; {type(G).__name__} has none.")
    labels = labels_of(seeds, G.label_size, label, class_names, label_examples)
    z = latents_from_seeds(seeds, G.z_dim)
    images = []
    for start in range(0, len(seeds), BATCH_SIZE):
        rows = slice(start, start + BATCH_SIZE)
        images.append(to_uint8(_images(G, z[rows], None if labels is None else labels[rows], psi, lod).numpy()))
    return np.concatenate(images).view(Pictures)


def labels_of(
    seeds: Sequence[int], label_size: int, label: Label | None, class_names: Sequence[str], label_examples: np.ndarray | None
) -> np.ndarray | None:
    """Labels float32 [N, label_size] of seeds, all of them `label` where one is given; None for an unconditional network."""
    if not label_size and label is None:
        return None
    if isinstance(label, str | int | np.integer):
        if label_examples is not None:
            raise UserError(f"The labels of this network are not classes: give {label_size} numbers. Received: label={label!r}")
        return one_hot([find_class(str(label), label_size, class_names)] * len(seeds), label_size)
    if label is not None:
        numbers = np.asarray(label, np.float32)
        if numbers.shape != (label_size,):
            raise UserError(f"A label of this network has {label_size} numbers. Received: {list(numbers.shape)}")
        return np.repeat(numbers[None], len(seeds), axis=0)
    if label_examples is not None:
        return labels_from_seeds(seeds, label_examples)
    return one_hot(classes_from_seeds(seeds, label_size), label_size)


def _images(G: Generator, z: np.ndarray, labels: np.ndarray | None, psi: float | None, lod: float) -> tf.Tensor:
    if not isinstance(G, StyleGenerator):
        return G.preview(z, labels, lod=lod)
    ws = G.mapping(z, labels)
    if psi is None:
        ws = G.truncate(ws)
    else:
        cutoff = G.settings.truncation_cutoff
        ws = G.truncate(ws, psi, G.num_ws if cutoff is None else cutoff)
    return G.synthesis(ws, noise_mode="const", lod=lod)
