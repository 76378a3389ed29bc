"""How a StyleGAN2 is trained: a step of G, of its path lengths, of D, and of R1, each with an optimizer step of its own.

A step whose gradients are not finite is skipped, as for every model here. The release of StyleGAN2-ADA replaces NaN by 0 and infinity
by 1e5 in them and takes the step.
"""

import functools
from collections.abc import Iterator

from stylegan_tf.losses import loss_of_discriminator, loss_of_generator, penalties
from stylegan_tf.models import style_mixing
from stylegan_tf.models.adversarial import discriminator_terms, generator_terms
from stylegan_tf.models.base import Context, Model, Part, Phase, Values
from stylegan_tf.models.stylegan import transfer
from stylegan_tf.models.stylegan2.discriminator import StyleGAN2Discriminator
from stylegan_tf.models.stylegan2.generator import StyleGAN2Generator
from stylegan_tf.models.stylegan2.path_length import MEAN, PathLength, no_gradient
from stylegan_tf.models.stylegan2.settings import num_features


class StyleGAN2(Model):
    """StyleGAN2's phases: [G, G_pl, D, D_r1]; G_pl in every 4th iteration and D_r1 in every 16th unless the settings say otherwise.

    w_avg is moved after every step that maps latents, G_ema after the step of D, when G has taken all steps of the iteration.

    Source: Karras et al. 2020, section 3.2 and appendix B; order and details of the release of StyleGAN2-ADA.
    """

    name = "stylegan2"
    Generator = StyleGAN2Generator
    Discriminator = StyleGAN2Discriminator
    noise_mode = "random"  # of the synthesis network in training

    def phases(self, settings, G, D, running):
        sample, move_w_avg = style_mixing.sampler(G, self.noise_mode), functools.partial(style_mixing.move_w_avg, G)

        def after_step_of_discriminator(step):
            move_w_avg(step)
            step.average_generator()

        D_options = {"loss": loss_of_discriminator(settings.loss), "penalties": [], "draws_labels": True}
        D_terms = functools.partial(discriminator_terms, sample=sample, **D_options)
        G_terms = functools.partial(generator_terms, sample=sample, loss=loss_of_generator(settings.loss))
        phases = [Phase("G", "G", G_terms, after=move_w_avg)]
        if settings.path_length.weight:
            path = PathLength(settings.path_length, G, running[MEAN], noise_mode=self.noise_mode)

            def after_path_length(step):
                move_w_avg(step)
                path.move_mean(step)

            phases.append(
                Phase("G_pl", "G", path.terms, every=path.settings.interval, shrink=path.settings.shrink, own_inputs=path.inputs,
                      prepare=path.prepare, after=after_path_length)
            )  # fmt: skip
        phases.append(Phase("D", "D", D_terms, shows_reals=True, after=after_step_of_discriminator))
        for penalty in penalties(settings.loss):
            r1_terms = functools.partial(gradient_penalty_terms, D=D, penalty=penalty)
            phases.append(Phase("D_r1", "D", r1_terms, every=penalty.every, shows_reals=True))
        return phases

    def own_inputs(self, settings, seed, minibatch, lod):
        """A second latent, and the first layer that takes it; nothing where no styles are mixed."""
        return style_mixing.inputs(settings.G, seed, minibatch, num_layers=settings.G.num_ws(settings.data.resolution))

    def running_values(self, settings):
        """The mean of path lengths."""
        return {MEAN: 0.0} if settings.path_length.weight else {}

    def feature_maps(self, settings, side, resolution):
        return num_features(settings, side)

    def frozen(self, weight_names, num_layers):
        """The first convolutions, the 1x1 convolution around a block with the second of the two that it goes around, and FromRGB."""
        names = [name for name in weight_names if not name.startswith("mapping/")]
        chosen = transfer.frozen([name for name in names if "/skip/" not in name], num_layers)
        blocks = {name.split("/")[0] for name in chosen if "/conv1_down/" in name}
        return [name for name in names if name in chosen or ("/skip/" in name and name.split("/")[0] in blocks)]

    def resized(self, name, source, fresh, old_settings, new_settings):
        if name.startswith("4x4/dense1/") and source.shape[-1] != fresh.shape[-1]:
            return fresh, 0  # one logit, or features that the embedding of a label is multiplied by: neither becomes the other
        is_demodulated = name.startswith("synthesis/") and "/style/" not in name and "/to_rgb/" not in name
        return transfer.resized(name, source, fresh, keeps_scale=not is_demodulated, style_rows=1)


MODEL = StyleGAN2()


def gradient_penalty_terms(part: Part, context: Context, *, D: StyleGAN2Discriminator, penalty) -> Iterator:
    """R1 alone: gamma / 2 times the squared gradient of D by the real images, times the interval between two such steps."""

    def term(waits):
        options = {"lod_floor": 0, "loss_scale": context.loss_scale}
        _, norms = penalty.logits_and_penalty(lambda images: context.critic(images, part.real_labels), part.reals, **options)
        return Values(0.5 * context.gamma * penalty.every * norms + no_gradient(D), {"Loss/penalty": norms})

    yield term
