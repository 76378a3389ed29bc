"""Adaptive discriminator augmentation (ADA): the eighteen transforms, and the pipes that combine them."""

from collections.abc import Mapping

import tensorflow as tf

from stylegan_tf.augmentation import axes, colour, corruption, geometry
from stylegan_tf.augmentation.sampling import Draws, check_names, make_draws

NAMES = (*geometry.BLIT, *geometry.GENERAL, *colour.NAMES, "imgfilter", "noise", "cutout")
_GROUPS = {
    "b": geometry.BLIT,
    "g": geometry.GENERAL,
    "c": colour.NAMES,
    "f": ("imgfilter",),
    "n": ("noise",),
    "C": ("cutout",),
}
# Name of a pipe to the transforms that it holds, each at full strength.
PIPES = {
    name: {transform: 1.0 for group in groups for transform in _GROUPS[group]}
    for name, groups in {
        "blit": "b", "geom": "g", "color": "c", "filter": "f", "noise": "n", "cutout": "C",
        "bg": "bg", "bgc": "bgc", "bgcf": "bgcf", "bgcfn": "bgcfn", "bgcfnc": "bgcfnC",
    }.items()
}  # fmt: skip


def augment(
    images: tf.Tensor,
    *,
    pipe: str | None = None,
    strengths: Mapping[str, float] | None = None,
    probability: tf.Tensor | float = 1.0,
    seed: tf.Tensor | None = None,
    quantile: float | None = None,
) -> tf.Tensor:
    """Transforms each image at random, differentiably.

    Args:
        images: float32 [n, R, R, C] in [-1, 1], C = 1, 3 or 4 (alpha is moved and cut out, not coloured), n and R known.
        pipe: one of `PIPES`, or None where `strengths` is given.
        strengths: chance of each transform, relative to `probability`, by name (`NAMES`).
        probability: chance of each transform, scalar from 0 to 1.
        seed: int32 [2] that the random numbers are a function of.
        quantile: replaces every random number by this quantile of its distribution, in (0, 1); no seed is needed then.

    Returns:
        float32 [n, R, R, C].

    Raises:
        ValueError: an unknown pipe or transform, or neither seed nor quantile.

    Source: Karras et al. 2020, "Training generative adversarial networks with limited data", appendix B.
    """
    if (pipe is None) == (strengths is None):
        raise ValueError(f"Give a pipe or strengths. Received: pipe={pipe}, strengths={strengths}")
    if pipe is not None and pipe not in PIPES:
        raise ValueError(f"Unknown pipe {pipe}. Known: {', '.join(PIPES)}")
    return transform(images, PIPES[pipe] if strengths is None else strengths, probability, make_draws(seed, quantile, images.shape[0]))


def transform(images: tf.Tensor, strengths: Mapping[str, float], probability: tf.Tensor | float, draws: Draws) -> tf.Tensor:
    """As `augment`, with any source of random numbers."""
    check_names(strengths, NAMES)
    chances = {name: strength * probability for name, strength in strengths.items() if strength}
    if not chances.keys().isdisjoint((*geometry.BLIT, *geometry.GENERAL)):
        warp = geometry.warp if "rotate" in chances else axes.warp
        images = warp(images, geometry.draw_matrices(draws, chances, images.shape[1]))
    colours = colour.draw_matrices(draws, chances, images.shape[3])
    if colours is not None:
        images = colour.applied(images, colours)
    for name, step in (("imgfilter", corruption.filter_bands), ("noise", corruption.add_noise), ("cutout", corruption.cut_out)):
        if name in chances:
            images = step(draws, chances[name], images)
    return images
