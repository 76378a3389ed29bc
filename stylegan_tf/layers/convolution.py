"""The convolutions of both networks, with gradients by the kernel that are matrix products: on CPUs two to three times as fast.

A convolution joins three tensors: an image [N, H, W, in], a kernel [k, k, in, out] and an image [N, H / s, W / s, out] of stride s.
Given two of them it makes the third, and the derivatives of each of these three operations are the other two. So every derivative
of any order is fast as well. On a GPU TensorFlow's own operations stay. docs/performance.md has the measurement.
"""

import functools

import tensorflow as tf

from stylegan_tf.layers.bfloat16 import summed_in_float32


def conv2d(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves with an odd kernel and SAME padding; [N, H, W, in] and [k, k, in, out] to [N, H, W, out]."""
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME") if _has_gpu() else summed_in_float32(_conv2d_for_cpu, x, kernel)


def conv2d_down(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves at every other pixel; [N, 2H, 2W, in] and [4, 4, in, out] to [N, H, W, out]."""
    return _strided(x, kernel) if _has_gpu() else summed_in_float32(_down_for_cpu, x, kernel)


def conv2d_up(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The transpose of `conv2d_down`; [N, H, W, in] and [4, 4, out, in] to [N, 2H, 2W, out]."""
    return _transposed(x, kernel) if _has_gpu() else summed_in_float32(_up_for_cpu, x, kernel)


@functools.cache
def _has_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))


def _conv2d_for_cpu(x, kernel):
    @tf.custom_gradient
    def apply(inputs, weights):
        def gradient(upstream):
            return _conv2d_for_cpu(upstream, _turned(weights)), kernel_gradient(inputs, upstream, weights.shape[0])

        return tf.nn.conv2d(inputs, weights, strides=1, padding="SAME"), gradient

    return apply(x, kernel)


def _turned(kernel):
    """The kernel of the gradient by the input: turned by 180 degrees, [k, k, in, out] to [k, k, out, in]."""
    return tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])


def kernel_gradient(x: tf.Tensor, upstream: tf.Tensor, size: int) -> tf.Tensor:
    """Gradient of `conv2d` by its kernel: x [N, H, W, in] and upstream [N, H, W, out] to [size, size, in, out]."""

    @tf.custom_gradient
    def apply(inputs, outputs):
        def gradient(kernel):
            return conv2d(outputs, _turned(kernel)), conv2d(inputs, kernel)

        return _sum_over_pixels(inputs, outputs, size // 2), gradient

    return apply(x, upstream)


def _down_for_cpu(x, kernel):
    @tf.custom_gradient
    def apply(inputs, weights):
        def gradient(upstream):
            return _up_for_cpu(upstream, weights), _strided_kernel_gradient(inputs, upstream)

        return _strided(inputs, weights), gradient

    return apply(x, kernel)


def _up_for_cpu(x, kernel):
    @tf.custom_gradient
    def apply(inputs, weights):
        def gradient(upstream):
            return _down_for_cpu(upstream, weights), _strided_kernel_gradient(upstream, inputs)

        return _transposed(inputs, weights), gradient

    return apply(x, kernel)


def _strided_kernel_gradient(x, upstream):
    """Gradient of `conv2d_down` by its kernel: x [N, 2H, 2W, in] and upstream [N, H, W, out] to [4, 4, in, out]."""

    @tf.custom_gradient
    def apply(inputs, outputs):
        def gradient(kernel):
            return _up_for_cpu(outputs, kernel), _down_for_cpu(inputs, kernel)

        return _sum_over_blocks(inputs, outputs), gradient

    return apply(x, upstream)


def _strided(x, kernel):
    return tf.nn.conv2d(x, kernel, strides=2, padding="SAME")


def _transposed(x, kernel):
    _, height, width, _ = x.shape
    output_shape = [tf.shape(x)[0], height * 2, width * 2, kernel.shape[2]]
    return tf.nn.conv2d_transpose(x, kernel, output_shape, strides=2, padding="SAME")


# Functions of their own: one node of the graph for each use, traced once for each shape. A stage has dozens of uses.
@tf.function(autograph=False)
def _sum_over_pixels(x, upstream, around):
    """Stride 1: x with a border of `around` zeros against `upstream`."""
    return _products(tf.pad(x, [[0, 0], [around, around], [around, around], [0, 0]]), upstream)


@tf.function(autograph=False)
def _sum_over_blocks(x, upstream):
    """Stride 2: blocks of 2x2 pixels become one pixel of four times the features, and the 4x4 kernel a 2x2 one of stride 1."""
    channels, filters = x.shape[-1], upstream.shape[-1]
    blocks = tf.nn.space_to_depth(tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 2)
    taps = tf.reshape(_products(blocks, upstream), [2, 2, 2, 2, channels, filters])  # block row and column, row and column inside
    return tf.reshape(tf.transpose(taps, [0, 2, 1, 3, 4, 5]), [4, 4, channels, filters])


def _products(padded, upstream):
    """Sum over pixels of padded [N, H + k - 1, W + k - 1, in] at each tap times upstream [N, H, W, out]: [k, k, in, out].

    A product for each row of taps: wide matrices reach what the machine can, and one for all taps would copy x k^2 times at once.
    """
    _, height, width, filters = upstream.shape
    size, channels = padded.shape[1] - height + 1, padded.shape[-1]
    columns = tf.concat([padded[:, :, tap : tap + width] for tap in range(size)], axis=-1) if size > 1 else padded
    pixels = tf.reshape(upstream, [-1, filters])  # [N H W, out]
    rows = [tf.matmul(tf.reshape(columns[:, tap : tap + height], [-1, size * channels]), pixels, transpose_a=True) for tap in range(size)]
    return tf.reshape(tf.stack(rows), [size, size, channels, filters])
