"""Filters of wavelets as matrices that act on one axis of an image: 2x resampling with sym6, and four frequency bands of sym2.

Matrices in place of convolutions: edges by reflection are part of them, every size works, and the transposed matrix is the exact adjoint.
"""

import functools

import numpy as np
import tensorflow as tf

# Scaling filter of the symlet sym6 (Daubechies 1992, table 8.3), divided by sqrt(2) below: it sums to 1.
SYM6 = (0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633, 0.4910559419267466, 0.787641141030194,
        0.3379294217276218, -0.07263752278646252, -0.021060292512300564, 0.04472490177066578, 0.0017677118642428036,
        -0.007800708325034148)  # fmt: skip
# Autocorrelations of sym2's scaling filter and of its wavelet, divided by 2.
SYM2_LOW = (-1 / 32, 0, 9 / 32, 1 / 2, 9 / 32, 0, -1 / 32)
SYM2_HIGH = (1 / 32, 0, -9 / 32, 1 / 2, -9 / 32, 0, 1 / 32)
MARGIN = 6  # pixels that the output is larger than the image before it is filtered and reduced, both sides together


def lowpass() -> np.ndarray:
    """The 12 taps of the resampling filter, sum 1."""
    return np.array(SYM6) / np.sqrt(2)


def band_filters() -> np.ndarray:
    """[4, 43] taps of the four bands, the lowest frequencies first; their sum is the identity."""

    def finer(taps):
        spread = np.zeros(2 * len(taps) - 1)
        spread[::2] = taps
        return np.convolve(spread, SYM2_LOW)

    bands = [finer(finer(SYM2_LOW)), finer(finer(SYM2_HIGH)), finer(SYM2_HIGH), np.array(SYM2_HIGH)]
    longest = len(bands[0])
    return np.stack([np.pad(taps, (longest - len(taps)) // 2) for taps in bands])


@functools.cache
def upsampling(side: int) -> np.ndarray:
    """float32 [2 (3 side - 2), side]: extends an axis by side - 1 reflected pixels at both ends, then doubles it with sym6."""
    padded = 3 * side - 2
    outputs, inputs = np.arange(2 * padded)[:, None], np.arange(padded)
    return _folded(2.0 * _tap(5 + outputs - 2 * inputs), reflected(inputs - (side - 1), side), side)


@functools.cache
def upsampling_rows(side: int) -> tuple[np.ndarray, np.ndarray]:
    """The different rows of `upsampling`: reflection repeats most of them.

    Returns:
        float32 [different, side], the first and the last two rows zero, and int [rows of `upsampling` + 3], the number in it of each
        row, with one zero row before and two after them.
    """
    rows = upsampling(side)
    _, first, numbers = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    different = np.pad(rows[first[order]], [(1, 2), (0, 0)])  # neighbours remain neighbours: memory is read in order
    places = np.argsort(order)[numbers.ravel()] + 1
    return different, np.array([0, *places, len(order) + 1, len(order) + 2])


@functools.cache
def downsampling(side: int) -> np.ndarray:
    """float32 [side, 2 (side + 6)]: filters with sym6 and takes every second value; the transposed filter of `upsampling`."""
    return _tap(np.arange(2 * (side + MARGIN)) - 2 * np.arange(side)[:, None] - 1).astype(np.float32)


def centred(sampled_side: int) -> tf.Tensor:
    """float32 [sampled_side]: positions of the values of a doubled axis, in pixels from the centre of the image.

    The centres of doubled pixels are half a doubled pixel away from those of the pixels.
    """
    return (tf.range(sampled_side, dtype=tf.float32) - (sampled_side - 1) / 2 + 0.5) / 2


def doubled_positions(positions: tf.Tensor, doubled_side: int) -> tf.Tensor:
    """Positions in pixels from the centre as numbers of doubled pixels, 0 at the centre of the first one."""
    return 2.0 * positions - 0.5 + (doubled_side - 1) / 2


@functools.cache
def bands(side: int) -> np.ndarray:
    """float32 [4, side, side]: each band of an axis, reflected at both ends."""
    filters = band_filters()
    reach = filters.shape[1] // 2
    matrices = np.zeros([len(filters), side, side])
    for offset in range(-reach, reach + 1):
        outputs = np.arange(side)
        matrices[:, outputs, reflected(outputs + offset, side)] += filters[:, offset + reach, None]
    return matrices.astype(np.float32)


def reflected(positions: np.ndarray, side: int) -> np.ndarray:
    """Pixels that positions outside of 0 to side - 1 show by reflection at the centres of the outermost pixels, any number of times."""
    if side == 1:
        return np.zeros_like(positions)
    period = 2 * (side - 1)
    positions = positions % period
    return np.minimum(positions, period - positions)


def applied_to_columns(matrix: np.ndarray | tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Applies a matrix to axis 1 and swaps axes 1 and 2; twice, it acts on both axes.

    Args:
        matrix: [P, H], or [N, P, H] for a matrix an image.
        x: [N, H, W, C].

    Returns:
        [N, W, P, C].
    """
    return tf.transpose(applied(matrix, x), [0, 2, 1, 3])


def applied(matrix: np.ndarray | tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """The same without the swap: [N, P, W, C]."""
    _, height, width, channels = x.shape
    y = tf.matmul(matrix, tf.reshape(x, [-1, height, width * channels]))
    return tf.reshape(y, [-1, matrix.shape[-2], width, channels])


def _tap(places: np.ndarray) -> np.ndarray:
    """Taps of sym6 at these places, 0 outside of the filter."""
    taps = lowpass()
    return np.where((places >= 0) & (places < len(taps)), taps[np.clip(places, 0, len(taps) - 1)], 0.0)


def _folded(matrix: np.ndarray, sources: np.ndarray, side: int) -> np.ndarray:
    """Adds up the columns that come from the same pixel: [P, padded] to float32 [P, side]."""
    folded = np.zeros([side, len(matrix)])
    np.add.at(folded, sources, matrix.T)
    return folded.T.astype(np.float32)
