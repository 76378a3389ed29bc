"""Path length regularisation: steps of the same length in w should change the image by the same amount.

Source: Karras et al. 2020, equation 4; the details of the release of StyleGAN2-ADA.
"""

from collections.abc import Iterator

import keras
import tensorflow as tf

from stylegan_tf.models import style_mixing
from stylegan_tf.models.base import AfterStep, Context, Part, StyleGenerator, Term, Values
from stylegan_tf.models.stylegan2.settings import PathLengthSettings
from stylegan_tf.models.weights import move_averages

MEAN = "path_length_mean"
NOISE, PURPOSE = "path_length_noise", 7  # name and purpose of the random images


class PathLength:
    """The regulariser of one run.

    Args:
        settings: weight, interval and so on.
        mean: variable, the running mean of path lengths.
        noise_mode: of the synthesis network.
    """

    def __init__(self, settings: PathLengthSettings, G: StyleGenerator, mean: tf.Variable, *, noise_mode: str = "random"):
        self.settings, self.G, self.mean, self.noise_mode = settings, G, mean, noise_mode

    def inputs(self, seed: tf.Tensor, count: int) -> dict[str, tf.Tensor]:
        """Random images N(0, 1) / sqrt(pixels), float32 [count, R, R, channels], as a function of the seed."""
        side = self.G.resolution
        noise = tf.random.stateless_normal([count, side, side, self.G.channels], tf.random.experimental.stateless_fold_in(seed, PURPOSE))
        return {NOISE: noise / side}

    def prepare(self, part: Part, context: Context) -> dict[str, tf.Tensor]:
        """The weighted sum of the lengths of a part."""
        lengths, _ = self.lengths(part, context)
        return {MEAN: tf.reduce_sum(lengths * part.weights)}

    def terms(self, part: Part, context: Context) -> Iterator[Term]:
        """Weight and interval times the squared distance of each length from the mean, which this step moves first."""

        def term(waits):
            lengths, sums = self.lengths(part, context)
            own = tf.reduce_sum(lengths * part.weights)
            batch_mean = tf.stop_gradient(context.prepared.get(MEAN, own))
            keep = self.settings.decay
            mean = batch_mean + (tf.convert_to_tensor(self.mean) - batch_mean) * keep
            penalty = tf.stop_gradient(tf.square(lengths - mean))
            # The derivative by hand: through the mean, each length enters the penalties of all samples, on other devices too.
            slopes = 2.0 * tf.stop_gradient(lengths - mean - (1.0 - keep) * (batch_mean - mean))
            penalty += slopes * (lengths - tf.stop_gradient(lengths))
            loss = self.settings.weight * self.settings.interval * penalty + no_gradient(self.G)
            return Values(loss, {"Loss/path_length": lengths}, {**sums, MEAN: own})

        yield term

    def lengths(self, part: Part, context: Context) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Root of the mean over layers of the squared gradient of sum(image * noise) by w: float32 [n]; and the sums for w_avg."""
        ws, sums = style_mixing.ws_of_part(self.G, part, part.labels)
        with tf.GradientTape() as tape:
            tape.watch(ws)
            images = self.G.synthesis(ws, noise_mode=self.noise_mode, noise_seed=part.noise_seed)
            total = tf.reduce_sum(images * part.own[NOISE]) * context.loss_scale
        gradients = tape.gradient(total, ws) / context.loss_scale  # [n, num_ws, w_dim]
        return tf.sqrt(tf.reduce_mean(tf.reduce_sum(tf.square(gradients), axis=2), axis=1)), sums

    def move_mean(self, step: AfterStep) -> None:
        """Moves the running mean to the one that the step was taken with."""
        move_averages([self.mean], [step.sums[MEAN]], self.settings.decay)


def no_gradient(network: keras.Model) -> tf.Tensor:
    """0 with a gradient of 0 by every weight, so that the optimizer's averages decay in this step for those that do not enter its loss."""
    return 0.0 * tf.add_n([tf.reduce_sum(variable.value) for variable in network.trainable_variables])
