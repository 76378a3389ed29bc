"""LPIPS v0.1 with VGG16: the perceptual distance between two images."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from stylegan_tf.layers.convolution import conv2d

# What LPIPS subtracts and divides by, for images in [-1, 1] (Zhang et al. 2018, version 0.1).
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_STAGES = (2, 2, 3, 3, 3)  # convolutions before each tap; with 2x2 maximum pooling between stages


class Lpips:
    """Distance between images [N, H, W, 1 or 3] in [-1, 1]. Weights are constants on the device that was current when it was created.

    Args:
        weights: "conv0/kernel" [3, 3, in, out], "conv0/bias" [out] ... "conv12/bias", "linear0" [64] ... "linear4" [512].

    Source: Zhang et al. 2018, arXiv:1801.03924.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]):
        self._convolutions = [
            (tf.constant(weights[f"conv{index}/kernel"]), tf.constant(weights[f"conv{index}/bias"])) for index in range(sum(_STAGES))
        ]
        self._linear = [tf.constant(weights[f"linear{index}"]) for index in range(len(_STAGES))]

    def __call__(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """float32 [N] distances between images with the same index in two batches."""
        count = tf.shape(first)[0]
        distance = tf.zeros([count])
        for tap, linear in zip(self._taps(tf.concat([first, second], axis=0)), self._linear, strict=True):
            unit = tap / (tf.norm(tap, axis=-1, keepdims=True) + 1e-10)
            difference = tf.math.squared_difference(unit[:count], unit[count:])  # [N, H, W, C]
            distance += tf.reduce_mean(tf.tensordot(difference, linear, axes=1), axis=[1, 2])
        return distance

    def _taps(self, images):
        """Activations after the last convolution of each stage, [N, H, W, C] at H, H/2, ... H/16."""
        x = (tf.cast(images, tf.float32) - _SHIFT) / _SCALE  # grey becomes RGB by broadcasting
        convolutions = iter(self._convolutions)
        for stage, length in enumerate(_STAGES):
            if stage:
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
            for _ in range(length):
                kernel, bias = next(convolutions)
                x = tf.nn.relu(tf.nn.bias_add(conv2d(x, kernel), bias))
            yield x
