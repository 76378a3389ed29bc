"""The convolutions of both networks; on CPUs with matrix products where these take a half or a third of TensorFlow's time.

A convolution joins three tensors: an image [N, H, W, in], a kernel [k, k, in, out] and an image [N, H / s, W / s, out] of stride s.
Given two of them it makes the third, and the derivatives of each of these three operations are the other two. So every derivative
of any order is fast as well. Large images of many maps go through `winograd.py`, gradients by the kernel through rows of taps.
On a GPU TensorFlow's own operations stay. docs/performance.md has the measurement.
"""

import functools

import tensorflow as tf

from stylegan_tf.cpu import winograd
from stylegan_tf.cpu.bfloat16 import summed_in_float32
from stylegan_tf.cpu.derivatives import with_derivatives
from stylegan_tf.cpu.order import not_before

_WIDE_FEATURES = 256  # with so many, products take half the time of TensorFlow's gradient of stride 2; with fewer, they take longer


def conv2d(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves with an odd kernel and SAME padding; [N, H, W, in] and [k, k, in, out] to [N, H, W, out]."""
    return _plain(x, kernel) if _has_gpu() else summed_in_float32(_conv2d_for_cpu, x, kernel)


def conv2d_down(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves at every other pixel; [N, 2H, 2W, in] and [4, 4, in, out] to [N, H, W, out]."""
    return _strided(x, kernel) if _has_gpu() else summed_in_float32(_down_for_cpu, x, kernel)


def conv2d_up(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The transpose of `conv2d_down`; [N, H, W, in] and [4, 4, out, in] to [N, 2H, 2W, out]."""
    return _transposed(x, kernel) if _has_gpu() else summed_in_float32(_up_for_cpu, x, kernel)


@functools.cache
def _has_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))


def _bilinear(first, second, operation, by_first, by_second):
    """operation(first, second), linear in both, with its derivatives: by_first(upstream, second) and by_second(first, upstream)."""
    return with_derivatives(operation, lambda upstream, _: (by_first(upstream, second), by_second(first, upstream)), first, second)


def _conv2d_for_cpu(x, kernel):
    def by_kernel(inputs, upstream):
        return kernel_gradient(inputs, upstream, kernel.shape[0])

    def by_input(upstream, weights):
        return _conv2d_for_cpu(upstream, _turned(not_before(upstream, weights)))

    return _bilinear(x, kernel, _same, by_input, by_kernel)


def _same(x, kernel):
    size, _, *maps = kernel.shape
    if size == 3 and winograd.fits(x, *maps):
        return winograd.correlate(x, kernel, 1, *x.shape[1:3])
    return _plain(x, kernel)


def _turned(kernel):
    """The kernel of the gradient by the input: turned by 180 degrees, [k, k, in, out] to [k, k, out, in]."""
    return tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])


def kernel_gradient(x: tf.Tensor, upstream: tf.Tensor, size: int) -> tf.Tensor:
    """Gradient of `conv2d` by its kernel: x [N, H, W, in] and upstream [N, H, W, out] to [size, size, in, out]."""

    def sums(inputs, outputs):
        if size == 3 and winograd.fits(outputs, inputs.shape[-1], outputs.shape[-1]):
            return winograd.kernel_gradient(inputs, outputs, 3, 1)
        return _sum_over_pixels(inputs, outputs, size, 1)

    return _bilinear(x, upstream, sums, lambda kernel, outputs: conv2d(outputs, _turned(not_before(outputs, kernel))), conv2d)


def _down_for_cpu(x, kernel):
    return _bilinear(x, kernel, _halved, _up_for_cpu, _strided_kernel_gradient)


def _halved(x, kernel):
    if winograd.fits(x, *kernel.shape[2:], stride=2):
        return winograd.conv2d_down(x, kernel)
    return _strided(x, kernel)


def _up_for_cpu(x, kernel):
    return _bilinear(x, kernel, _transposed, _down_for_cpu, lambda inputs, upstream: _strided_kernel_gradient(upstream, inputs))


def _strided_kernel_gradient(x, upstream):
    """Gradient of `conv2d_down` by its kernel: x [N, 2H, 2W, in] and upstream [N, H, W, out] to [4, 4, in, out]."""
    maps = x.shape[-1], upstream.shape[-1]

    def sums(inputs, outputs):
        if winograd.fits(outputs, *maps):
            return winograd.strided_kernel_gradient(inputs, outputs)
        return _sum_over_pixels(inputs, outputs, 4, 2) if min(maps) >= _WIDE_FEATURES else _strided_sum_of_tensorflow(inputs, outputs)

    return _bilinear(x, upstream, sums, lambda kernel, outputs: _up_for_cpu(outputs, kernel), _down_for_cpu)


def _plain(x, kernel):
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")


def _strided_sum_of_tensorflow(x, upstream):
    sizes = [4, 4, x.shape[-1], upstream.shape[-1]]
    return tf.raw_ops.Conv2DBackpropFilter(input=x, filter_sizes=sizes, out_backprop=upstream, strides=[1, 2, 2, 1], padding="SAME")


def _strided(x, kernel):
    return tf.nn.conv2d(x, kernel, strides=2, padding="SAME")


def _transposed(x, kernel):
    batch, height, width, _ = x.shape
    output_shape = [tf.shape(x)[0] if batch is None else batch, height * 2, width * 2, kernel.shape[2]]
    return tf.nn.conv2d_transpose(x, kernel, output_shape, strides=2, padding="SAME")


# A function of its own: one node of the graph for each use, traced once for each shape. A stage has dozens of uses.
@tf.function(autograph=False)
def _sum_over_pixels(x, upstream, size, stride):
    """Sum of x [N, sH, sW, in], seen through each tap of a kernel, times upstream [N, H, W, out]: [size, size, in, out].

    A product for each row of taps: wide matrices reach what the machine can, and one for all taps would copy x size^2 times at once.
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
