"""Transforms that degrade an image: changed frequency bands, noise, and a rectangle set to 0."""

import numpy as np
import tensorflow as tf

from stylegan_tf.augmentation import wavelets
from stylegan_tf.augmentation.sampling import Draws

BAND_STD = 1.0  # of the base-2 logarithm of a band's gain
BAND_POWER = np.array([10.0, 1.0, 1.0, 1.0]) / 13.0  # expected shares of the bands: photographs have most in the lowest
NOISE_STD = 0.1  # of the noise's deviation, which is normal itself
CUTOUT_SIZE = 0.5  # sides of the rectangle, share of the image's


def filter_bands(draws: Draws, chance: tf.Tensor | float, images: tf.Tensor) -> tf.Tensor:
    """Changes the gain of each of four frequency bands with this chance; the expected power is unchanged.

    Args:
        images: float32 [n, R, R, C]; a fourth channel (alpha) is unchanged.

    Source: Karras et al. 2020, "Training generative adversarial networks with limited data", appendix B.
    """
    gains = None
    for band in range(len(BAND_POWER)):
        (happens, (exponent,)) = draws.happens(chance), draws.normal(1)
        gain = tf.where(happens, tf.pow(2.0, exponent * BAND_STD), 1.0)
        power = 1.0 + BAND_POWER[band] * (tf.square(gain) - 1.0)
        one_changed = tf.stack([gain if index == band else tf.ones_like(gain) for index in range(len(BAND_POWER))], axis=1)
        one_changed = one_changed / tf.sqrt(power)[:, None]
        gains = one_changed if gains is None else gains * one_changed
    side = images.shape[1]
    matrices = tf.reduce_sum(gains[:, :, None, None] * wavelets.bands(side), axis=1)  # [n, R, R]
    colours = wavelets.applied_to_columns(matrices, wavelets.applied_to_columns(matrices, images[..., :3]))
    return tf.concat([colours, images[..., 3:]], axis=-1)


def add_noise(draws: Draws, chance: tf.Tensor | float, images: tf.Tensor) -> tf.Tensor:
    """Adds normal noise of a random strength with this chance; a fourth channel (alpha) is unchanged."""
    (happens, (value,)) = draws.happens(chance), draws.normal(1)
    deviation = tf.where(happens, tf.abs(value) * NOISE_STD, 0.0)
    colours = images[..., :3]
    noisy = colours + draws.normal_like(colours) * deviation[:, None, None, None]
    return tf.concat([noisy, images[..., 3:]], axis=-1)


def cut_out(draws: Draws, chance: tf.Tensor | float, images: tf.Tensor) -> tf.Tensor:
    """Sets a rectangle of half the side to 0, in all channels, with this chance; its centre lies anywhere in the image."""
    (happens, centres) = draws.happens(chance), draws.uniform(2)
    half = tf.where(happens, CUTOUT_SIZE / 2, 0.0)[:, None]
    side = images.shape[1]
    positions = (tf.range(side, dtype=tf.float32) + 0.5) / side
    x, y = (tf.abs(positions - centre[:, None]) >= half for centre in centres)  # [n, R], true outside of the rectangle
    return images * tf.cast(x[:, None, :] | y[:, :, None], images.dtype)[..., None]
