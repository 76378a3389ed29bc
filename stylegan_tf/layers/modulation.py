"""Application of styles to feature maps: adaptive instance normalisation (AdaIN)."""

import functools

import tensorflow as tf

from stylegan_tf.cpu.derivatives import recomputed_in_backward_pass
from stylegan_tf.cpu.paths import replaced_by
from stylegan_tf.layers.gpu import few_passes
from stylegan_tf.layers.normalization import EPSILON, instance_norm


@replaced_by(gpu=functools.partial(few_passes.adain, epsilon=EPSILON))
@recomputed_in_backward_pass
def adain(x: tf.Tensor, styles: tf.Tensor) -> tf.Tensor:
    """Normalises every feature map of every sample, then scales and shifts it by its style, as `modulate`.

    Source: Huang and Belongie 2017; Karras et al. 2019, equation 1.
    """
    return modulate(instance_norm(x), styles)


def modulate(x: tf.Tensor, styles: tf.Tensor) -> tf.Tensor:
    """Scales and shifts every feature map by its style: AdaIN without the normalisation.

    Args:
        x: [N, H, W, C] activations, any float dtype.
        styles: [N, 2C]. The first C are scale - 1, the others shift.

    Returns:
        [N, H, W, C], dtype of `x`.

    Raises:
        ValueError: `x` and `styles` disagree on C.

    Source: Karras et al. 2019, equation 1.
    """
    channels = x.shape[-1]
    if styles.shape[-1] != 2 * channels:
        raise ValueError(f"Expected styles [N, {2 * channels}] for {channels} feature maps. Received: styles{list(styles.shape)}")
    scale, shift = tf.split(tf.reshape(styles, [-1, 1, 1, 2 * channels]), 2, axis=-1)
    return x * (scale + 1) + shift
