"""Convolutions and matrix products as TensorFlow defines them; `cpu/paths.py` replaces them by faster ones."""

import numpy as np
import tensorflow as tf

from stylegan_tf.cpu import bfloat16
from stylegan_tf.cpu import convolution as fast
from stylegan_tf.cpu.paths import replaced_by
from stylegan_tf.layers.gpu import blur


@replaced_by(bfloat16.matmul)
def matmul(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Matrix product: [N, in] and [in, out] to [N, out]."""
    return tf.matmul(a, b)


@replaced_by(fast.conv2d)
def conv2d(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves with an odd kernel and SAME padding: [N, H, W, in] and [k, k, in, out] to [N, H, W, out]."""
    return tf.nn.conv2d(x, kernel, strides=1, padding="SAME")


@replaced_by(fast.conv2d_down)
def conv2d_down(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolves with stride 2: [N, 2H, 2W, in] and [4, 4, in, out] to [N, H, W, out]."""
    return tf.nn.conv2d(x, kernel, strides=2, padding="SAME")


@replaced_by(fast.conv2d_up)
def conv2d_up(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The transpose of `conv2d_down`: [N, H, W, in] and [4, 4, out, in] to [N, 2H, 2W, out]."""
    batch, height, width, _ = x.shape
    output_shape = [tf.shape(x)[0] if batch is None else batch, height * 2, width * 2, kernel.shape[2]]
    return tf.nn.conv2d_transpose(x, kernel, output_shape, strides=2, padding="SAME")


@replaced_by(fast.filter2d, gpu=blur.filter2d)
def filter2d(x: tf.Tensor, kernel: np.ndarray) -> tf.Tensor:
    """Convolves every feature map with one symmetric kernel [k, k] and SAME padding: [N, H, W, C] to [N, H, W, C]."""
    depthwise = tf.constant(np.tile(kernel[:, :, None, None], [1, 1, x.shape[-1], 1]), x.dtype)
    return tf.nn.depthwise_conv2d(x, depthwise, strides=[1, 1, 1, 1], padding="SAME")
