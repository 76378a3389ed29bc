"""The terms of the two usual phases: D on real and generated images with gradient penalties, and G against D."""

from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from stylegan_tf.cpu.order import not_before
from stylegan_tf.losses import InputGradientPenalty, Loss, MixedGradientPenalty, Penalty
from stylegan_tf.models.base import Context, Part, Term, Values

# (part, labels, context) to generated images [n, R, R, C], and sums over the part for `Phase.after`.
Sample = Callable[[Part, tf.Tensor, Context], tuple[tf.Tensor, dict[str, tf.Tensor]]]


def discriminator_terms(
    part: Part, context: Context, *, sample: Sample, loss: Loss, penalties: Sequence[Penalty], draws_labels: bool = False
) -> Iterator[Term]:
    """D's loss: reals, then fakes, then images between the two where a penalty asks for them.

    One kind of image after the other: the activations of one are freed before those of the next are computed. Fakes have the labels
    of the reals, or with `draws_labels` labels drawn anew from the data.
    """
    fake_labels = part.labels if draws_labels else part.real_labels
    fakes, sums = sample(part, fake_labels, context)
    fakes = tf.stop_gradient(fakes)
    reals = not_before(fakes, part.reals)  # G's activations are freed before those of D are computed
    on_pixels = {penalty.images: penalty for penalty in penalties if isinstance(penalty, InputGradientPenalty)}

    def critic_of(labels):
        return lambda images: context.critic(images, labels)

    def judge(images, labels, kind, loss_of, waits):
        images, penalty, critic = not_before(list(waits), images), on_pixels.get(kind), critic_of(labels)
        if penalty is None or (penalty.every > 1 and penalty.name not in context.due):
            logits, extra, statistics = critic(images), None, {}
        else:
            options = {"lod_floor": context.lod.floor, "loss_scale": context.loss_scale}
            logits, norms = penalty.logits_and_penalty(critic, images, **options)
            gamma = context.gamma if penalty.gamma is None else penalty.gamma
            extra, statistics = 0.5 * gamma * (norms * penalty.every if penalty.every > 1 else norms), {"Loss/penalty": norms}
        total = loss_of(logits) if extra is None else loss_of(logits) + extra
        if context.lecam is not None:
            total += context.lecam.on_reals(logits) if kind == "real" else context.lecam.on_fakes(logits)
        statistics |= {f"Loss/scores/{kind}": logits[:, 0], f"Loss/signs/{kind}": tf.sign(logits[:, 0])}
        return Values(total, statistics)

    yield lambda waits: judge(reals, part.real_labels, "real", loss.on_reals, waits)._replace(sums=sums)
    yield lambda waits: judge(fakes, fake_labels, "fake", loss.on_fakes, waits)
    for penalty in penalties:
        if isinstance(penalty, MixedGradientPenalty):
            mixed = part.reals + (fakes - part.reals) * part.mixing_factors[:, None, None, None]
            yield _mixed_term(penalty, mixed, critic_of(part.real_labels), context)


def _mixed_term(penalty: MixedGradientPenalty, images: tf.Tensor, critic, context: Context) -> Term:
    def term(waits):
        values = penalty.penalty(critic, not_before(list(waits), images), lod_floor=context.lod.floor, loss_scale=context.loss_scale)
        return Values(values * penalty.weight, {"Loss/penalty": values})

    return term


def generator_terms(part: Part, context: Context, *, sample: Sample, loss: Loss) -> Iterator[Term]:
    """G's loss on images with labels drawn anew."""

    def term(waits):
        fakes, sums = sample(part, part.labels, context)
        return Values(loss.of_generator(context.critic(fakes, part.labels)), {}, sums)

    yield term
