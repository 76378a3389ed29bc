"""Filters of every feature map on GPUs: a depthwise convolution, or in a step compiled with XLA a sum of shifted images."""

import numpy as np
import tensorflow as tf

from stylegan_tf.cpu import convolution, paths
from stylegan_tf.cpu.derivatives import with_derivatives


def filter2d(x: tf.Tensor, kernel: np.ndarray) -> tf.Tensor:
    """Fast form of `layers.convolution.filter2d`. XLA fuses the sum with what is around it; a depthwise convolution it does not."""
    return _sum_of_shifts(x, kernel) if paths.is_traced_for_xla() else convolution.filter2d(x, kernel)


def _sum_of_shifts(x, kernel):
    height, width = x.shape[1:3]
    before, after = (len(kernel) - 1) // 2, len(kernel) // 2

    def values(inputs):
        padded = tf.pad(inputs, [[0, 0], [before, after], [before, after], [0, 0]])
        taps = [(row, column) for row, column in np.ndindex(kernel.shape) if kernel[row, column]]
        return sum(padded[:, row : row + height, column : column + width] * float(kernel[row, column]) for row, column in taps)

    # The kernel is symmetric: the derivative is the same filter.
    return with_derivatives(values, lambda upstream, _: [_sum_of_shifts(upstream, kernel)], x)
