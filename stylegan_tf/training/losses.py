"""The loss functions of both networks and their gradient penalties, one value a sample."""

from collections.abc import Callable

import tensorflow as tf


def generator_loss(fake_logits: tf.Tensor, kind: str) -> tf.Tensor:
    """Loss of G for each sample.

    Args:
        fake_logits: float32 [N, 1].
        kind: "logistic_nonsaturating", "logistic_saturating", "wgan" or "hinge".

    Returns:
        float32 [N].

    Source: Goodfellow et al. 2014 (logistic), Arjovsky et al. 2017 (wgan), Lim and Ye 2017 (hinge).
    """
    logits = fake_logits[:, 0]
    if kind == "logistic_nonsaturating":
        return tf.nn.softplus(-logits)  # -log(sigmoid(fake))
    if kind == "logistic_saturating":
        return -tf.nn.softplus(logits)  # log(1 - sigmoid(fake))
    if kind in ("wgan", "hinge"):
        return -logits
    raise ValueError(f"Unknown generator loss. Received: kind={kind!r}")


def loss_on_reals(logits: tf.Tensor, kind: str, *, drift: float = 0.001) -> tf.Tensor:
    """What real images add to the loss of D, for each sample, without gradient penalties.

    Args:
        logits: float32 [N, 1].
        kind: "logistic", "wgan", "wgan_gp", "hinge" or "hinge_gp".
        drift: weight of the squared logits, "wgan" and "wgan_gp" only.

    Returns:
        float32 [N].
    """
    real = logits[:, 0]
    if kind == "logistic":
        return tf.nn.softplus(-real)
    if kind in ("wgan", "wgan_gp"):
        return drift * tf.square(real) - real
    if kind in ("hinge", "hinge_gp"):
        return tf.nn.relu(1.0 - real)
    raise ValueError(f"Unknown discriminator loss. Received: kind={kind!r}")


def loss_on_fakes(logits: tf.Tensor, kind: str) -> tf.Tensor:
    """What generated images add to the loss of D; as `loss_on_reals`."""
    fake = logits[:, 0]
    if kind == "logistic":
        return tf.nn.softplus(fake)
    if kind in ("wgan", "wgan_gp"):
        return fake
    if kind in ("hinge", "hinge_gp"):
        return tf.nn.relu(1.0 + fake)
    raise ValueError(f"Unknown discriminator loss. Received: kind={kind!r}")


def logits_and_penalty(critic: Callable, images: tf.Tensor, *, lod_floor: int, loss_scale: tf.Tensor | float = 1.0):
    """Logits, and the squared norm of their gradient by the pixels, from one forward pass (R1 on reals, R2 on fakes).

    Args:
        critic: images [N, R, R, C] to logits [N, 1].
        images: float32 [N, R, R, C].
        lod_floor: the norm counts pixels of the full resolution: it is 4^-lod_floor times the norm over these pixels.
        loss_scale: factor that keeps half-precision gradients from vanishing; divided out again.

    Returns:
        logits [N, 1] and penalty [N], both float32. Multiply the penalty by gamma / 2.

    Source: Mescheder et al. 2018; the scale is the original release's, which repeats small images to full size.
    """
    logits, gradients = _input_gradients(critic, images, loss_scale)
    return logits, tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3]) * 4.0**-lod_floor


def mixed_image_penalty(critic: Callable, images: tf.Tensor, *, target: float, lod_floor: int, loss_scale: tf.Tensor | float = 1.0):
    """Squared distance of the gradient's norm from `target` on mixed images, divided by target^2 (WGAN-GP). Multiply by lambda.

    Args:
        critic: images [N, R, R, C] to logits [N, 1].
        images: float32 [N, R, R, C], mixed from reals and fakes.
        target: norm that the gradient is pulled to.
        lod_floor: at full size the norm is 2^-lod_floor times the norm over these pixels.
        loss_scale: as in `logits_and_penalty`.

    Returns:
        float32 [N].

    Source: Gulrajani et al. 2017, with the target of Karras et al. 2018.
    """
    _, gradients = _input_gradients(critic, images, loss_scale)
    norms = tf.sqrt(tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3])) * 2.0**-lod_floor
    return tf.square(norms - target) / target**2


def _input_gradients(critic, images, loss_scale):
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = critic(images)
        scaled = tf.reduce_sum(logits) * loss_scale
    return logits, tape.gradient(scaled, images) / loss_scale
