"""Changes of resolution with a low-pass filter, alone and around a convolution: pixels are spread by 2, or every second is kept.

The filter is the outer product of `taps` with itself, divided by its sum; (1, 3, 3, 1) in StyleGAN2. Outside of an image are zeros.

Source: Karras et al. 2020, appendix B ("bilinear filtering"), with the paddings of the original release.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from stylegan_tf.layers.convolution import conv2d


def upsample2d(x: tf.Tensor, taps: Sequence[float]) -> tf.Tensor:
    """Spreads the pixels with zeros between them and filters: [N, H, W, C] to [N, 2H, 2W, C], of the same mean."""
    _, height, width, channels = x.shape
    x = tf.pad(x[:, :, None, :, None], [[0, 0], [0, 0], [0, 1], [0, 0], [0, 1], [0, 0]])  # [N, H, 2, W, 2, C]
    x = tf.reshape(x, [-1, 2 * height, 2 * width, channels])
    return filter2d(x, taps, padding=((len(taps) + 1) // 2, len(taps) // 2 - 1), gain=4.0)


def downsample2d(x: tf.Tensor, taps: Sequence[float]) -> tf.Tensor:
    """Filters and keeps every second pixel: [N, 2H, 2W, C] to [N, H, W, C]."""
    return filter2d(x, taps, padding=((len(taps) - 1) // 2, len(taps) // 2 - 1), stride=2)


def upsample2d_conv2d(x: tf.Tensor, kernel: tf.Tensor, taps: Sequence[float]) -> tf.Tensor:
    """What a convolution of `upsample2d(x)` is but for the border: spread and convolved in one operation, filtered afterwards.

    Args:
        x: [N, H, W, in].
        kernel: [3, 3, in, out], with the meaning it has in `conv2d`.
        taps: of the filter, two or more.

    Returns:
        [N, 2H, 2W, out].
    """
    batch, height, width, _ = x.shape
    turned = tf.transpose(tf.reverse(kernel, [0, 1]), [0, 1, 3, 2])  # a transposed convolution applies its kernel turned
    shape = [tf.shape(x)[0] if batch is None else batch, 2 * height + 1, 2 * width + 1, kernel.shape[3]]
    x = tf.nn.conv2d_transpose(x, turned, shape, strides=2, padding="VALID")
    return filter2d(x, taps, padding=((len(taps) - 1) // 2, len(taps) // 2 - 1), gain=4.0)


def conv2d_downsample2d(x: tf.Tensor, kernel: tf.Tensor, taps: Sequence[float]) -> tf.Tensor:
    """Filters, then convolves with stride 2: [N, 2H, 2W, in] and [k, k, in, out] to [N, H, W, out], k = 1 or 3."""
    size = kernel.shape[0]
    if size == 1:
        return conv2d(downsample2d(x, taps), kernel)
    x = filter2d(x, taps, padding=(size // 2 + (len(taps) - 1) // 2, size // 2 + len(taps) // 2 - 1))
    return tf.nn.conv2d(x, kernel, strides=2, padding="VALID")


def filter2d(x: tf.Tensor, taps: Sequence[float], *, padding: tuple[int, int], gain: float = 1.0, stride: int = 1) -> tf.Tensor:
    """Convolves every feature map of [N, H, W, C] with the filter.

    Args:
        x: any float dtype.
        taps: of the filter along one axis.
        padding: zeros before and after, along both axes.
        gain: factor of the result.
        stride: 2 keeps every second pixel.
    """
    row = np.asarray(taps, np.float64)[::-1] / np.sum(taps)
    kernel = np.tile(np.outer(row, row)[:, :, None, None] * gain, [1, 1, x.shape[-1], 1])
    x = tf.pad(x, [[0, 0], padding, padding, [0, 0]])
    return tf.nn.depthwise_conv2d(x, tf.constant(kernel, x.dtype), strides=[1, stride, stride, 1], padding="VALID")
