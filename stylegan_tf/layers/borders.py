"""Images inside of a network that are smaller or larger than those of the dataset: a border is left out, the rest resized."""

import tensorflow as tf

BLACK = -1.0


def without_border(images: tf.Tensor, border: int, side: int) -> tf.Tensor:
    """[N, R, R, C] without `border` rows on each side, resized to [N, side, side, C]."""
    inner = images.shape[1] - border
    return resized(images[:, border:inner, border:inner], side)


def with_border(images: tf.Tensor, border: int, resolution: int) -> tf.Tensor:
    """The way back: [N, side, side, C] to [N, R, R, C] with a black border."""
    margin = [border, border]
    return tf.pad(resized(images, resolution - 2 * border), [[0, 0], margin, margin, [0, 0]], constant_values=BLACK)


def resized(images: tf.Tensor, side: int) -> tf.Tensor:
    """[N, S, S, C] to [N, side, side, C]: pixel i of the result lies at i * S / side, between the two nearest.

    Source: `tf.image.resize_images` of TensorFlow 1, with which the study's code enlarges digits.
    """
    if images.shape[1] == side:
        return images
    return tf.raw_ops.ResizeBilinear(images=images, size=[side, side], align_corners=False, half_pixel_centers=False)
