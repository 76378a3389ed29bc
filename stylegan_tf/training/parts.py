"""A step in parts: how the minibatch is split over replicas and accumulation steps, the gradients of a part, and their sums."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from stylegan_tf.models.base import Context, Part, Phase
from stylegan_tf.training.inputs import Inputs


@dataclass(frozen=True)
class Split:
    """Which samples each device computes at each accumulation step, and their weights."""

    indices: np.ndarray  # int32 [num_devices, num_parts, part_size], positions in the global minibatch
    weights: np.ndarray  # float32, the same shape: 1 / minibatch, or 0 for a sample that only pads a part

    @property
    def is_whole(self) -> bool:
        """True where one device computes the whole minibatch at once, in its own order."""
        return self.indices.shape[:2] == (1, 1)


def split_minibatch(minibatch: int, *, group_size: int, num_devices: int = 1, max_part: int | None = None) -> Split:
    """Splits a minibatch in whole groups, as evenly as possible.

    Sample n belongs to group n mod (minibatch / group_size). Within a part the samples are ordered so that the same rule holds
    there: statistics of groups, and so the gradients, do not depend on the number of devices or parts.

    Args:
        minibatch: samples of a global step.
        group_size: samples that belong together, such as `mbstd_group_size` of StyleGAN's D; 0 or 1 for none.
        num_devices: devices that share the step.
        max_part: most samples computed at once on one device; None for no limit. A group is never cut.

    Raises:
        ValueError: `group_size` does not divide a minibatch larger than itself.
    """
    group = min(max(group_size, 1), minibatch)
    if minibatch % group:
        raise ValueError(f"A minibatch above {group} must be a multiple of it (the group size). Received: {minibatch}")
    num_groups = minibatch // group
    groups_per_device = -(-num_groups // num_devices)
    most_groups = max(1, (max_part or minibatch) // group)
    num_parts = -(-groups_per_device // most_groups)
    groups_per_part = -(-groups_per_device // num_parts)

    groups = np.full(num_devices * num_parts * groups_per_part, -1)
    # Real groups first on every device, so that devices differ by at most one part.
    slots = np.arange(groups.size).reshape(num_parts * groups_per_part, num_devices, order="C")
    order = (slots % num_devices) * (num_parts * groups_per_part) + slots // num_devices
    groups[order.ravel()[:num_groups]] = np.arange(num_groups)
    groups = groups.reshape(num_devices, num_parts, 1, groups_per_part)
    members = np.arange(group)[:, None] * num_groups  # [group, 1]
    indices = np.maximum(groups, 0) + members  # [devices, parts, group, groups_per_part]
    weights = np.broadcast_to((groups >= 0) / minibatch, indices.shape)
    shape = (num_devices, num_parts, group * groups_per_part)
    return Split(indices.reshape(shape).astype(np.int32), weights.reshape(shape).astype(np.float32))


def part_of_replica(split: Split, inputs: Inputs, reals: tuple[tf.Tensor, tf.Tensor], replica: tf.Tensor, index: int) -> Part:
    """The samples that a replica computes at an accumulation step.

    Args:
        split: of the minibatch.
        inputs: random inputs of the whole minibatch.
        reals: images and labels of the whole minibatch.
        replica: int32 scalar, number of the replica.
        index: number of the accumulation step.
    """
    images, labels = reals
    part = Part(images, labels, inputs.z, inputs.labels, inputs.mixing_factors, inputs.own, inputs.shared, inputs.noise_seed,
                weights=tf.constant(split.weights)[replica, index])  # fmt: skip
    if split.is_whole:
        return part
    chosen = tf.constant(split.indices)[replica, index]
    by_sample = ("reals", "real_labels", "z", "labels", "mixing_factors", "own")
    gathered = tf.nest.map_structure(lambda value: tf.gather(value, chosen), {name: getattr(part, name) for name in by_sample})
    noise_seed = tf.random.experimental.stateless_fold_in(part.noise_seed, replica * split.indices.shape[1] + index)
    return part._replace(**gathered, noise_seed=noise_seed)


class PartSums(NamedTuple):
    """Sums over one or more parts: gradients by weight (None where the loss does not depend on it), statistics, `Values.sums`."""

    gradients: dict[str, tf.Tensor | None]
    statistics: dict[str, tf.Tensor]
    sums: dict[str, tf.Tensor]


def compute_part(phase: Phase, context: Context, variables: dict[str, tf.Variable], part: Part) -> PartSums:
    """Computes the loss of a phase on one part, and its gradients by `variables`.

    Each term is computed under its own tape: its activations are freed before those of the next term are computed.
    """
    gradients, statistics, sums = [None] * len(variables), {}, {}
    if context.augment is not None:
        context = context._replace(critic=context.augment(context.critic, part.numbers))
    for term in phase.terms(part, context):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(list(variables.values()))
            values = term([gradient for gradient in gradients if gradient is not None])
            total = tf.reduce_sum(values.loss * part.weights) * context.loss_scale
        gradients = [_sum(*pair) for pair in zip(gradients, tape.gradient(total, list(variables.values())), strict=True)]
        for name, value in {f"Loss/{phase.name}": values.loss, **values.statistics}.items():
            statistics[name] = statistics.get(name, 0.0) + tf.reduce_sum(value * part.weights)
        sums |= values.sums
    return PartSums(dict(zip(variables, gradients, strict=True)), statistics, sums)


def _sum(*gradients: tf.Tensor | None) -> tf.Tensor | None:
    """Sum of gradients by one weight; None where all of them are None."""
    present = [gradient for gradient in gradients if gradient is not None]
    return tf.add_n(present) if present else None


def sum_over_parts(compute: Callable[[Part], PartSums], parts: Sequence[Part]) -> PartSums:
    """Adds up the results of all parts. They are computed one after the other, which needs the memory of one."""
    total = compute(parts[0])
    for part in parts[1:]:
        with tf.control_dependencies([value for value in tf.nest.flatten(total) if value is not None]):
            part = tf.nest.map_structure(tf.identity, part)
        total = tf.nest.map_structure(lambda a, b: None if a is None else a + b, total, compute(part))
    return total
