"""Convolutions of many maps on CPUs with fewer multiplications, in tiles of 4x4 outputs: the algorithm of Winograd, Toom and Cook.

Two polynomials whose values are known at enough points are multiplied point by point. So the 4 x 4 outputs of a 3x3 kernel need
6 x 6 products in place of 144, and those of a 2x2 kernel 5 x 5 in place of 64; each is one matrix product over all maps. Constant
matrices transform tiles and kernels to values at the points, and products back. Largest error in float32: 4e-6 of the largest
output. docs/experiments.md has the measurements.

Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016 (arXiv:1509.09308).
"""

import functools
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from stylegan_tf.cpu.order import not_before

TILE = 4  # outputs of a tile in each direction
_LEAST_MAPS = 256  # with fewer, the transforms take more time than the products save
_LEAST_SIZE = 16  # with fewer pixels, the transform of the kernel takes more time than the products save
_POINTS = (0.0, 0.75, -0.75, 1.5, -1.5)  # and infinity; with 0, 1, -1, 2, -2 errors are four times as large


def fits(image: tf.Tensor, *maps: int, stride: int = 1) -> bool:
    """Whether tiles save time: float32, enough `maps` in and out, and outputs (1 / stride of `image` [N, H, W, C]) of a fitting size."""
    if image.dtype != tf.float32 or min(maps) < _LEAST_MAPS or None in image.shape[1:3]:
        return False
    height, width = image.shape[1] // stride, image.shape[2] // stride
    return min(height, width) >= _LEAST_SIZE and height % TILE == width % TILE == 0


# A function of its own: one node of the graph for each use, traced once for each shape.
@tf.function(autograph=False)
def correlate(x: tf.Tensor, kernel: tf.Tensor, before: int, height: int, width: int) -> tf.Tensor:
    """Sums of x under each tap, starting `before` pixels outside: [N, H, W, in], [taps, taps, in, out] to [N, height, width, out]."""
    to_points = _transforms(kernel.shape[0])
    values = _both_ways(to_points.image, _tiles(x, len(to_points.image), before, height, width))
    products = tf.matmul(values, _both_ways(to_points.kernel, not_before(values, tf.reshape(kernel, [-1, *kernel.shape[2:]]))))
    return _untiled(_both_ways(to_points.outputs, products), height, width)


@tf.function(autograph=False)
def kernel_gradient(x: tf.Tensor, upstream: tf.Tensor, taps: int, before: int) -> tf.Tensor:
    """Gradient of `correlate` by its kernel: [N, H, W, in] and upstream [N, height, width, out] to [taps, taps, in, out]."""
    to_points = _transforms(taps)
    _, height, width, filters = upstream.shape
    values = _both_ways(to_points.image, _tiles(not_before(upstream, x), len(to_points.image), before, height, width))
    rates = _both_ways(to_points.outputs.T, _tiles(not_before(values, upstream), TILE, 0, height, width))
    sums = _both_ways(to_points.kernel.T, tf.matmul(values, rates, transpose_a=True))
    return tf.reshape(sums, [taps, taps, x.shape[-1], filters])


def conv2d_down(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """[N, 2H, 2W, in] and [4, 4, in, out] to [N, H, W, out]: a 2x2 kernel on the four phases of the pixels as maps."""
    _, height, width, channels = x.shape
    phases = tf.transpose(tf.reshape(kernel, [2, 2, 2, 2, channels, -1]), [0, 2, 1, 3, 4, 5])
    return correlate(_phases(x), tf.reshape(phases, [2, 2, 4 * channels, kernel.shape[-1]]), 0, height // 2, width // 2)


def strided_kernel_gradient(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Gradient of `conv2d_down` by its kernel: x [N, 2H, 2W, in] and upstream [N, H, W, out] to [4, 4, in, out]."""
    channels, filters = x.shape[-1], upstream.shape[-1]
    # Computed again from x: TensorFlow would merge these phases with those of `conv2d_down`, and hold both x and them until now.
    phases = kernel_gradient(_phases(not_before(upstream, x)), upstream, 2, 0)
    phases = tf.reshape(phases, [2, 2, 2, 2, channels, filters])
    return tf.reshape(tf.transpose(phases, [0, 2, 1, 3, 4, 5]), [4, 4, channels, filters])


class _Transforms(NamedTuple):
    """Matrices of one direction: of a tile of the image, of a kernel's taps, and of products back to a tile of outputs."""

    image: np.ndarray  # [points, pixels]
    kernel: np.ndarray  # [points, taps]
    outputs: np.ndarray  # [outputs, points]


@functools.cache
def _transforms(taps: int) -> _Transforms:
    size = TILE + taps - 1
    points = np.array(_POINTS[: size - 1])
    image, kernel, outputs = np.zeros([size, size]), np.zeros([size, taps]), np.zeros([TILE, size])
    for row, point in enumerate(points):
        others = np.delete(points, row)
        image[row, :-1] = np.poly(others)[::-1]
        kernel[row] = point ** np.arange(taps) / np.prod(point - others)
        outputs[:, row] = point ** np.arange(TILE)
    image[-1] = np.poly(points)[::-1]
    kernel[-1, -1] = outputs[-1, -1] = 1.0  # at infinity the highest coefficient is left
    return _Transforms(image, kernel, outputs)


def _both_ways(matrix, values):
    """`matrix` [a, b] along rows and columns: values [b^2, rows, maps] to [a^2, rows, maps]."""
    matrix = np.kron(matrix, matrix).astype(np.float32)
    return tf.reshape(tf.matmul(matrix, tf.reshape(values, [matrix.shape[1], -1])), [matrix.shape[0], -1, values.shape[-1]])


def _tiles(x, size, before, height, width):
    """[N, H, W, C] to [size^2, tiles, C]: a tile starts every TILE pixels, from `before` pixels outside; zeros around the image."""
    _, rows, columns, channels = x.shape
    down, across, shared = height // TILE, width // TILE, size - TILE
    x = tf.pad(x, [[0, 0], [before, height + TILE - before - rows], [before, width + TILE - before - columns], [0, 0]])
    x = tf.transpose(tf.reshape(x, [-1, down + 1, TILE, across + 1, TILE, channels]), [2, 4, 0, 1, 3, 5])
    # A tile overlaps with the beginning of the next one. Slices of single pixels would be twice as many nodes of the graph.
    x = tf.concat([x[:, :, :, :down], x[:shared, :, :, 1:]], axis=0)
    x = tf.concat([x[:, :, :, :, :across], x[:, :shared, :, :, 1:]], axis=1)
    return tf.reshape(x, [size**2, -1, channels])


def _untiled(tiles, height, width):
    """[TILE^2, tiles, C] to [N, height, width, C]."""
    tiles = tf.reshape(tiles, [TILE, TILE, -1, height // TILE, width // TILE, tiles.shape[-1]])
    return tf.reshape(tf.transpose(tiles, [2, 3, 0, 4, 1, 5]), [-1, height, width, tiles.shape[-1]])


def _phases(x):
    """[N, 2H, 2W, C], from one pixel outside, to the four phases of the pixels as maps: [N, H + 1, W + 1, 4C]."""
    return tf.nn.space_to_depth(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 2)
