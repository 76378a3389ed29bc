"""How images reach the size a network expects; every way has a name, because it is part of a score's protocol."""

import tensorflow as tf

INCEPTION_SIZE = 299


def legacy_tensorflow(images: tf.Tensor) -> tf.Tensor:
    """Bilinear to 299x299 as in TensorFlow 1: corner pixels are not centred, and shrinking does not average."""
    size = [INCEPTION_SIZE, INCEPTION_SIZE]
    return tf.raw_ops.ResizeBilinear(images=tf.cast(images, tf.float32), size=size, align_corners=False, half_pixel_centers=False)


def clean(images: tf.Tensor) -> tf.Tensor:
    """Bicubic to 299x299 with antialiasing, as PIL does it on float images (Parmar et al. 2022)."""
    size = [INCEPTION_SIZE, INCEPTION_SIZE]
    return tf.image.resize(tf.cast(images, tf.float32), size, method=tf.image.ResizeMethod.BICUBIC, antialias=True)


RESIZES = {"legacy_tensorflow": legacy_tensorflow, "clean": clean}
