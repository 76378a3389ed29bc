"""Loss functions of GANs and gradient penalties, as objects that settings name. Each value is float32 [N], one number for each sample."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import tensorflow as tf

from stylegan_tf.settings import LossSettings, Target

Critic = Callable[[tf.Tensor], tf.Tensor]  # images [N, R, R, C] to logits [N, 1]


class Loss:
    """A loss function of D's logits [N, 1] for both networks."""

    def on_reals(self, logits: tf.Tensor) -> tf.Tensor:
        """Loss of D for real images, float32 [N]."""
        raise NotImplementedError

    def on_fakes(self, logits: tf.Tensor) -> tf.Tensor:
        """Loss of D for generated images, float32 [N]."""
        raise NotImplementedError

    def of_generator(self, logits: tf.Tensor) -> tf.Tensor:
        """Loss of G for D's logits of generated images, float32 [N]."""
        raise NotImplementedError


@dataclass(frozen=True)
class Logistic(Loss):
    """Cross-entropy of D as a classifier. G's loss is -log(sigmoid(fake)), or log(1 - sigmoid(fake)) if `is_saturating`.

    Source: Goodfellow et al. 2014.
    """

    is_saturating: bool = False  # see above
    # real_target, fake_target: probability that D is trained towards, a number or float32 [N]; the ends of a range stand for such an
    # array until it is drawn. 0.9 for real images is one-sided label smoothing (Salimans et al. 2016, section 3.4). G's loss does not
    # depend on them.
    real_target: Target | tf.Tensor = 1.0
    fake_target: Target | tf.Tensor = 0.0

    def on_reals(self, logits):
        return _cross_entropy(logits[:, 0], self.real_target)

    def on_fakes(self, logits):
        return _cross_entropy(logits[:, 0], self.fake_target)

    def of_generator(self, logits):
        return -tf.nn.softplus(logits[:, 0]) if self.is_saturating else tf.nn.softplus(-logits[:, 0])


@dataclass(frozen=True)
class Wasserstein(Loss):
    """Difference of the mean logits; `drift` weighs the squared real logits (Karras et al. 2018, appendix A.1), 0 for none.

    Source: Arjovsky et al. 2017.
    """

    drift: float = 0.001

    def on_reals(self, logits):
        return self.drift * tf.square(logits[:, 0]) - logits[:, 0]

    def on_fakes(self, logits):
        return logits[:, 0]

    def of_generator(self, logits):
        return -logits[:, 0]


@dataclass(frozen=True)
class Hinge(Loss):
    """D's logits count up to a margin of 1.

    Source: Lim and Ye 2017.
    """

    def on_reals(self, logits):
        return tf.nn.relu(1.0 - logits[:, 0])

    def on_fakes(self, logits):
        return tf.nn.relu(1.0 + logits[:, 0])

    def of_generator(self, logits):
        return -logits[:, 0]


@dataclass(frozen=True)
class LeastSquares(Loss):
    """Half of the squared distance of the logits from 1 for reals and 0 for fakes; G's target is 1.

    Source: Mao et al. 2017, equation 9.
    """

    def on_reals(self, logits):
        return 0.5 * tf.square(logits[:, 0] - 1.0)

    def on_fakes(self, logits):
        return 0.5 * tf.square(logits[:, 0])

    def of_generator(self, logits):
        return 0.5 * tf.square(logits[:, 0] - 1.0)


@dataclass(frozen=True)
class InputGradientPenalty:
    """Half of the squared norm of D's gradient with respect to its input: R1 on real images, R2 on generated ones. Weighted by gamma.

    The norm is over the pixels of the full resolution: at level of detail L it is 4^-floor(L) times the norm over the pixels of
    that level, as in the original release, which enlarges small images to full size.

    Source: Mescheder et al. 2018.
    """

    images: Literal["real", "fake"]  # which images it is computed on
    gamma: float | None = None  # weight; None for the run's gamma at this resolution
    every: int = 1  # in every n-th step only, n times as strong there

    @property
    def name(self) -> str:
        """Its name in settings: r1 or r2."""
        return "r1" if self.images == "real" else "r2"

    def logits_and_penalty(self, critic: Critic, images: tf.Tensor, *, lod_floor: int, loss_scale: tf.Tensor | float = 1.0):
        """Logits [N, 1] and squared norms [N], both float32, from one forward pass. Multiply the norms by gamma / 2.

        Args:
            critic: images [N, R, R, C] to logits [N, 1].
            images: float32 [N, R, R, C].
            lod_floor: floor of the level of detail.
            loss_scale: factor that keeps half-precision gradients from vanishing; divided out again.
        """
        logits, gradients = _input_gradients(critic, images, loss_scale)
        return logits, tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3]) * 4.0**-lod_floor


@dataclass(frozen=True)
class MixedGradientPenalty:
    """Squared distance of the gradient's norm from `target` on images between reals and fakes, divided by target^2 (WGAN-GP).

    At level of detail L the norm is 2^-floor(L) times the norm over the pixels there.

    Source: Gulrajani et al. 2017, with the target of Karras et al. 2018.
    """

    weight: float = 10.0
    target: float = 1.0
    name: ClassVar[str] = "gp"

    def penalty(self, critic: Critic, images: tf.Tensor, *, lod_floor: int, loss_scale: tf.Tensor | float = 1.0) -> tf.Tensor:
        """float32 [N] for mixed images float32 [N, R, R, C], not weighted; other arguments as in `InputGradientPenalty`."""
        _, gradients = _input_gradients(critic, images, loss_scale)
        norms = tf.sqrt(tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3])) * 2.0**-lod_floor
        return tf.square(norms - self.target) / self.target**2


@dataclass(frozen=True)
class LeCam:
    """Squared distance of real logits above the mean fake logit, and of fake logits below the mean real one. Added to D's loss.

    Source: Tseng et al. 2021, "Regularizing generative adversarial networks under limited data", equation 6.
    """

    weight: float  # of both terms
    real_mean: tf.Tensor  # real_mean, fake_mean: float32 scalars, moving averages of the mean logits; 0 at the start
    fake_mean: tf.Tensor
    keep: ClassVar[float] = 0.99  # decay of the averages in an iteration

    def on_reals(self, logits: tf.Tensor) -> tf.Tensor:
        """The weighted penalty of real images, float32 [N], for their logits [N, 1]."""
        return self.weight * tf.square(tf.nn.relu(logits[:, 0] - self.fake_mean))

    def on_fakes(self, logits: tf.Tensor) -> tf.Tensor:
        """The weighted penalty of generated images, float32 [N], for their logits [N, 1]."""
        return self.weight * tf.square(tf.nn.relu(self.real_mean - logits[:, 0]))


Penalty = InputGradientPenalty | MixedGradientPenalty


def loss_of_generator(settings: LossSettings) -> Loss:
    """The loss that `settings.G` names."""
    losses = {
        "logistic_nonsaturating": Logistic(),
        "logistic_saturating": Logistic(is_saturating=True),
        "wgan": Wasserstein(),
        "hinge": Hinge(),
        "least_squares": LeastSquares(),
    }
    return losses[settings.G]


def loss_of_discriminator(settings: LossSettings) -> Loss:
    """The loss that `settings.D` names, without its gradient penalty. `Part.own` has the targets that are drawn for each image."""
    losses = {
        "logistic": Logistic(real_target=settings.real_target, fake_target=settings.fake_target),
        "wgan": Wasserstein(drift=settings.wgan_drift),
        "hinge": Hinge(),
        "least_squares": LeastSquares(),
    }
    return losses[settings.D.removesuffix("_gp")]


def penalties(settings: LossSettings) -> list[Penalty]:
    """The gradient penalties of D that the settings name."""
    found: list[Penalty] = []
    names = (settings.regulariser or "").split("+")
    if "r1" in names:
        found.append(InputGradientPenalty("real", every=settings.lazy_interval))
    if "r2" in names:
        found.append(InputGradientPenalty("fake", gamma=settings.r2_gamma, every=settings.lazy_interval))
    if settings.D.endswith("_gp"):
        found.append(MixedGradientPenalty(weight=settings.gp_lambda, target=settings.gp_target))
    return found


def _cross_entropy(logits: tf.Tensor, target: Target | tf.Tensor) -> tf.Tensor:
    """-target * log(sigmoid(logits)) - (1 - target) * log(1 - sigmoid(logits)), float32 [N]."""
    if isinstance(target, float) and target in (0.0, 1.0):
        return tf.nn.softplus(logits if target == 0.0 else -logits)
    return tf.nn.softplus(logits) - target * logits


def _input_gradients(critic, images, loss_scale):
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = critic(images)
        scaled = tf.reduce_sum(logits) * loss_scale
    return logits, tape.gradient(scaled, images) / loss_scale
