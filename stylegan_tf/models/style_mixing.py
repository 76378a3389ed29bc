"""Styles in training: mixing, where the layers from a cutoff on get the w of a second latent, and the average of w.

Source: Karras et al. 2019, section 3.1; one coin and one cutoff for the whole batch, as in the releases of StyleGAN and StyleGAN2-ADA.
"""

import tensorflow as tf

from stylegan_tf.models.adversarial import Sample
from stylegan_tf.models.base import AfterStep, Context, Part, StyleGenerator, Tensor
from stylegan_tf.models.weights import move_averages
from stylegan_tf.settings import NetworkSettings


def inputs(settings: NetworkSettings, seed: Tensor, minibatch: int, *, num_layers: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The random inputs that `ws_of_part` needs, for `Model.own_inputs`; nothing where no styles are mixed.

    Args:
        settings: of the generator, with `style_mixing_prob` and `z_dim`.
        seed: int32 [2]; purposes 1, 2 and 3 of `stateless_fold_in` are used.
        num_layers: layers that take a w.

    Returns:
        `z_mix` [minibatch, z_dim], and shared by all samples `mixing_cutoff`, the first layer that takes it.
    """
    if not settings.style_mixing_prob:
        return {}, {}
    seeds = {purpose: tf.random.experimental.stateless_fold_in(seed, purpose) for purpose in (1, 2, 3)}
    is_mixed = tf.random.stateless_uniform([], seeds[2]) < settings.style_mixing_prob
    cutoff = tf.random.stateless_uniform([], seeds[3], 1, max(num_layers, 2), tf.int32)
    z_mix = tf.random.stateless_normal([minibatch, settings.z_dim], seeds[1])
    return {"z_mix": z_mix}, {"mixing_cutoff": tf.where(is_mixed, cutoff, num_layers)}


def ws_of_part(G: StyleGenerator, part: Part, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """ws [n, num_ws, w_dim] of the samples of a part, mixed; and the weighted sum "w" of their w before mixing, for w_avg."""
    z_mix = part.own.get("z_mix")
    if z_mix is None:
        w = G.mapping.map_once(part.z, labels)
        ws = G.copy_styles(w)
    else:
        w, w_mix = tf.split(G.mapping.map_once(tf.concat([part.z, z_mix], axis=0), tf.concat([labels, labels], axis=0)), 2)
        ws = G.mix_styles(w, w_mix, part.shared["mixing_cutoff"])
    return ws, {"w": tf.reduce_sum(w * part.weights[:, None], axis=0)}


def sampler(G: StyleGenerator, noise_mode: str) -> Sample:
    """Images of the samples of a part, and the sum of their w, for the terms of `adversarial`."""

    def sample(part: Part, labels: Tensor, context: Context):
        ws, sums = ws_of_part(G, part, labels)
        return G.synthesis(ws, noise_mode=noise_mode, lod=context.lod, noise_seed=part.noise_seed), sums

    return sample


def move_w_avg(G: StyleGenerator, step: AfterStep) -> None:
    """Moves the average of w towards the mean of a step, if the settings keep one."""
    if G.settings.w_avg_beta is not None:
        move_averages([G.w_avg.value], [step.sums["w"]], G.settings.w_avg_beta)
