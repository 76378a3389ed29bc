"""Convolution of stride 1 whose gradient by the kernel is a set of matrix products, which CPUs do three times as fast."""

import functools

import tensorflow as tf


def conv2d(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves with an odd kernel and SAME padding; [N, H, W, in] and [k, k, in, out] to [N, H, W, out].

    On a GPU this is TensorFlow's own operation. On a CPU its gradient by the kernel is one matrix product for each tap;
    the gradient by the input is a convolution again, so that every further derivative is fast as well.
    docs/performance.md has the measurement.
    """
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME") if _has_gpu() else _conv2d_for_cpu(x, kernel)


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
        def gradient(kernel):  # bilinear: both derivatives are convolutions with what came from above
            return conv2d(outputs, _turned(kernel)), conv2d(inputs, kernel)

        return _sum_taps(inputs, outputs, size), gradient

    return apply(x, upstream)


# A function of its own: one node of the graph for each use, traced once for each shape. A stage has dozens of uses.
@tf.function(autograph=False)
def _sum_taps(x, upstream, size):
    _, height, width, filters = upstream.shape
    channels = x.shape[-1]
    around = size // 2
    padded = tf.pad(x, [[0, 0], [around, around], [around, around], [0, 0]]) if around else x
    rows = tf.reshape(upstream, [-1, filters])  # [N H W, out]
    taps = [
        tf.matmul(tf.reshape(padded[:, i : i + height, j : j + width], [-1, channels]), rows, transpose_a=True)
        for i in range(size)
        for j in range(size)
    ]
    return tf.reshape(tf.stack(taps), [size, size, channels, filters])
