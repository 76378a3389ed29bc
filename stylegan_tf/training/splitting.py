"""How a global minibatch is split over devices and accumulation steps: in whole groups of samples that belong together."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Split:
    """Which samples each device computes at each accumulation step, and their weights.

    Attributes:
        indices: int32 [num_devices, num_parts, part_size], positions in the global minibatch.
        weights: float32, the same shape: 1 / minibatch, or 0 for a sample that only fills a part up.
    """

    indices: np.ndarray
    weights: np.ndarray

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
