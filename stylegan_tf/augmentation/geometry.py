"""Geometric transforms: one affine matrix an image, and the warp that applies it.

Matrices [n, 3, 3] map positions in the output to positions in the image, in pixels from its centre, x to the right and y down.
"""

import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from stylegan_tf.augmentation import wavelets
from stylegan_tf.augmentation.sampling import Draws
from stylegan_tf.cpu import interpolation as fast
from stylegan_tf.cpu.paths import replaced_by

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


def interpolate(table: tf.Tensor, positions: tuple[tf.Tensor, tf.Tensor], places: np.ndarray) -> tf.Tensor:
    """Bilinear interpolation in an image of which a table has each different column and row once.

    Args:
        table: float32 [n, S, S, C], columns first.
        positions: columns and rows to read, float32 [n, P, Q] each, 0 at the centre of the first pixel of the image, zeros from one
            pixel outside of it. No gradient flows to them.
        places: int [side + 3], numbers in the table of the columns and rows -1 to side + 1 of the image.

    Returns:
        float32 [n, P, Q, C]. Its gradient is the exact adjoint, and the gradient of that is this function again.
    """
    count, size, _, channels = table.shape
    _, num_rows, num_columns = positions[0].shape
    columns, rows = (_neighbours(axis, places) for axis in positions)
    corners = [(column[0] * size + row[0], column[1] * row[1]) for column in columns for row in rows]
    indices, weights = (tf.reshape(tf.stack(part, axis=1), [count, 4, -1]) for part in zip(*corners, strict=True))
    indices, weights = tf.stop_gradient(indices), tf.stop_gradient(weights)

    @tf.custom_gradient
    def forward(pixels):
        return read(pixels, indices, weights), adjoint

    @tf.custom_gradient
    def adjoint(values):
        return spread(values, indices, weights, size**2), forward

    return tf.reshape(forward(tf.reshape(table, [count, size**2, channels])), [count, num_rows, num_columns, channels])


@replaced_by(fast.read)
def read(pixels: tf.Tensor, indices: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Sums of weighted pixels.

    Args:
        pixels: float32 [n, size, C].
        indices: int32 [n, 4, P], pixels of each image.
        weights: float32 [n, 4, P].

    Returns:
        float32 [n, P, C].
    """
    return tf.reduce_sum(tf.gather(pixels, indices, batch_dims=1) * weights[..., None], axis=1)


@replaced_by(fast.spread)
def spread(values: tf.Tensor, indices: tf.Tensor, weights: tf.Tensor, size: int) -> tf.Tensor:
    """The adjoint of `read`: adds values to the pixels that they were read from.

    Args:
        values: float32 [n, P, C].
        indices, weights: as in `read`.
        size: pixels of an image.

    Returns:
        float32 [n, size, C].
    """
    numbers = tf.broadcast_to(tf.range(values.shape[0])[:, None, None], indices.shape)
    shape = [values.shape[0], size, values.shape[2]]
    return tf.scatter_nd(tf.stack([numbers, indices], axis=-1), values[:, None] * weights[..., None], shape)


def _neighbours(positions, places):
    """The two columns (or rows) of the table around each position and their weights, as pairs (int32 [n, P, Q], float32 [n, P, Q])."""
    from_margin = tf.clip_by_value(positions + 1.0, 0.0, len(places) - 2.0)  # the margin is zero: positions outside are moved onto it
    number = tf.cast(from_margin, tf.int32)
    share = from_margin - tf.cast(number, tf.float32)
    places = tf.constant(places, tf.int32)
    return (tf.gather(places, number), 1.0 - share), (tf.gather(places, number + 1), share)


def _positions(matrices, doubled_side, sampled_side):
    """Columns and rows of the doubled image that the values of the doubled output are read at, [n, Q, Q] each."""
    # The centres of doubled pixels are half a doubled pixel away from those of the pixels.
    centred = (tf.range(sampled_side, dtype=tf.float32) - (sampled_side - 1) / 2 + 0.5) / 2
    x, y = centred[None, :], centred[:, None]

    def position(row):
        a, b, c = (row[:, index, None, None] for index in range(3))
        return 2.0 * (a * x + b * y + c) - 0.5 + (doubled_side - 1) / 2

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
    # Exact cosines and sines: positions stay on the pixels.
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
