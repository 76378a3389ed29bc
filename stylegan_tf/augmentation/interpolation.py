"""Bilinear interpolation at any positions of an image, with its exact adjoint as gradient: that of TensorFlow's own transform is not."""

import numpy as np
import tensorflow as tf

from stylegan_tf.cpu import interpolation as fast
from stylegan_tf.cpu.interpolation import one_loop
from stylegan_tf.cpu.paths import replaced_by


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
    steps = tuple((int(first), int(places[first] - places[first - 1]) - 1) for first in np.flatnonzero(np.diff(places) != 1) + 1)
    indices, weights = (tf.stop_gradient(part) for part in corners(*positions, size, int(places[0]), len(places) - 2, steps))

    @tf.custom_gradient
    def forward(pixels):
        return read(pixels, indices, weights), adjoint

    @tf.custom_gradient
    def adjoint(values):
        return spread(values, indices, weights, size**2), forward

    return tf.reshape(forward(tf.reshape(table, [count, size**2, channels])), [count, num_rows, num_columns, channels])


@one_loop
def corners(columns, rows, size: int, place: int, last: int, steps: tuple[tuple[int, int], ...]) -> tuple[tf.Tensor, tf.Tensor]:
    """The four pixels of the table around each position, int32 [n, 4, P], and their weights, float32 [n, 4, P].

    Args:
        columns, rows: float32 [n, ...], as in `interpolate`.
        size: columns of the table.
        place: number in the table of column -1.
        last: the last pair of columns is `last` and the next one, counted from -1.
        steps: columns, counted likewise, whose number in the table is not the next one, and how much more it is. A sum, because reading
            single numbers from an array is slow on CPUs.
    """

    def places(number):
        return tf.add_n([number + place, *(tf.where(number >= first, step, 0) for first, step in steps)])

    def neighbours(positions):
        from_margin = tf.clip_by_value(positions + 1.0, 0.0, float(last))  # the margin is zero: positions outside are moved onto it
        number = tf.cast(from_margin, tf.int32)
        share = from_margin - tf.cast(number, tf.float32)
        return (places(number), 1.0 - share), (places(number + 1), share)

    found = [(column[0] * size + row[0], column[1] * row[1]) for column in neighbours(columns) for row in neighbours(rows)]
    indices, weights = (tf.reshape(tf.stack(part, axis=1), [columns.shape[0], 4, -1]) for part in zip(*found, strict=True))
    return indices, weights


@one_loop
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
