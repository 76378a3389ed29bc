"""Latents and labels of seeds, as the original release computes them; classes by number or name."""

from collections.abc import Sequence

import numpy as np

from stylegan_tf.errors import UserError, did_you_mean

MAX_SEED = 2**32 - 1  # the largest seed of NumPy's RandomState

MAX_RANDOM_SEED = 2**31 - 1  # the largest of TensorFlow's stateless generators, which take int32


def check_random_seed(seed: int, name: str = "--seed") -> None:
    """Raises UserError for a seed of samples, noise or weights that TensorFlow's generators do not accept."""
    if not 0 <= seed <= MAX_RANDOM_SEED:
        raise UserError(f"{name} must be from 0 to {MAX_RANDOM_SEED}. Received: {seed}")


def check_seeds(seeds: Sequence[int]) -> list[int]:
    """Returns the seeds as a list. Raises UserError without seeds, and for a seed that NumPy's RandomState does not accept."""
    found = [int(seed) for seed in seeds]
    if not found:
        raise UserError("At least one seed is needed.")
    wrong = [seed for seed in found if not 0 <= seed <= MAX_SEED]
    if wrong:
        raise UserError(f"Seeds are from 0 to {MAX_SEED}. Received: {wrong[0]}")
    return found


def latents_from_seeds(seeds: Sequence[int], z_dim: int) -> np.ndarray:
    """z, float32 [N, z_dim]: NumPy's RandomState(seed).randn(z_dim) for each seed, as in the original release."""
    return np.stack([np.random.RandomState(seed).randn(z_dim) for seed in seeds]).astype(np.float32)


def one_hot(classes: Sequence[int], label_size: int) -> np.ndarray:
    """Labels float32 [N, label_size] of class numbers."""
    return np.eye(label_size, dtype=np.float32)[np.asarray(classes)]


def classes_from_seeds(seeds: Sequence[int], label_size: int) -> list[int]:
    """A class for each seed, the first random number of that seed: the same seed always has the same class."""
    return [int(np.random.RandomState(seed).randint(label_size)) for seed in seeds]


def labels_from_seeds(seeds: Sequence[int], examples: np.ndarray) -> np.ndarray:
    """One row of `examples` [n, label_size] for each seed: the same seed always has the same label."""
    return examples[[np.random.RandomState(seed).randint(len(examples)) for seed in seeds]]


def find_class(text: str, label_size: int, class_names: Sequence[str] = ()) -> int:
    """The number of a class given by number or name.

    Raises:
        UserError: the network has no classes, or no class of this number or name.
    """
    if not label_size:
        raise UserError(f"The network was trained without classes, so none can be selected. Received: {text!r}")
    if text in class_names:
        return list(class_names).index(text)
    if text.isdecimal() and int(text) < label_size:
        return int(text)
    known = f" or {', '.join(class_names[:20])}" if class_names else ""
    raise UserError(f"Classes are 0 to {label_size - 1}{known}. Received: {text!r}.{did_you_mean(text, class_names)}")
