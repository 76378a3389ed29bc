"""Losses of one part of a minibatch and their gradients, for D and for G, on one device."""

import functools

import tensorflow as tf

from stylegan_tf.cpu.order import not_before
from stylegan_tf.resolution import Lod
from stylegan_tf.training import losses


class PartGradients:
    """Computes what one device adds to a step: gradients and statistics, both weighted by samples.

    Args:
        G, D: the networks.
        loss: a `settings.LossSettings`.
        noise_mode: of the synthesis network in training.
        D_variables, G_variables: dicts of name to tf.Variable that gradients are taken by.
    """

    def __init__(self, G, D, *, loss, noise_mode, G_variables, D_variables):
        self.G = G
        self.D = D
        self.loss = loss
        self.noise_mode = noise_mode
        self.G_variables = G_variables
        self.D_variables = D_variables

    def draw_fakes(self, part, labels, lod: Lod):
        """Images of the part, and the weighted sum of its w (before mixing) for w_avg."""
        doubled = None if labels is None else tf.concat([labels, labels], axis=0)
        w, w_mix = tf.split(self.G.mapping.map_once(tf.concat([part.z, part.z_mix], axis=0), doubled), 2)
        ws = self.G.mix_styles(w, w_mix, part.mixing_cutoff)
        images = self.G.synthesis(ws, noise_mode=self.noise_mode, lod=lod, noise_seed=part.noise_seed)
        return images, tf.reduce_sum(w * part.weights[:, None], axis=0)

    def for_discriminator(self, part, lod: Lod, gamma, loss_scale, is_regularised=True):
        """Gradients of D's loss. Reals and fakes share the reals' labels; lazy steps leave r1 and r2 out.

        Returns:
            dict of gradients by name (None where a variable took no part), dict of statistics, weighted sum of w.
        """
        fakes, w_sum = self.draw_fakes(part, part.real_labels, lod)
        fakes = tf.stop_gradient(fakes)
        part = part._replace(reals=not_before(fakes, part.reals))  # G's activations are gone before those of D come
        variables, statistics = list(self.D_variables.values()), {}
        gradients = [None] * len(variables)
        # One kind of image after the other: the activations of one are gone before those of the next come.
        for images, judge in self._judgements(part, fakes, lod, gamma, loss_scale, is_regularised):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(variables)
                values = judge(not_before([known for known in gradients if known is not None], images))
                total = tf.reduce_sum(values["Loss/D"] * part.weights) * loss_scale
            gradients = [_sum(*pair) for pair in zip(gradients, tape.gradient(total, variables), strict=True)]
            for name, value in values.items():
                statistics[name] = statistics.get(name, 0.0) + tf.reduce_sum(value * part.weights)
        return dict(zip(self.D_variables, gradients, strict=True)), statistics, w_sum

    def _judgements(self, part, fakes, lod, gamma, loss_scale, is_regularised):
        """D's loss, term by term: images, and a function of them to values by name, one a sample. Terms of one name add up."""
        settings = self.loss
        r2_gamma = gamma if settings.r2_gamma is None else settings.r2_gamma

        def critic(images):
            return self.D(images, part.real_labels, lod=lod)

        def judge(images, which, loss_of, regulariser, strength):
            if is_regularised and regulariser in (settings.regulariser or "").split("+"):
                logits, penalty = losses.logits_and_penalty(critic, images, lod_floor=lod.floor, loss_scale=loss_scale)
                penalty *= settings.lazy_interval
            else:
                logits, penalty = critic(images), tf.zeros_like(part.weights)
            told = {} if settings.D.endswith("_gp") else {"Loss/penalty": penalty}  # there the other penalty has this name
            return told | {
                "Loss/D": loss_of(logits, settings.D) + 0.5 * strength * penalty,
                f"Loss/scores/{which}": logits[:, 0],
                f"Loss/signs/{which}": tf.sign(logits[:, 0]),
            }

        def judge_mixed(images):
            penalty = losses.mixed_image_penalty(critic, images, target=settings.gp_target, lod_floor=lod.floor, loss_scale=loss_scale)
            return {"Loss/D": penalty * settings.gp_lambda, "Loss/penalty": penalty}

        on_reals = functools.partial(losses.loss_on_reals, drift=settings.wgan_drift)
        yield part.reals, lambda images: judge(images, "real", on_reals, "r1", gamma)
        yield fakes, lambda images: judge(images, "fake", losses.loss_on_fakes, "r2", r2_gamma)
        if settings.D.endswith("_gp"):
            yield part.reals + (fakes - part.reals) * part.mixing_factors[:, None, None, None], judge_mixed

    def for_generator(self, part, lod: Lod, loss_scale):
        """Gradients of G's loss. Labels are drawn anew; returns as `for_discriminator`."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(self.G_variables.values()))
            fakes, w_sum = self.draw_fakes(part, part.labels, lod)
            loss = losses.generator_loss(self.D(fakes, part.labels, lod=lod), self.loss.G)
            loss = tf.reduce_sum(loss * part.weights)
            total = loss * loss_scale
        gradients = tape.gradient(total, list(self.G_variables.values()))
        return dict(zip(self.G_variables, gradients, strict=True)), {"Loss/G": loss}, w_sum


def _sum(*gradients):
    """Of gradients by one weight; None where it took no part in any."""
    present = [gradient for gradient in gradients if gradient is not None]
    return tf.add_n(present) if present else None
