"""The terms of the two usual phases: D on real and generated images with gradient penalties, and G against D."""

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from stylegan_tf.cpu.order import not_before
from stylegan_tf.layers.batch_norm import moving_statistics_kept
from stylegan_tf.losses import (
    InputGradientPenalty,
    Loss,
    MixedGradientPenalty,
    Penalty,
    loss_of_discriminator,
    loss_of_generator,
    penalties,
)
from stylegan_tf.models.base import Context, Part, Phase, Term, Values
from stylegan_tf.settings import LossSettings, TrainingSettings

# (part, labels, context) to generated images [n, R, R, C], and sums over the part for `Phase.after`.
Sample = Callable[[Part, tf.Tensor, Context], tuple[tf.Tensor, dict[str, tf.Tensor]]]

# (generated images, labels) to a loss [n] that is added to G's, and its statistics [n] by name.
Extra = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, dict[str, tf.Tensor]]]


def discriminator_terms(
    part: Part, context: Context, *, sample: Sample, loss: Loss, penalties: Sequence[Penalty], draws_labels: bool = False
) -> Iterator[Term]:
    """D's loss: reals, then fakes, then images between the two where a penalty needs them.

    One kind of image after the other: the activations of one are freed before those of the next are computed. Fakes have the labels
    of the reals, or with `draws_labels` labels drawn anew from the data.
    """
    fake_labels = part.labels if draws_labels else part.real_labels
    drawn_targets = {kind: part.own[kind] for kind in ("real_target", "fake_target") if kind in part.own}
    loss = dataclasses.replace(loss, **drawn_targets) if drawn_targets else loss
    fakes, sums = sample(part, fake_labels, context)
    fakes = tf.stop_gradient(fakes)
    reals = not_before(fakes, part.reals)  # G's activations are freed before those of D are computed
    on_pixels = {penalty.images: penalty for penalty in penalties if isinstance(penalty, InputGradientPenalty)}

    def critic_of(labels):
        return lambda images: context.critic(images, labels)

    def evaluate(images, labels, kind, loss_of, waits):
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

    yield lambda waits: evaluate(reals, part.real_labels, "real", loss.on_reals, waits)._replace(sums=sums)
    yield lambda waits: evaluate(fakes, fake_labels, "fake", loss.on_fakes, waits)
    for penalty in penalties:
        if isinstance(penalty, MixedGradientPenalty):
            mixed = part.reals + (fakes - part.reals) * part.mixing_factors[:, None, None, None]
            yield _mixed_term(penalty, mixed, critic_of(part.real_labels), context)


def _mixed_term(penalty: MixedGradientPenalty, images: tf.Tensor, critic, context: Context) -> Term:
    def term(waits):
        values = penalty.penalty(critic, not_before(list(waits), images), lod_floor=context.lod.floor, loss_scale=context.loss_scale)
        return Values(values * penalty.weight, {"Loss/penalty": values})

    return term


def generator_terms(part: Part, context: Context, *, sample: Sample, loss: Loss, extra: Extra | None = None) -> Iterator[Term]:
    """G's loss on images with labels drawn anew. `extra` gives a further loss of them, which is added and shown by its name."""

    def term(waits):
        fakes, sums = sample(part, part.labels, context)
        total, statistics = loss.of_generator(context.critic(fakes, part.labels)), {}
        if extra is not None:
            added, statistics = extra(fakes, part.labels)
            total += added
        return Values(total, statistics, sums)

    yield term


def two_phases(
    settings: TrainingSettings, draw: Callable[[Part, tf.Tensor], tf.Tensor], *, reuse_fakes: bool = False, extra: Extra | None = None
) -> list[Phase]:
    """The phases [D, G] of networks that do not grow and have no styles; the average of G is taken after its step.

    Real and generated images are separate batches in D. Every pass in training moves the averages of batch normalisations: those of
    D are a mix of real and generated statistics.

    Args:
        draw: (part, labels) to generated images, as D takes them.
        reuse_fakes: G's step has the latents of D's step; G's own averages are moved once then, as if it had generated them once.
        extra: see `generator_terms`.
    """

    def sample(part, labels, context):
        return draw(part, labels), {}

    def sample_again(part, labels, context):
        with moving_statistics_kept():
            return draw(part, labels), {}

    D_terms = functools.partial(
        discriminator_terms, sample=sample, loss=loss_of_discriminator(settings.loss), penalties=penalties(settings.loss)
    )
    G_terms = functools.partial(
        generator_terms, sample=sample_again if reuse_fakes else sample, loss=loss_of_generator(settings.loss), extra=extra
    )
    return [
        Phase("D", "D", D_terms, times=settings.loss.D_steps, shows_reals=True, lazy=lazy_penalties(settings.loss)),
        Phase("G", "G", G_terms, inputs_of="D" if reuse_fakes else None, after=lambda step: step.average_generator()),
    ]


def lazy_penalties(settings: LossSettings) -> dict[str, int]:
    """Names of the penalties that are computed in every n-th iteration only, with n: `Phase.lazy`."""
    return {penalty.name: penalty.every for penalty in penalties(settings) if getattr(penalty, "every", 1) > 1}
