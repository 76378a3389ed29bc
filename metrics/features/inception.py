"""The Inception of 2015-12-05 in TensorFlow: images in, 2048 pool features out."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from metrics.networks.conversion import INCEPTION_LAYERS
from stylegan_tf.cpu.bfloat16 import has_bfloat16

INCEPTION_SIZE = 299


def legacy_tensorflow(images: tf.Tensor) -> tf.Tensor:
    """Bilinear to 299x299 as in TensorFlow 1: corner pixels are not centred, and shrinking does not average."""
    size = [INCEPTION_SIZE, INCEPTION_SIZE]
    return tf.raw_ops.ResizeBilinear(images=tf.cast(images, tf.float32), size=size, align_corners=False, half_pixel_centers=False)


def clean(images: tf.Tensor) -> tf.Tensor:
    """Bicubic to 299x299 with antialiasing, as PIL does it on float images, clipped to [0, 255] (Parmar et al. 2022, arXiv:2104.11222)."""
    size = [INCEPTION_SIZE, INCEPTION_SIZE]
    resized = tf.image.resize(tf.cast(images, tf.float32), size, method=tf.image.ResizeMethod.BICUBIC, antialias=True)
    return tf.clip_by_value(resized, 0.0, 255.0)  # the filter overshoots at edges


RESIZES = {"legacy_tensorflow": legacy_tensorflow, "clean": clean}
# Names in protocols. Scores of "clean" without the clipping exist under that name alone, and differ by up to 1.5 %.
RESIZE_PROTOCOLS = {"legacy_tensorflow": "legacy_tensorflow", "clean": "clean, clipped"}
# Part of the protocol of every score in bfloat16: rounding otherwise gives other numbers.
ROUNDING = "bfloat16 with weights in two parts, float32 down to 35x35"


class Inception:
    """Pool features of uint8 images. Weights are constants on the device that was current when it was created.

    Args:
        weights: "NAME/kernel" [kh, kw, in, out] and "NAME/bias" [out] of every layer, batch norm folded in.
        resize: name of the resize to 299x299 (`RESIZES`).
        precision: "float32", or "bfloat16" for the convolutions behind the blocks at 35x35 (features are float32 in either case). A
            processor without such arithmetic computes in float32 and rounds the input and output of each layer, which gives the numbers
            of a processor that has it, up to the order of sums.

    Source: Szegedy et al. 2015, arXiv:1512.00567, as the frozen graph of 2015-12-05 that FID is defined with.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], *, resize: str = "legacy_tensorflow", precision: str = "float32"):
        self.resize = RESIZES[resize]
        is_emulated = not has_bfloat16()
        self._convolutions = {}
        self._late_dtype = tf.bfloat16 if precision == "bfloat16" else tf.float32  # of images from 17x17 on
        for name in INCEPTION_LAYERS:
            kernel, bias = weights[f"{name}/kernel"], weights[f"{name}/bias"]
            if precision == "bfloat16" and is_rounded(name):
                self._convolutions[name] = RoundedConvolution(kernel, bias, is_emulated=is_emulated)
            else:
                self._convolutions[name] = _Convolution(kernel, bias)
        self._run = tf.function(self._forward, input_signature=[tf.TensorSpec([None, None, None, None], tf.uint8)])

    def __call__(self, images) -> tf.Tensor:
        """uint8 images [N, H, W, 1 or 3] -> float32 features [N, 2048]."""
        return self._run(images)

    def _forward(self, images):
        if images.shape[-1] != 3:  # grey images become RGB
            images = tf.cond(tf.shape(images)[-1] == 1, lambda: tf.repeat(images, 3, -1), lambda: images)
        images = self.resize(images)
        x = self._stem((images - 128) / 128)
        for name in ("mixed", "mixed_1", "mixed_2"):
            x = self._block_a(x, name)
        x = self._block_b(tf.cast(x, self._late_dtype), "mixed_3")
        for name in ("mixed_4", "mixed_5", "mixed_6", "mixed_7"):
            x = self._block_c(x, name)
        x = self._block_d(x, "mixed_8")
        x = self._block_e(x, "mixed_9", pool=_average_pool)
        # The last block pools the maximum: a peculiarity of that graph.
        x = self._block_e(x, "mixed_10", pool=lambda x: tf.nn.max_pool2d(x, 3, 1, "SAME"))
        return tf.reduce_mean(tf.cast(x, tf.float32), axis=[1, 2])

    def _conv(self, x, name: str, *, stride: int = 1, padding: str = "SAME"):
        return tf.nn.relu(self._convolutions[name](x, stride, padding))

    def _tower(self, x, *names: str):
        for name in names:
            x = self._conv(x, name)
        return x

    def _stem(self, x):
        x = self._conv(x, "conv", stride=2, padding="VALID")  # [N, 149, 149, 32]
        x = self._conv(x, "conv_1", padding="VALID")
        x = _max_pool(self._conv(x, "conv_2"))  # [N, 73, 73, 64]
        x = self._conv(x, "conv_3")
        return _max_pool(self._conv(x, "conv_4", padding="VALID"))  # [N, 35, 35, 192]

    def _block_a(self, x, name: str):
        return _concatenated(
            self._conv(x, f"{name}/conv"),
            self._tower(x, f"{name}/tower/conv", f"{name}/tower/conv_1"),
            self._tower(x, f"{name}/tower_1/conv", f"{name}/tower_1/conv_1", f"{name}/tower_1/conv_2"),
            self._conv(_average_pool(x), f"{name}/tower_2/conv"),
        )

    def _block_b(self, x, name: str):
        tower = self._tower(x, f"{name}/tower/conv", f"{name}/tower/conv_1")
        return _concatenated(
            self._conv(x, f"{name}/conv", stride=2, padding="VALID"),
            self._conv(tower, f"{name}/tower/conv_2", stride=2, padding="VALID"),
            _max_pool(x),
        )

    def _block_c(self, x, name: str):
        return _concatenated(
            self._conv(x, f"{name}/conv"),
            self._tower(x, *(f"{name}/tower/conv{i}" for i in ("", "_1", "_2"))),
            self._tower(x, *(f"{name}/tower_1/conv{i}" for i in ("", "_1", "_2", "_3", "_4"))),
            self._conv(_average_pool(x), f"{name}/tower_2/conv"),
        )

    def _block_d(self, x, name: str):
        tower = self._conv(x, f"{name}/tower/conv")
        tower_1 = self._tower(x, *(f"{name}/tower_1/conv{i}" for i in ("", "_1", "_2")))
        return _concatenated(
            self._conv(tower, f"{name}/tower/conv_1", stride=2, padding="VALID"),
            self._conv(tower_1, f"{name}/tower_1/conv_3", stride=2, padding="VALID"),
            _max_pool(x),
        )

    def _block_e(self, x, name: str, *, pool):
        tower = self._conv(x, f"{name}/tower/conv")
        tower_1 = self._tower(x, f"{name}/tower_1/conv", f"{name}/tower_1/conv_1")
        return _concatenated(
            self._conv(x, f"{name}/conv"),
            self._conv(tower, f"{name}/tower/mixed/conv"),
            self._conv(tower, f"{name}/tower/mixed/conv_1"),
            self._conv(tower_1, f"{name}/tower_1/mixed/conv"),
            self._conv(tower_1, f"{name}/tower_1/mixed/conv_1"),
            self._conv(pool(x), f"{name}/tower_2/conv"),
        )


class _Convolution:
    def __init__(self, kernel: np.ndarray, bias: np.ndarray):
        self._kernel, self._bias = tf.constant(kernel), tf.constant(bias)

    def __call__(self, x, stride: int, padding: str) -> tf.Tensor:
        return tf.nn.bias_add(tf.nn.conv2d(x, self._kernel, stride, padding), self._bias)


def is_rounded(layer: str) -> bool:
    """Whether a layer of Inception computes in bfloat16: all after the stem and the three blocks at 35x35.

    Rounding turns smooth areas into steps, which edge filters respond to: the stem alone changes features by 2.1 %, the
    blocks at 35x35 by 0.6 %, all others together by 0.3 %. With the stem alone in float32, FID was off by 0.102 %.
    """
    return "/" in layer and layer.split("/")[0] not in ("mixed", "mixed_1", "mixed_2")


class RoundedConvolution:
    """A convolution of bfloat16 with sums in float32.

    Each weight is the sum of two bfloat16 numbers (16 bits, where one number has 8): the input is
    repeated once, and one convolution multiplies it with the first and the second parts. The bias is the weight of two
    channels of ones, so that the sum is rounded once.

    Args:
        kernel: float32 [kh, kw, in, out], kh and kw odd.
        bias: float32 [out].
        is_emulated: convolve in float32, which gives the same numbers where the hardware has no bfloat16: TensorFlow's own fallback
            also sums in bfloat16, which changed FID by 1 %.
    """

    def __init__(self, kernel: np.ndarray, bias: np.ndarray, *, is_emulated: bool):
        height, width, _, features_out = kernel.shape
        of_ones = np.zeros((height, width, 1, features_out), np.float32)
        of_ones[height // 2, width // 2, 0] = bias  # the centre is never in the padding
        parts = [*two_parts(kernel), *two_parts(of_ones)]
        self._kernel = tf.constant(np.concatenate(parts, axis=2), tf.float32 if is_emulated else tf.bfloat16)

    def __call__(self, x, stride: int, padding: str) -> tf.Tensor:
        """Any float [N, H, W, in] -> bfloat16 [N, H', W', out]."""
        x = tf.cast(tf.cast(x, tf.bfloat16), self._kernel.dtype)
        x = tf.concat([x, x, tf.ones_like(x[..., :2])], axis=-1)
        return tf.cast(tf.nn.conv2d(x, self._kernel, stride, padding), tf.bfloat16)


def two_parts(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two float32 arrays, each exact in bfloat16, whose sum is `values` to 2^-17 of each."""
    values = np.asarray(values, np.float32)
    first = _nearest(values)
    return first, _nearest(values - first)


def _nearest(values: np.ndarray) -> np.ndarray:
    return values.astype(tf.bfloat16.as_numpy_dtype).astype(np.float32)


def _concatenated(*branches):
    return tf.concat(branches, axis=-1)


def _max_pool(x):
    return tf.nn.max_pool2d(x, 3, 2, "VALID")


def _average_pool(x):
    """At the border only existing pixels count. Sums are float32, which not every processor does for bfloat16."""
    return tf.cast(tf.nn.avg_pool2d(tf.cast(x, tf.float32), 3, 1, "SAME"), x.dtype)
