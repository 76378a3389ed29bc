"""DiffAugment: colour, translation and cutout, always on unless a chance is given."""

from collections.abc import Mapping

import tensorflow as tf

from stylegan_tf.augmentation.sampling import Draws, check_names, make_draws

NAMES = ("brightness", "saturation", "contrast", "translation", "cutout")
STRENGTHS = dict.fromkeys(NAMES, 1.0)
SHIFT = 1 / 8  # largest shift, share of the side
CUTOUT_SIZE = 1 / 2  # side of the square, share of the image's


def augment(
    images: tf.Tensor,
    *,
    strengths: Mapping[str, float] | None = None,
    probability: tf.Tensor | float = 1.0,
    seed: tf.Tensor | None = None,
    quantile: float | None = None,
) -> tf.Tensor:
    """Transforms each image at random, differentiably, as `ada.augment`; without `strengths`, the chance of all is `probability`.

    Source: Zhao et al. 2020, "Differentiable augmentation for data-efficient GAN training".
    """
    return transform(images, STRENGTHS if strengths is None else strengths, probability, make_draws(seed, quantile, images.shape[0]))


def transform(images: tf.Tensor, strengths: Mapping[str, float], probability: tf.Tensor | float, draws: Draws) -> tf.Tensor:
    """As `augment`, with any source of random numbers."""
    check_names(strengths, NAMES)
    steps = {"brightness": _brighten, "saturation": _saturate, "contrast": _contrast, "translation": _translate, "cutout": _cut_out}
    for name, step in steps.items():
        if strengths.get(name):
            images = step(images, draws, draws.happens(strengths[name] * probability))
    return images


def _brighten(images, draws, happens):
    (share,) = draws.uniform(1)
    added = tf.where(happens, share - 0.5, 0.0)
    return _with_colours(images, lambda colours: colours + _an_image(added))


def _saturate(images, draws, happens):
    """Multiplies the distance of each pixel from its grey by up to 2."""
    (share,) = draws.uniform(1)
    factor = tf.where(happens, share * 2.0, 1.0)
    return _with_colours(images, lambda colours: _stretched(colours, [3], factor))


def _contrast(images, draws, happens):
    """Multiplies the distance of each pixel from the mean of its image by 0.5 to 1.5."""
    (share,) = draws.uniform(1)
    factor = tf.where(happens, share + 0.5, 1.0)
    return _with_colours(images, lambda colours: _stretched(colours, [1, 2, 3], factor))


def _translate(images, draws, happens):
    """Moves by whole pixels, with zeros at the edge."""
    side = images.shape[1]
    most = int(side * SHIFT + 0.5)
    for axis, share in zip((1, 2), draws.uniform(2), strict=True):
        shift = tf.where(happens, tf.cast(tf.floor(share * (2 * most + 1)), tf.int32) - most, 0)
        sources = tf.range(side) - shift[:, None]  # [n, R]
        is_inside = (sources >= 0) & (sources < side)
        images = tf.gather(images, tf.clip_by_value(sources, 0, side - 1), axis=axis, batch_dims=1)
        images *= tf.cast(_along(axis, is_inside), images.dtype)
    return images


def _cut_out(images, draws, happens):
    """Sets a square to 0; parts of it may lie outside of the image."""
    side = images.shape[1]
    size = int(side * CUTOUT_SIZE + 0.5)
    is_kept = ~happens[:, None, None, None]
    for axis, share in zip((1, 2), draws.uniform(2), strict=True):
        first = tf.cast(tf.floor(share * (side + 1 - size % 2)), tf.int32) - size // 2
        positions = tf.range(side) - first[:, None]  # [n, R]
        is_kept |= _along(axis, (positions < 0) | (positions >= size))
    return images * tf.cast(is_kept, images.dtype)


def _stretched(colours, axes, factor):
    mean = tf.reduce_mean(colours, axis=axes, keepdims=True)
    return mean + (colours - mean) * _an_image(factor)


def _with_colours(images, change):
    """Images whose colours are changed; a fourth channel (alpha) is unchanged."""
    return change(images) if images.shape[3] < 4 else tf.concat([change(images[..., :3]), images[..., 3:]], axis=-1)


def _an_image(values):
    """[n] to [n, 1, 1, 1]."""
    return values[:, None, None, None]


def _along(axis, values):
    """[n, R] to [n, R, 1, 1] or [n, 1, R, 1]."""
    return values[:, :, None, None] if axis == 1 else values[:, None, :, None]
