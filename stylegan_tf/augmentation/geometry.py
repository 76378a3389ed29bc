"""Geometric transforms: one affine matrix for each image, and the warp that applies it.

Matrices [n, 3, 3] map positions in the output to positions in the image, in pixels from its centre, x to the right and y down.
"""

import math
from collections.abc import Mapping

import tensorflow as tf

from stylegan_tf.augmentation import wavelets
from stylegan_tf.augmentation.interpolation import interpolate
from stylegan_tf.augmentation.sampling import Draws
from stylegan_tf.cpu.interpolation import one_loop

BLIT = ("xflip", "rotate90", "xint")
GENERAL = ("scale", "rotate", "aniso", "xfrac")
XINT_MAX = 0.125  # largest integer shift, share of the side
SCALE_STD = ANISO_STD = 0.2  # of the base-2 logarithms of scale and stretch
XFRAC_STD = 0.125  # of the fractional shift, share of the side


def draw_matrices(draws: Draws, chances: Mapping[str, tf.Tensor | float], side: int) -> tf.Tensor:
    """A matrix [n, 3, 3] an image, of those transforms that `chances` names, each with its chance.

    Source: Karras et al. 2020, "Training generative adversarial networks with limited data", appendix B.
    """
    steps = {
        "xflip": _flip,
        "rotate90": _quarter_turns,
        "xint": lambda draws, chance: _integer_shift(draws, chance, side),
        "scale": _scale,
        "rotate": _rotation,  # before the stretch
        "aniso": _stretch,
        "rotate after": _rotation,  # two rotations, so that the stretch has any direction
        "xfrac": lambda draws, chance: _shift(draws, chance, side),
    }
    # Each of the two rotations has the chance q with 1 - (1 - q)^2 = p.
    once = {name: 1.0 - tf.sqrt(tf.maximum(1.0 - chances[name], 0.0)) for name in ("rotate",) if name in chances}
    chances = {**chances, **once}
    if once and not draws.is_quantile:
        chances["rotate after"] = once["rotate"]
    matrices = None
    for name, step in steps.items():
        if name in chances:
            matrix = step(draws, chances[name])
            matrices = matrix if matrices is None else compose(matrices, matrix)
    return matrices


def compose(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Matrix products [n, k, k], in full float32: GPUs would round the factors of `tf.matmul` to 10 bits."""
    return tf.reduce_sum(first[:, :, :, None] * second[:, None, :, :], axis=2)


def warp(images: tf.Tensor, matrices: tf.Tensor) -> tf.Tensor:
    """Resamples images by an affine matrix each: doubled, interpolated, filtered and halved, so that nothing is aliased.

    Args:
        images: float32 [n, R, R, C]; continued by one reflection at each edge, and by zeros beyond.
        matrices: float32 [n, 3, 3], positions in the output to positions in the image.

    Returns:
        float32 [n, R, R, C].

    Source: as `draw_matrices`. The original pads as far as the matrices of a batch reach; here it is always by R - 1, the most that it
    pads, so that shapes do not depend on values.
    """
    side = images.shape[1]
    (up, places), down = wavelets.upsampling_rows(side), wavelets.downsampling(side)
    # All doubled rows and columns that differ, as a table [n, columns, rows, C].
    table = wavelets.applied(up, wavelets.applied_to_columns(up, images))
    sampled = interpolate(table, _positions(matrices, len(places) - 3, down.shape[1]), places)  # [n, Q, Q, C]
    return wavelets.applied_to_columns(down, wavelets.applied_to_columns(down, sampled))


@one_loop
def _positions(matrices, doubled_side, sampled_side):
    """Columns and rows of the doubled image that the values of the doubled output are read at, [n, Q, Q] each."""
    centred = wavelets.centred(sampled_side)
    x, y = centred[None, :], centred[:, None]

    def position(row):
        a, b, c = (row[:, index, None, None] for index in range(3))
        return wavelets.doubled_positions(a * x + c, doubled_side) + 2.0 * b * y  # one sum of all positions

    return position(matrices[:, 0]), position(matrices[:, 1])


def _matrices(rows):
    """[n, 3, 3] from two rows of tensors [n] or numbers."""
    like = next(value for row in rows for value in row if isinstance(value, tf.Tensor))
    full = [[tf.ones_like(like) * value for value in row] for row in [*rows, [0.0, 0.0, 1.0]]]
    return tf.stack([tf.stack(row, axis=1) for row in full], axis=1)


def _scaling(x, y):
    return _matrices([[1.0 / x, 0.0, 0.0], [0.0, 1.0 / y, 0.0]])


def _turn(angle):
    return _matrices([[tf.cos(angle), -tf.sin(angle), 0.0], [tf.sin(angle), tf.cos(angle), 0.0]])


def _translation(x, y):
    return _matrices([[1.0, 0.0, -x], [0.0, 1.0, -y]])


def _flip(draws, chance):
    (happens, (which,)) = draws.happens(chance), draws.uniform(1)
    flipped = tf.where(happens, tf.floor(which * 2.0), 0.0)  # half of the images that the chance selects
    return _scaling(1.0 - 2.0 * flipped, tf.ones_like(flipped))


def _quarter_turns(draws, chance):
    (happens, (which,)) = draws.happens(chance), draws.uniform(1)
    turns = tf.where(happens, tf.floor(which * 4.0), 0.0)
    # Exact cosines and sines: positions remain on the pixels.
    cosine = tf.gather([1.0, 0.0, -1.0, 0.0], tf.cast(turns, tf.int32))
    sine = tf.gather([0.0, 1.0, 0.0, -1.0], tf.cast(turns, tf.int32))
    return _matrices([[cosine, -sine, 0.0], [sine, cosine, 0.0]])


def _integer_shift(draws, chance, side):
    (happens, shares) = draws.happens(chance), draws.uniform(2)
    return _translation(*(tf.where(happens, tf.round((share * 2.0 - 1.0) * XINT_MAX * side), 0.0) for share in shares))


def _scale(draws, chance):
    (happens, (exponent,)) = draws.happens(chance), draws.normal(1)
    scale = tf.where(happens, tf.pow(2.0, exponent * SCALE_STD), 1.0)
    return _scaling(scale, scale)


def _rotation(draws, chance):
    (happens, (share,)) = draws.happens(chance), draws.uniform(1)
    return _turn(tf.where(happens, (share * 2.0 - 1.0) * math.pi, 0.0))


def _stretch(draws, chance):
    (happens, (exponent,)) = draws.happens(chance), draws.normal(1)
    stretch = tf.where(happens, tf.pow(2.0, exponent * ANISO_STD), 1.0)
    return _scaling(stretch, 1.0 / stretch)


def _shift(draws, chance, side):
    (happens, shares) = draws.happens(chance), draws.normal(2)
    return _translation(*(tf.where(happens, share * XFRAC_STD * side, 0.0) for share in shares))
