"""The adaptive strength of ADA: it rises or falls with the signs of D's logits for real images."""

from typing import NamedTuple

import tensorflow as tf


class Control(NamedTuple):
    """State of the controller, float32 scalars."""

    p: tf.Tensor  # strength, the chance of each transform
    sign_sum: tf.Tensor  # sum of the signs of D's logits for real images since the last adjustment
    count: tf.Tensor  # real images shown since then


FIRST = Control(0.0, 0.0, 0.0)


def after_iteration(control: Control, sign: tf.Tensor, images: int, *, target: float, interval: int, kimg: float, cap: float) -> Control:
    """The state after an iteration; in every `interval`-th one, p moves by the images since the last adjustment / (1000 kimg).

    Args:
        sign: mean sign of D's logits for the real images of the iteration, as D saw them.
        images: real images that an iteration shows.
        target: mean sign above which p rises and below which it falls.
        interval: iterations between two adjustments. Where the minibatch changes in between, the images of `interval` new ones.
        kimg: thousand images in which p can change by 1.

    Source: Karras et al. 2020, "Training generative adversarial networks with limited data", section 3.1; the cap is ours.
    """
    sign_sum, count = control.sign_sum + sign * images, control.count + images
    is_due = count >= interval * images
    moved = control.p + tf.sign(sign_sum / count - target) * count / (1000.0 * kimg)
    return Control(
        p=tf.where(is_due, tf.clip_by_value(moved, 0.0, cap), control.p),
        sign_sum=tf.where(is_due, 0.0, sign_sum),
        count=tf.where(is_due, 0.0, count),
    )
