"""A step in parts: its random inputs and real images, the split over replicas and accumulation steps, the gradients of a part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from stylegan_tf.layers.resample import downscale2d, upscale2d
from stylegan_tf.models.base import Context, Model, Part, Phase
from stylegan_tf.resolution import Lod
from stylegan_tf.settings import TrainingSettings

_TARGETS = {"real_target": 1001, "fake_target": 1002}  # setting to the purpose that its random numbers are seeded with


class Inputs(NamedTuple):
    """Random inputs of one step for the global minibatch; fields as in `models.base.Part`."""

    z: tf.Tensor
    labels: tf.Tensor
    mixing_factors: tf.Tensor
    own: dict[str, tf.Tensor]
    shared: dict[str, tf.Tensor]
    noise_seed: tf.Tensor


class RandomInputs:
    """Random inputs that depend on the seed alone, so that no generator needs to be saved.

    Args:
        model: may add own inputs.
        label_pool: float32 [K, label_size], rows from which labels are chosen uniformly; None without labels.
    """

    def __init__(self, model: Model, settings: TrainingSettings, *, z_dim: int, label_pool: np.ndarray | None = None):
        self.model = model
        self.settings = settings
        self.z_dim = z_dim
        self.label_pool = np.zeros([1, 0], np.float32) if label_pool is None else np.asarray(label_pool, np.float32)

    def make(self, seed: tf.Tensor, minibatch: int, lod: Lod) -> Inputs:
        """Inputs of one step. `seed` is int32 [2] and differs for each step."""
        # Purposes 1 to 3 are reserved for the model.
        seeds = {purpose: tf.random.experimental.stateless_fold_in(seed, purpose) for purpose in (0, 4, 5, 6)}
        rows = tf.random.stateless_uniform([minibatch], seeds[4], 0, len(self.label_pool), tf.int32)
        own, shared = self.model.own_inputs(self.settings, seed, minibatch, lod)
        for kind, purpose in _TARGETS.items():
            ends = getattr(self.settings.loss, kind)
            if isinstance(ends, tuple):  # drawn for each image
                target_seed = tf.random.experimental.stateless_fold_in(seed, purpose)
                own[kind] = tf.random.stateless_uniform([minibatch], target_seed, *ends)
        return Inputs(
            z=tf.random.stateless_normal([minibatch, self.z_dim], seeds[0]),
            labels=tf.gather(tf.constant(self.label_pool), rows),
            mixing_factors=tf.random.stateless_uniform([minibatch], seeds[6]),
            own=own,
            shared=shared,
            noise_seed=seeds[5],
        )


def process_reals(images: tf.Tensor, fade: tf.Tensor | float | None) -> tf.Tensor:
    """Converts uint8 [N, R, R, C] to float32 [N, R, R, C] in [-1, 1]; while a level fades in, blends each image with its 2x2 means.

    Args:
        images: real images of the level being trained.
        fade: lod - floor(lod), None if no level fades in.

    Source: the original release.
    """
    x = tf.cast(images, tf.float32) * (2.0 / 255.0) - 1.0
    if fade is None:
        return x
    return x + (upscale2d(downscale2d(x)) - x) * fade


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
