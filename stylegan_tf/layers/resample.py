"""Changes of resolution that keep NHWC: blur, nearest upscale, mean downscale, and the two fused with a convolution."""

import numpy as np
import tensorflow as tf

from stylegan_tf.cpu import convolution as fast
from stylegan_tf.cpu.paths import replaced_by
from stylegan_tf.layers.convolution import conv2d, conv2d_down, conv2d_up, filter2d


def blur2d(x: tf.Tensor, blur_filter: tuple[float, ...] = (1, 2, 1), *, normalize: bool = True) -> tf.Tensor:
    """Blurs every feature map with the outer product of a symmetric filter, zeros outside the image.

    Args:
        x: [N, H, W, C] activations, any float dtype.
        blur_filter: taps of the one-dimensional filter.
        normalize: divide by the sum of the taps.

    Returns:
        [N, H, W, C]. Its gradient, and the gradient of that, are the same blur.

    Source: the original release. A filter of even length is padded more at the end than at the start; its gradient is the same
    blur there and here, and the transpose only where the fast paths are off (`cpu/paths.py`).
    """
    kernel = np.outer(blur_filter, blur_filter).astype(np.float32)
    return filter2d(x, kernel / kernel.sum() if normalize else kernel)


def upscale2d(x: tf.Tensor, factor: int = 2) -> tf.Tensor:
    """Repeats every pixel `factor` times along both axes (nearest neighbour): [N, H, W, C] to [N, H * factor, W * factor, C]."""
    if factor == 1:
        return x
    _, height, width, channels = x.shape
    x = tf.reshape(x, [-1, height, 1, width, 1, channels])
    x = tf.tile(x, [1, 1, factor, 1, factor, 1])
    return tf.reshape(x, [-1, height * factor, width * factor, channels])


def downscale2d(x: tf.Tensor, factor: int = 2) -> tf.Tensor:
    """Averages `factor` x `factor` pixels: [N, H, W, C] to [N, H / factor, W / factor, C]."""
    if factor == 1:
        return x
    return tf.nn.avg_pool2d(x, factor, factor, "VALID")


def upscale2d_conv2d(x: tf.Tensor, kernel: tf.Tensor, *, is_fused: bool) -> tf.Tensor:
    """Nearest upscale by 2, then convolution; `is_fused` does both in one transposed convolution.

    Args:
        x: [N, H, W, in].
        kernel: [3, 3, in, out], with the same meaning in both forms.
        is_fused: affects speed only; the results agree to rounding.

    Returns:
        [N, 2H, 2W, out].

    Source: the original release, whose fused form applies the kernel rotated by 180 degrees. Here it is rotated first, which undoes that.
    """
    if not is_fused:
        return conv2d(upscale2d(x), kernel)
    return conv2d_up(x, tf.transpose(_spread_kernel(kernel, is_turned=True), [0, 1, 3, 2]))


def conv2d_downscale2d(x: tf.Tensor, kernel: tf.Tensor, *, is_fused: bool) -> tf.Tensor:
    """Convolution, then 2x2 means; `is_fused` does both in one strided convolution.

    Args:
        x: [N, H, W, in].
        kernel: [3, 3, in, out].
        is_fused: affects speed only; the results agree to rounding.

    Returns:
        [N, H / 2, W / 2, out].
    """
    if not is_fused:
        return downscale2d(conv2d(x, kernel))
    return conv2d_down(x, _spread_kernel(kernel, scale=0.25))


@replaced_by(fast.spread_kernel, on_gpus=True)
def _spread_kernel(kernel: tf.Tensor, *, is_turned: bool = False, scale: float = 1.0) -> tf.Tensor:
    """Sums the four 1-shifts of a 3x3 kernel, turned by 180 degrees on request, into a 4x4 one: [3, 3, a, b] to [4, 4, a, b]."""
    kernel = tf.reverse(kernel, [0, 1]) if is_turned else kernel
    padded = tf.pad(kernel * scale, [[1, 1], [1, 1], [0, 0], [0, 0]])
    return padded[1:, 1:] + padded[:-1, 1:] + padded[1:, :-1] + padded[:-1, :-1]
