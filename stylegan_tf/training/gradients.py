"""Losses of one part of a minibatch and their gradients, for D and for G, on one device."""

import tensorflow as tf

from stylegan_tf.layers.order import not_before
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
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(self.D_variables.values()))
            loss, statistics = self._discriminator_loss(part, fakes, lod, gamma, loss_scale, is_regularised)
            total = tf.reduce_sum(loss * part.weights) * loss_scale
        gradients = tape.gradient(total, list(self.D_variables.values()))
        return dict(zip(self.D_variables, gradients, strict=True)), statistics, w_sum

    def _discriminator_loss(self, part, fakes, lod, gamma, loss_scale, is_regularised):
        def critic(images):
            return self.D(images, part.real_labels, lod=lod)

        def judge(images, kind):
            if is_regularised and kind in (self.loss.regulariser or "").split("+"):
                logits, penalty = losses.logits_and_penalty(critic, images, lod_floor=lod.floor, loss_scale=loss_scale)
                return logits, penalty * self.loss.lazy_interval
            return critic(images), tf.zeros_like(part.weights)

        real_logits, r1 = judge(part.reals, "r1")
        fake_logits, r2 = judge(fakes, "r2")
        penalty = r1 + r2
        weighted = penalty * gamma if self.loss.r2_gamma is None else r1 * gamma + r2 * self.loss.r2_gamma
        loss = losses.discriminator_loss(real_logits, fake_logits, self.loss.D, drift=self.loss.wgan_drift)
        loss += 0.5 * weighted
        if self.loss.D.endswith("_gp"):
            mixed = part.reals + (fakes - part.reals) * part.mixing_factors[:, None, None, None]
            penalty = losses.mixed_image_penalty(critic, mixed, target=self.loss.gp_target, lod_floor=lod.floor, loss_scale=loss_scale)
            loss += penalty * self.loss.gp_lambda
        per_sample = {
            "Loss/D": loss,
            "Loss/penalty": penalty,
            "Loss/scores/real": real_logits[:, 0],
            "Loss/scores/fake": fake_logits[:, 0],
            "Loss/signs/real": tf.sign(real_logits[:, 0]),
            "Loss/signs/fake": tf.sign(fake_logits[:, 0]),
        }
        return loss, {name: tf.reduce_sum(values * part.weights) for name, values in per_sample.items()}

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
