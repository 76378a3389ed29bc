"""Bilinear interpolation at any positions of an image, with its exact adjoint as gradient: that of TensorFlow's own transform is not."""

import numpy as np
import tensorflow as tf

from stylegan_tf.cpu.interpolation import one_loop


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
    steps = tuple((first, int(distance) - 1) for first, distance in enumerate(np.diff(places, prepend=-1)) if distance != 1)
    indices, weights = (tf.stop_gradient(part) for part in corners(*positions, size, len(places) - 2, steps))

    @tf.custom_gradient
    def forward(pixels):
        return read(pixels, indices, weights), adjoint

    @tf.custom_gradient
    def adjoint(values):
        return spread(values, indices, weights, size**2), forward

    return tf.reshape(forward(tf.reshape(table, [count, size**2, channels])), [count, num_rows, num_columns, channels])


@one_loop
def corners(columns, rows, size: int, last: int, steps: tuple[tuple[int, int], ...]) -> tuple[tf.Tensor, tf.Tensor]:
    """The four pixels of the table around each position, int32 [n, 4, P], and their weights, float32 [n, 4, P].

    Args:
        columns, rows: float32 [n, ...], as in `interpolate`.
        size: columns of the table.
        last: the last pair of columns is `last` and the next one, counted from -1.
        steps: columns, counted from the margin, whose number in the table is not the next one, and how much more it is. A sum, because
            reading single numbers from an array is slow on CPUs.
    """

    def neighbours(positions):
        """Numbers in the table of the two columns around each position, and their weights, [n, 2, P] each."""
        # The margin is zero: positions outside are moved onto it.
        from_margin = tf.clip_by_value(tf.reshape(positions, [positions.shape[0], 1, -1]) + 1.0, 0.0, float(last))
        numbers, share = tf.cast(from_margin, tf.int32) + tf.constant([[0], [1]]), from_margin % 1.0
        places = tf.add_n([numbers, *(tf.where(numbers >= first, step, 0) for first, step in steps)])
        return places, tf.concat([1.0 - share, share], axis=1)

    (column, column_weight), (row, row_weight) = neighbours(columns), neighbours(rows)
    indices = (column * size)[:, :, None] + row[:, None]  # [n, 2, 2, P]
    weights = column_weight[:, :, None] * row_weight[:, None]
    shape = [columns.shape[0], 4, -1]
    return tf.reshape(indices, shape), tf.reshape(weights, shape)


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


@one_loop
def spread(values: tf.Tensor, indices: tf.Tensor, weights: tf.Tensor, size: int) -> tf.Tensor:
    """The adjoint of `read`: adds values to the pixels that they were read from, in one scatter for all images.

    Args:
        values: float32 [n, P, C].
        indices, weights: as in `read`.
        size: pixels of an image.

    Returns:
        float32 [n, size, C].
    """
    count, _, channels = values.shape
    places = indices + size * tf.range(count)[:, None, None]
    terms = values[:, None] * weights[..., None]  # [n, 4, P, C]
    sums = tf.scatter_nd(tf.reshape(places, [-1, 1]), tf.reshape(terms, [-1, channels]), [count * size, channels])
    return tf.reshape(sums, [count, size, channels])
