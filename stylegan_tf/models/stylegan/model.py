"""How a StyleGAN is trained: one step of D, one of G, w_avg after both, styles mixed from two latents."""

import functools

from stylegan_tf.losses import loss_of_discriminator, loss_of_generator, penalties
from stylegan_tf.models import style_mixing
from stylegan_tf.models.adversarial import discriminator_terms, generator_terms, lazy_penalties
from stylegan_tf.models.base import Model, Phase
from stylegan_tf.models.stylegan import transfer
from stylegan_tf.models.stylegan.discriminator import Discriminator
from stylegan_tf.models.stylegan.generator import Generator
from stylegan_tf.models.stylegan.synthesis import num_features
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
        lazy = lazy_penalties(settings.loss)
        sample, move_w_avg = style_mixing.sampler(G, self.noise_mode), functools.partial(style_mixing.move_w_avg, G)

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
        return style_mixing.inputs(settings.G, seed, minibatch, num_layers=num_layers_at(settings.data.resolution, lod))

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
