"""Checks of what networks are called with: images, latents and labels of the expected shape and type."""

import numpy as np
import tensorflow as tf

Array = tf.Tensor | np.ndarray


def check_images(images: Array, side: int, channels: int) -> None:
    """Raises ValueError unless images are float [N, side, side, channels]."""
    if tuple(images.shape[1:]) != (side, side, channels):
        raise ValueError(f"Expected images [N, {side}, {side}, {channels}]. Received: {list(images.shape)}")
    if not tf.as_dtype(images.dtype).is_floating:
        raise ValueError(
            f"Expected float images, where -1 is black and 1 is white. Received: {tf.as_dtype(images.dtype).name}. "
            "stylegan_tf.to_float converts uint8 images."
        )


def check_latents(latents: Array, shape: tuple[int, ...], name: str = "z") -> None:
    """Raises ValueError unless latents are [N, *shape]; dimensions that are not known yet are not checked."""
    if not _fits(latents, shape):
        raise ValueError(f"Expected {name} [N, {', '.join(map(str, shape))}]. Received: {list(latents.shape)}")


def check_labels(labels: Array | None, label_size: int) -> None:
    """Raises ValueError unless a conditional network gets labels [N, label_size]; others ignore their labels."""
    if not label_size:
        return
    if labels is None:
        raise ValueError(f"This network is conditional: labels [N, {label_size}] are needed. Received: labels=None")
    if not _fits(labels, (label_size,)):
        raise ValueError(f"Expected labels [N, {label_size}], such as one row of numbers for each image. Received: {list(labels.shape)}")


def _fits(array: Array, shape: tuple[int, ...]) -> bool:
    found = tf.TensorShape(np.shape(array) if isinstance(array, list | tuple) else array.shape)
    return found.is_compatible_with([None, *shape])
