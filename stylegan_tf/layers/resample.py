"""Changes of resolution that keep NHWC: blur, nearest upscale, mean downscale, and the two fused with a convolution."""

import functools

import numpy as np
import tensorflow as tf

from stylegan_tf.cpu.bfloat16 import summed_in_float32
from stylegan_tf.cpu.convolution import conv2d, conv2d_down, conv2d_up
from stylegan_tf.cpu.derivatives import with_derivatives


def blur2d(x: tf.Tensor, blur_filter: tuple[float, ...] = (1, 2, 1), *, normalize: bool = True) -> tf.Tensor:
    """Blurs every feature map with the outer product of a symmetric filter, zeros outside the image.

    Args:
        x: [N, H, W, C] activations, any float dtype.
        blur_filter: taps of the one-dimensional filter.
        normalize: divide by the sum of the taps.

    Returns:
        [N, H, W, C]. Its gradient, and the gradient of that, are the same blur.

    Source: the original release; see docs/architecture.md on even filters, whose SAME padding is one-sided.
    """
    kernel = _blur_kernel(tuple(blur_filter), normalize)
    return summed_in_float32(lambda inputs: _symmetric_blur(inputs, kernel), x)


@functools.cache
def _blur_kernel(taps: tuple[float, ...], normalize: bool) -> np.ndarray:
    kernel = np.outer(taps, taps).astype(np.float32)
    return kernel / kernel.sum() if normalize else kernel


def _symmetric_blur(x: tf.Tensor, kernel: np.ndarray) -> tf.Tensor:
    def blur(inputs):
        depthwise = tf.constant(np.tile(kernel[:, :, None, None], [1, 1, inputs.shape[-1], 1]), inputs.dtype)
        return tf.raw_ops.DepthwiseConv2dNative(input=inputs, filter=depthwise, strides=[1, 1, 1, 1], padding="SAME")

    # TensorFlow's own gradient of a depthwise convolution takes a slow kernel on CPUs; the blur is its own gradient.
    return with_derivatives(blur, lambda upstream, _: [_symmetric_blur(upstream, kernel)], x)


def upscale2d(x: tf.Tensor, factor: int = 2) -> tf.Tensor:
    """Repeats every pixel `factor` times both ways: [N, H, W, C] to [N, H * factor, W * factor, C]."""
    if factor == 1:
        return x
    _, height, width, channels = x.shape
    x = tf.reshape(x, [-1, height, 1, width, 1, channels])
    x = tf.tile(x, [1, 1, factor, 1, factor, 1])
    return tf.reshape(x, [-1, height * factor, width * factor, channels])


def downscale2d(x: tf.Tensor, factor: int = 2) -> tf.Tensor:
    """Means of `factor` x `factor` pixels: [N, H, W, C] to [N, H / factor, W / factor, C]."""
    if factor == 1:
        return x
    return tf.nn.avg_pool2d(x, factor, factor, "VALID")


def upscale2d_conv2d(x: tf.Tensor, kernel: tf.Tensor, *, is_fused: bool) -> tf.Tensor:
    """Nearest upscale by 2, then convolution; `is_fused` does both in one transposed convolution.

    Args:
        x: [N, H, W, in].
        kernel: [3, 3, in, out], of one meaning in both forms.
        is_fused: a matter of speed alone; the results agree to rounding.

    Returns:
        [N, 2H, 2W, out].

    Source: the original release, whose fused form applies the kernel rotated by 180 degrees. Here it is turned first.
    """
    if not is_fused:
        return conv2d(upscale2d(x), kernel)
    return conv2d_up(x, tf.transpose(_spread_kernel(kernel, is_turned=True), [0, 1, 3, 2]))


def conv2d_downscale2d(x: tf.Tensor, kernel: tf.Tensor, *, is_fused: bool) -> tf.Tensor:
    """Convolution, then 2x2 means; `is_fused` does both in one strided convolution.

    Args:
        x: [N, H, W, in].
        kernel: [3, 3, in, out].
        is_fused: a matter of speed alone; the results agree to rounding.

    Returns:
        [N, H / 2, W / 2, out].
    """
    if not is_fused:
        return downscale2d(conv2d(x, kernel))
    return conv2d_down(x, _spread_kernel(kernel, scale=0.25))


def _spread_kernel(kernel: tf.Tensor, *, is_turned: bool = False, scale: float = 1.0) -> tf.Tensor:
    """Sums the four 1-shifts of a 3x3 kernel, turned by 180 degrees where asked, into a 4x4 one: [3, 3, a, b] to [4, 4, a, b]."""
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
