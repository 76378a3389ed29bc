"""Colour transforms: one affine map of colours for each image, as a matrix [n, 4, 4] on (red, green, blue, 1)."""

import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from stylegan_tf.augmentation.geometry import compose
from stylegan_tf.augmentation.sampling import Draws

NAMES = ("brightness", "contrast", "lumaflip", "hue", "saturation")
BRIGHTNESS_STD = 0.2  # of what is added; images lie in [-1, 1]
CONTRAST_STD = 0.5  # of the base-2 logarithm of the factor
SATURATION_STD = 1.0  # likewise
# The axis of grey, its projection, and the matrix of the cross product with it.
AXIS = np.ones(3) / np.sqrt(3)
LUMA = np.diag([0.0, 0.0, 0.0, 0.0])
LUMA[:3, :3] = np.outer(AXIS, AXIS)
CROSS = np.zeros([4, 4])
CROSS[:3, :3] = [[0, -AXIS[2], AXIS[1]], [AXIS[2], 0, -AXIS[0]], [-AXIS[1], AXIS[0], 0]]
COLOURS = np.diag([1.0, 1.0, 1.0, 0.0])
ONE = np.diag([0.0, 0.0, 0.0, 1.0])


def draw_matrices(draws: Draws, chances: Mapping[str, tf.Tensor | float], channels: int) -> tf.Tensor | None:
    """A matrix [n, 4, 4] an image, of those transforms that `chances` names; None where there are none. Grey images have no hue.

    Source: Karras et al. 2020, "Training generative adversarial networks with limited data", appendix B.
    """
    steps = {"brightness": _brightness, "contrast": _contrast, "lumaflip": _luma_flip, "hue": _hue, "saturation": _saturation}
    matrices = None
    for name, step in steps.items():
        if name in chances and (channels > 1 or name not in ("hue", "saturation")):
            matrix = step(draws, chances[name])
            matrices = matrix if matrices is None else compose(matrix, matrices)  # each acts after those before it
    return matrices


def applied(images: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
    """Maps the colours of images [n, R, R, 1, 3 or 4] by a matrix each; alpha is unchanged."""
    _, height, width, channels = images.shape
    if channels == 1:
        mean = tf.reduce_mean(matrices[:, :3], axis=1)  # [n, 4]: the mean of the rows of red, green and blue
        return images * tf.reduce_sum(mean[:, :3], axis=1)[:, None, None, None] + mean[:, 3, None, None, None]
    colours = tf.reshape(images[..., :3], [-1, height * width, 3])
    colours = tf.matmul(colours, matrices[:, :3, :3], transpose_b=True) + matrices[:, None, :3, 3]
    colours = tf.reshape(colours, [-1, height, width, 3])
    return colours if channels == 3 else tf.concat([colours, images[..., 3:]], axis=-1)


def _sum(*terms):
    """Sum of factor [n] times matrix [4, 4]."""
    return tf.add_n([factor[:, None, None] * tf.constant(matrix, tf.float32) for factor, matrix in terms])


def _brightness(draws, chance):
    (happens, (value,)) = draws.happens(chance), draws.normal(1)
    shift = np.zeros([4, 4])
    shift[:3, 3] = 1.0
    added = tf.where(happens, value * BRIGHTNESS_STD, 0.0)
    return _sum((tf.ones_like(added), np.eye(4)), (added, shift))


def _contrast(draws, chance):
    (happens, (value,)) = draws.happens(chance), draws.normal(1)
    factor = tf.where(happens, tf.pow(2.0, value * CONTRAST_STD), 1.0)
    return _sum((factor, COLOURS), (tf.ones_like(factor), ONE))


def _luma_flip(draws, chance):
    """Mirrors the colours at the plane through black that is perpendicular to the axis of grey."""
    (happens, (which,)) = draws.happens(chance), draws.uniform(1)
    flipped = tf.where(happens, tf.floor(which * 2.0), 0.0)  # half of the images that the chance selects
    return _sum((tf.ones_like(flipped), np.eye(4)), (-2.0 * flipped, LUMA))


def _hue(draws, chance):
    """Turns the colours about the axis of grey."""
    (happens, (share,)) = draws.happens(chance), draws.uniform(1)
    angle = tf.where(happens, (share * 2.0 - 1.0) * math.pi, 0.0)
    return _sum((tf.cos(angle), COLOURS), (tf.sin(angle), CROSS), (1.0 - tf.cos(angle), LUMA), (tf.ones_like(angle), ONE))


def _saturation(draws, chance):
    """Stretches the distance from the axis of grey."""
    (happens, (value,)) = draws.happens(chance), draws.normal(1)
    factor = tf.where(happens, tf.pow(2.0, value * SATURATION_STD), 1.0)
    return _sum((tf.ones_like(factor), LUMA + ONE), (factor, COLOURS - LUMA))
