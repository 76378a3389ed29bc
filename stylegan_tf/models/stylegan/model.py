"""How a StyleGAN is trained: one step of D, one of G, w_avg after both, styles mixed from two latents."""

import functools

import tensorflow as tf

from stylegan_tf.losses import loss_of_discriminator, loss_of_generator, penalties
from stylegan_tf.models.adversarial import discriminator_terms, generator_terms
from stylegan_tf.models.base import Context, Model, Part, Phase
from stylegan_tf.models.stylegan import transfer
from stylegan_tf.models.stylegan.discriminator import Discriminator
from stylegan_tf.models.stylegan.generator import Generator
from stylegan_tf.models.stylegan.synthesis import num_features
from stylegan_tf.models.weights import move_averages
from stylegan_tf.resolution import Lod


class StyleGAN(Model):
    """StyleGAN's phases: [D, G]. The average of G is taken between the two, as in the original release.

    Source: Karras et al. 2019.
    """

    name = "stylegan"
    Generator = Generator
    Discriminator = Discriminator
    noise_mode = "random"  # of the synthesis network in training

    def phases(self, settings, G, D, running):
        all_penalties = penalties(settings.loss)
        lazy = {penalty.name: penalty.every for penalty in all_penalties if getattr(penalty, "every", 1) > 1}

        def sample(part: Part, labels: tf.Tensor, context: Context):
            return _sample(G, part, labels, context.lod, self.noise_mode)

        def move_w_avg(step):
            if G.settings.w_avg_beta is not None:
                move_averages([G.w_avg.value], [step.sums["w"]], G.settings.w_avg_beta)

        def after_step_of_discriminator(step):
            move_w_avg(step)
            step.average_generator()

        D_terms = functools.partial(discriminator_terms, sample=sample, loss=loss_of_discriminator(settings.loss), penalties=all_penalties)
        G_terms = functools.partial(generator_terms, sample=sample, loss=loss_of_generator(settings.loss))
        return [
            Phase("D", "D", D_terms, times=settings.loss.D_steps, shows_reals=True, lazy=lazy, after=after_step_of_discriminator),
            Phase("G", "G", G_terms, after=move_w_avg),
        ]

    def own_inputs(self, settings, seed, minibatch, lod):
        """A second latent, and the first layer that takes it; nothing where no styles are mixed."""
        if not settings.G.style_mixing_prob:
            return {}, {}
        seeds = {purpose: tf.random.experimental.stateless_fold_in(seed, purpose) for purpose in (1, 2, 3)}
        num_layers = num_layers_at(settings.data.resolution, lod)
        is_mixed = tf.random.stateless_uniform([], seeds[2]) < settings.G.style_mixing_prob
        cutoff = tf.random.stateless_uniform([], seeds[3], 1, max(num_layers, 2), tf.int32)
        z_mix = tf.random.stateless_normal([minibatch, settings.G.z_dim], seeds[1])
        return {"z_mix": z_mix}, {"mixing_cutoff": tf.where(is_mixed, cutoff, num_layers)}

    def feature_maps(self, settings, side, resolution):
        return num_features(settings, side)

    def frozen(self, weight_names, num_layers):
        """The first convolutions, and all FromRGB with them."""
        return transfer.frozen(weight_names, num_layers)

    def resized(self, name, source, fresh, old_settings, new_settings):
        return transfer.resized(name, source, fresh, keeps_scale=old_settings.use_wscale and new_settings.use_wscale)


MODEL = StyleGAN()


def num_layers_at(resolution: int, lod: Lod) -> int:
    """Style layers in use at a level of detail, the bound of the mixing cutoff."""
    return 2 * (resolution.bit_length() - 2) - 2 * lod.floor


def _sample(G: Generator, part: Part, labels: tf.Tensor, lod: Lod, noise_mode: str):
    """Images of the part, and the weighted sum of its w (before mixing) for w_avg."""
    z_mix = part.own.get("z_mix")
    if z_mix is None:
        w = G.mapping.map_once(part.z, labels)
        ws = G.copy_styles(w)
    else:
        w, w_mix = tf.split(G.mapping.map_once(tf.concat([part.z, z_mix], axis=0), tf.concat([labels, labels], axis=0)), 2)
        ws = G.mix_styles(w, w_mix, part.shared["mixing_cutoff"])
    images = G.synthesis(ws, noise_mode=noise_mode, lod=lod, noise_seed=part.noise_seed)
    return images, {"w": tf.reduce_sum(w * part.weights[:, None], axis=0)}
