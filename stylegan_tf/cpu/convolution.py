"""Convolutions on CPUs, computed as matrix products where these take a half or a third of the time of TensorFlow's own operations.

A convolution relates three tensors: an image [N, H, W, in], a kernel [k, k, in, out] and an image [N, H / s, W / s, out], where s
is the stride. Each of the three is a linear function of either of the others, and the derivatives of each of these operations are
the other two. So derivatives of every order are fast as well. Large images of many maps go through `winograd.py`, gradients by the
kernel through products of one row of taps at a time. docs/experiments.md has the measurements.
"""

import functools

import numpy as np
import tensorflow as tf

from stylegan_tf.cpu import winograd
from stylegan_tf.cpu.bfloat16 import summed_in_float32
from stylegan_tf.cpu.derivatives import with_derivatives
from stylegan_tf.cpu.order import not_before

_WIDE_FEATURES = 256  # from here on, products take half the time of TensorFlow's gradient of stride 2; below, they take longer


def conv2d(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Odd kernel, SAME padding; [N, H, W, in] and [k, k, in, out] to [N, H, W, out]."""
    return summed_in_float32(_conv2d, x, kernel)


def conv2d_down(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Stride 2; [N, 2H, 2W, in] and [4, 4, in, out] to [N, H, W, out]."""
    return summed_in_float32(_conv2d_down, x, kernel)


def conv2d_up(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The transpose of `conv2d_down`; [N, H, W, in] and [4, 4, out, in] to [N, 2H, 2W, out]."""
    return summed_in_float32(_conv2d_up, x, kernel)


def filter2d(x: tf.Tensor, kernel: np.ndarray) -> tf.Tensor:
    """One symmetric kernel [k, k] for every feature map, SAME padding; [N, H, W, C] to [N, H, W, C]."""
    return summed_in_float32(lambda inputs: _filter2d(inputs, kernel), x)


def spread_kernel(kernel: tf.Tensor, *, is_turned: bool = False, scale: float = 1.0) -> tf.Tensor:
    """The sum of the four 1-shifts of a 3x3 kernel as a product with a constant matrix: [3, 3, a, b] to [4, 4, a, b]."""
    taps = tf.reshape(kernel, [9, -1])
    spread = summed_in_float32(tf.matmul, tf.constant(_spreading(is_turned) * scale, kernel.dtype), taps)
    return tf.reshape(spread, [4, 4, *kernel.shape[2:]])


@functools.cache
def _spreading(is_turned: bool) -> np.ndarray:
    """The sum of the four shifts as a matrix [16, 9] of zeros and ones: one product with it, and one for its gradient."""
    taps = np.eye(9, dtype=np.float32).reshape([3, 3, 9])
    taps = taps[::-1, ::-1] if is_turned else taps
    padded = np.pad(taps, [[1, 1], [1, 1], [0, 0]])
    return (padded[1:, 1:] + padded[:-1, 1:] + padded[1:, :-1] + padded[:-1, :-1]).reshape([16, 9])


def _filter2d(x, kernel):
    def filtered(inputs):
        depthwise = tf.constant(np.tile(kernel[:, :, None, None], [1, 1, inputs.shape[-1], 1]), inputs.dtype)
        return tf.raw_ops.DepthwiseConv2dNative(input=inputs, filter=depthwise, strides=[1, 1, 1, 1], padding="SAME")

    # TensorFlow's own gradient of a depthwise convolution is slow on CPUs; with a symmetric kernel it is the same operation.
    return with_derivatives(filtered, lambda upstream, _: [_filter2d(upstream, kernel)], x)


def _bilinear(first, second, operation, by_first, by_second):
    """operation(first, second), linear in both, with its derivatives: by_first(upstream, second) and by_second(first, upstream)."""
    return with_derivatives(operation, lambda upstream, _: (by_first(upstream, second), by_second(first, upstream)), first, second)


def _conv2d(x, kernel):
    def values(inputs, weights):
        size, _, *maps = weights.shape
        if size == 3 and winograd.fits(inputs, *maps):
            return winograd.correlate(inputs, weights, 1, *inputs.shape[1:3])
        return tf.nn.conv2d(inputs, weights, strides=1, padding="SAME")

    def by_kernel(inputs, upstream):
        return kernel_gradient(inputs, upstream, kernel.shape[0])

    def by_input(upstream, weights):
        return _conv2d(upstream, _turned(not_before(upstream, weights)))

    return _bilinear(x, kernel, values, by_input, by_kernel)


def _turned(kernel):
    """The kernel of the gradient with respect to the input: rotated by 180 degrees, [k, k, in, out] to [k, k, out, in]."""
    return tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])


def kernel_gradient(x: tf.Tensor, upstream: tf.Tensor, size: int) -> tf.Tensor:
    """Gradient of `conv2d` by its kernel: x [N, H, W, in] and upstream [N, H, W, out] to [size, size, in, out]."""

    def values(inputs, outputs):
        if size == 3 and winograd.fits(outputs, inputs.shape[-1], outputs.shape[-1]):
            return winograd.kernel_gradient(inputs, outputs, 3, 1)
        return _sum_over_pixels(inputs, outputs, size, 1)

    return _bilinear(x, upstream, values, lambda kernel, outputs: conv2d(outputs, _turned(not_before(outputs, kernel))), conv2d)


def _conv2d_down(x, kernel):
    def values(inputs, weights):
        if winograd.fits(inputs, *weights.shape[2:], stride=2):
            return winograd.conv2d_down(inputs, weights)
        return tf.nn.conv2d(inputs, weights, strides=2, padding="SAME")

    return _bilinear(x, kernel, values, _conv2d_up, _strided_kernel_gradient)


def _conv2d_up(x, kernel):
    def values(inputs, weights):
        batch, height, width, _ = inputs.shape
        output_shape = [tf.shape(inputs)[0] if batch is None else batch, height * 2, width * 2, weights.shape[2]]
        return tf.nn.conv2d_transpose(inputs, weights, output_shape, strides=2, padding="SAME")

    return _bilinear(x, kernel, values, _conv2d_down, lambda inputs, upstream: _strided_kernel_gradient(upstream, inputs))


def _strided_kernel_gradient(x, upstream):
    """Gradient of `conv2d_down` by its kernel: x [N, 2H, 2W, in] and upstream [N, H, W, out] to [4, 4, in, out]."""
    maps = x.shape[-1], upstream.shape[-1]

    def values(inputs, outputs):
        if winograd.fits(outputs, *maps):
            return winograd.strided_kernel_gradient(inputs, outputs)
        if min(maps) >= _WIDE_FEATURES:
            return _sum_over_pixels(inputs, outputs, 4, 2)
        return tf.raw_ops.Conv2DBackpropFilter(input=inputs, filter_sizes=[4, 4, *maps], out_backprop=outputs, strides=[1, 2, 2, 1],
                                               padding="SAME")  # fmt: skip

    return _bilinear(x, upstream, values, lambda kernel, outputs: _conv2d_up(outputs, kernel), _conv2d_down)


# A function of its own: one node of the graph for each use, traced once for each shape. A stage has dozens of uses.
@tf.function(autograph=False)
def _sum_over_pixels(x, upstream, size, stride):
    """Sum of x [N, sH, sW, in], seen through each tap of a kernel, times upstream [N, H, W, out]: [size, size, in, out].

    One product for each row of taps: wide matrices are multiplied at full speed, and one product for all taps would hold
    size^2 copies of x at once.
    """
    _, height, width, filters = upstream.shape
    channels, around = x.shape[-1], (size - 1) // 2
    x = not_before(upstream, x)
    padded = tf.pad(x, [[0, 0], [around, around], [around, around], [0, 0]]) if around else x
    # Rows and pixels of one step together: slices with a step would be copied number by number.
    padded = tf.reshape(padded, [-1, padded.shape[1], padded.shape[2] // stride, stride * channels])
    columns = tf.concat([padded[:, :, tap : tap + width] for tap in range(size // stride)], axis=-1) if size > 1 else padded
    columns = tf.reshape(columns, [-1, padded.shape[1] // stride, stride, width, size * channels])
    pixels = tf.reshape(upstream, [-1, filters])  # [N H W, out]
    rows = []
    for step, row in (divmod(tap, stride) for tap in range(size)):
        with tf.control_dependencies(rows[-1:]):  # one copy of the image at a time
            seen = tf.reshape(columns[:, step : step + height, row], [-1, size * channels])
        rows.append(tf.matmul(seen, pixels, transpose_a=True))
    return tf.reshape(tf.stack(rows), [size, size, channels, filters])
