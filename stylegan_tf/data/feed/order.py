"""The order of images in training: a function of the seed and the position in training only.

A position is the number of an image since the start of training. An epoch is num_images positions; it contains every image
once (or, if balanced, a fixed number of images per class), in its own order. To resume, only the position has to be saved.
"""

import hashlib
import threading
from collections import OrderedDict

import numpy as np

from stylegan_tf.errors import UserError

BALANCES = ("none", "sqrt", "uniform")
_EPOCHS_KEPT = 3  # batches of neighbouring epochs may be read at the same time; 8 bytes per image each


class Order:
    """Image number and mirroring at every position.

    Args:
        seed: any whole number.
        shuffle: False for the order of the records, repeated.
        balance: "none"; "sqrt", classes in proportion to the square root of their size; or "uniform", all classes equally.
            An epoch still has num_images positions: it contains part of a large class, and a small class several times. No
            image of a class is repeated before all others of the class have been shown.
        classes: int [num_images], class of every image, for a balance other than "none".

    Raises:
        UserError: an unknown balance, or balancing without shuffling or without classes.
    """

    def __init__(self, num_images: int, *, seed: int, shuffle: bool = True, balance: str = "none", classes: np.ndarray | None = None):
        check_balance(balance)
        if balance != "none" and (classes is None or not shuffle):
            raise UserError(f"Balance {balance!r} requires labels and shuffling.")
        self.num_images, self.seed, self.shuffle = num_images, int(seed), shuffle
        self._members: list[np.ndarray] = []
        if balance != "none":
            by_class = np.split(np.argsort(classes, kind="stable"), np.cumsum(np.bincount(classes))[:-1])
            self._members = [members for members in by_class if len(members)]
            self._quotas = _quotas(np.array([len(members) for members in self._members]), balance)
        self._epochs: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def images_at(self, positions: np.ndarray) -> np.ndarray:
        """Image numbers at these positions: int64 [n]."""
        epochs, slots = np.divmod(np.asarray(positions, np.int64), self.num_images)
        if not self.shuffle:
            return slots
        images = np.empty_like(slots)
        for epoch in np.unique(epochs):
            places = epochs == epoch
            images[places] = self._epoch(int(epoch))[slots[places]]
        return images

    def mirrored_at(self, positions: np.ndarray) -> np.ndarray:
        """Whether the image at these positions is mirrored, with probability 1/2: bool [n]."""
        return _hash(np.asarray(positions, np.uint64), _key(self.seed, "mirror")) >> np.uint64(63) == 1

    def _epoch(self, epoch: int) -> np.ndarray:
        """Image number at every slot of an epoch."""
        with self._lock:
            if epoch not in self._epochs:
                self._epochs[epoch] = self._balanced(epoch) if self._members else permutation(self.num_images, self.seed, "epoch", epoch)
                while len(self._epochs) > _EPOCHS_KEPT:
                    self._epochs.popitem(last=False)
            return self._epochs[epoch]

    def _balanced(self, epoch: int) -> np.ndarray:
        """Image number at every slot of a balanced epoch; each class is shuffled again when all of its images have been shown."""
        images = []
        for number, (members, quota) in enumerate(zip(self._members, self._quotas.tolist(), strict=True)):
            rounds, slots = np.divmod(np.arange(epoch * quota, (epoch + 1) * quota), len(members))
            for round_number in np.unique(rounds).tolist():
                order = permutation(len(members), self.seed, "class", number, round_number)
                images.append(members[order[slots[rounds == round_number]]])
        return np.concatenate(images)[permutation(self.num_images, self.seed, "epoch", epoch)]


def check_balance(balance: str) -> None:
    """Raises UserError for an unknown balance."""
    if balance not in BALANCES:
        raise UserError(f"Balance must be one of {', '.join(BALANCES)}. Received: {balance}")


def permutation(size: int, *key: int | str) -> np.ndarray:
    """A permutation of 0 ... size - 1 determined by the key, the same on every machine and with every version of NumPy."""
    return np.argsort(_hash(np.arange(size, dtype=np.uint64), _key(*key)), kind="stable")


def _key(*parts: int | str) -> int:
    """A 64-bit hash of the parts."""
    text = ":".join(part if isinstance(part, str) else str(int(part)) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _hash(numbers: np.ndarray, key: int) -> np.ndarray:
    """A 64-bit hash of each number: SplitMix64 (Steele, Lea, Flood 2014), seeded with the key."""
    mixed = np.uint64(key) + (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _quotas(counts: np.ndarray, balance: str) -> np.ndarray:
    """Slots of an epoch for every class, at least one each: int64, with the same sum as the counts."""
    weights = np.sqrt(counts) if balance == "sqrt" else np.ones(len(counts))
    exact = weights / weights.sum() * counts.sum()
    quotas = np.maximum(np.floor(exact).astype(np.int64), 1)
    left = int(counts.sum() - quotas.sum())
    quotas[np.argsort(quotas - exact, kind="stable")[:left]] += 1  # largest remainders first
    return quotas
