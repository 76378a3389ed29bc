"""Ways to find directions: SeFa, PCA of w, linear boundaries between images or photographs, single style channels."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from stylegan_tf.inference.directions.boundary import fit, held_out_accuracy
from stylegan_tf.inference.directions.direction import Direction

if TYPE_CHECKING:
    from stylegan_tf.models.base import StyleGenerator

_MARGIN_SHARE = 1 / 3  # of the images on either side of a boundary: those in between are of neither kind
_PROBES = 32  # random projections of the pixels for each latent


def sefa(G: "StyleGenerator", w: np.ndarray, layers: Sequence[int], count: int) -> list[Direction]:
    """The directions in which the styles of some layers change most: eigenvectors of A A' for the affine weights A [w_dim, styles].

    Args:
        G: the generator.
        w: [N, w_dim], from which the standard deviation along each direction is taken.
        layers: whose weights are taken, and which are edited.
        count: number of directions, at most w_dim.

    Source: Shen and Zhou 2021, equation 6.
    """
    kernels = [np.asarray(dense.kernel, np.float64) * dense.scale for layer, dense in G.style_layers() if layer in layers]
    weights = np.concatenate(kernels, axis=1)  # [w_dim, styles], as they are applied
    _, vectors = np.linalg.eigh(weights @ weights.T)  # ascending
    return [_named(f"sefa{number}", _signed(vector), w, G, layers, "sefa") for number, vector in enumerate(vectors.T[::-1][:count])]


def pca(G: "StyleGenerator", w: np.ndarray, layers: Sequence[int], count: int) -> list[Direction]:
    """Principal components of w [N, w_dim]; their lengths are the standard deviations.

    Source: Härkönen et al. 2020 (GANSpace), section 2.
    """
    centred = np.asarray(w, np.float64) - w.mean(axis=0, dtype=np.float64)
    _, _, vectors = np.linalg.svd(centred, full_matrices=False)
    return [_named(f"pca{number}", _signed(vector), w, G, layers, "pca") for number, vector in enumerate(vectors[:count])]


def boundary(G: "StyleGenerator", w: np.ndarray, logits: np.ndarray, layers: Sequence[int], *, name: str, method: str) -> Direction:
    """The normal of the plane between the images with the highest and those with the lowest logits.

    Args:
        G: the generator.
        w: [N, w_dim] of generated images.
        logits: [N], a class against the rest.
        layers: that are edited.
        name, method: of the direction.

    Source: Shen et al. 2020 (InterFaceGAN), section 3.1.
    """
    count = max(int(len(w) * _MARGIN_SHARE), 2)
    order = np.argsort(logits, kind="stable")
    chosen = np.concatenate([order[:count], order[-count:]])
    vector, accuracy = _normal(w[chosen], np.arange(2 * count) >= count)
    found = _named(name, vector, w, G, layers, method)
    found.scores["held_out_accuracy"] = accuracy
    return found


def boundary_of_photographs(G: "StyleGenerator", w: np.ndarray, positive: np.ndarray, negative: np.ndarray, *, name: str) -> Direction:
    """The normal of the plane between projected photographs of two kinds.

    Args:
        G: the generator.
        w: [N, w_dim] of the network, from which the unit of strength is taken.
        positive, negative: [n, num_ws, w_dim] each, at least two; layers may differ (w+).
        name: of the direction.
    """
    points = np.concatenate([positive, negative])
    is_positive = np.arange(len(points)) < len(positive)
    is_one_w = not np.ptp(points, axis=1).any()
    flat = points[:, 0] if is_one_w else points.reshape(len(points), -1)
    vector, accuracy = _normal(flat, is_positive)
    layers = range(G.num_ws)
    if is_one_w:
        found = _named(name, vector, w, G, layers, "photographs")
    else:
        vector = vector.reshape(points.shape[1:])
        std = np.sqrt(((np.asarray(w - w.mean(axis=0), np.float64) @ vector.T).sum(axis=1) ** 2).mean())
        found = Direction(name, (vector * std).astype(np.float32), tuple(layers), "photographs")
    found.scores["held_out_accuracy"] = accuracy
    return found


def channels(
    G: "StyleGenerator", w: np.ndarray, layers: Sequence[int], count: int, effects: Callable[[np.ndarray], np.ndarray], method: str
) -> list[Direction]:
    """The style channels with the largest effect, each as a direction (StyleSpace).

    Args:
        G: the generator.
        w: [N, w_dim], from which the standard deviation of each channel is taken.
        layers: whose styles are considered.
        count: number of directions.
        effects: standard deviations [styles] to effects [styles], such as `image_effects` and `logit_effects`.
        method: of the directions.

    Source: the space of channels is that of Wu et al. 2021; channels are ranked by derivatives here, not by examples.
    """
    std = np.concatenate([np.asarray(dense(tf.constant(w, tf.float32))).std(axis=0) for _, dense in G.style_layers()])
    effect = effects(std)
    names, used, start = [], np.zeros(len(std), bool), 0
    for index, (layer, dense) in enumerate(G.style_layers()):
        size = dense.bias.shape[0]
        used[start : start + size] = layer in layers
        names += [(f"style{index}.{channel}", layer) for channel in range(size)]
        start += size
    found = []
    for chosen in np.argsort(-np.abs(np.where(used, effect, 0)), kind="stable")[: min(count, int(used.sum()))]:
        vector = np.zeros(len(std), np.float32)
        vector[chosen] = std[chosen] * (np.sign(effect[chosen]) or 1)
        name, layer = names[chosen]
        found.append(Direction(name, vector, (layer,), method))
    return found


def image_effects(G: "StyleGenerator", ws: np.ndarray, std: np.ndarray, *, lod: float, seed: int) -> np.ndarray:
    """Change of the pixels (root of the summed squares) by one standard deviation of each style channel, [styles].

    For random N(0, 1) pixels v, the expectation of (v . dI)^2 is |dI|^2 (Hutchinson 1989): a few derivatives give all channels.

    Args:
        G: the generator.
        ws: [N, num_ws, w_dim] of the images over which the change is averaged.
        std: [styles] of each channel.
        lod: level of detail.
        seed: of the random projections.
    """

    def projected(images: tf.Tensor, probe: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(images * tf.random.stateless_normal(tf.shape(images), tf.stack([seed, probe])))

    derivatives = _derivatives(G, ws, projected, lod)
    return std * np.sqrt(np.mean([derivatives(probe) ** 2 for probe in range(_PROBES)], axis=0) / len(ws))


def logit_effects(
    G: "StyleGenerator", ws: np.ndarray, std: np.ndarray, *, logits: Callable[[tf.Tensor], tf.Tensor], target: int, lod: float
) -> np.ndarray:
    """Mean change of a class's logit against the mean of the others by one standard deviation of each style channel, [styles].

    Args:
        G, ws, std, lod: as `image_effects`.
        logits: images in [0, 255] to [N, classes], differentiable.
        target: number of the class.
    """

    def difference(images: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        values = logits(tf.clip_by_value(images * 127.5 + 127.5, 0.0, 255.0))
        others = (tf.reduce_sum(values, axis=1) - values[:, target]) / max(values.shape[1] - 1, 1)
        return tf.reduce_mean(values[:, target] - others)

    return std * _derivatives(G, ws, difference, lod)(0)


def _derivatives(
    G: "StyleGenerator", ws: np.ndarray, function: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], lod: float
) -> Callable[[int], np.ndarray]:
    """Number to derivatives [styles] of function(images, number) by the offset of each style."""
    biases = [dense.bias.value for _, dense in G.style_layers()]

    @tf.function
    def gradients(number):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(biases)
            value = function(G.synthesis(ws, noise_mode="const", lod=lod), number)
        return tape.gradient(value, biases, unconnected_gradients="zero")

    return lambda number: np.concatenate([gradient.numpy() for gradient in gradients(tf.constant(number))])


def _normal(points: np.ndarray, is_positive: np.ndarray) -> tuple[np.ndarray, float]:
    """The unit normal of the boundary, towards the positive side, and its accuracy on points left out."""
    # The machine's margin is 1: points are scaled to a mean length of about one number's standard deviation.
    scale = points.std() or 1.0
    scaled = (points - points.mean(axis=0)) / scale
    weights = fit(scaled, is_positive)[:-1]
    return weights / max(np.linalg.norm(weights), 1e-12), held_out_accuracy(scaled, is_positive)


def _signed(vector: np.ndarray) -> np.ndarray:
    """The vector with its largest component positive: the sign of an eigenvector is arbitrary."""
    return vector * (np.sign(vector[np.abs(vector).argmax()]) or 1)


def _named(name: str, unit: np.ndarray, w: np.ndarray, G: "StyleGenerator", layers: Sequence[int], method: str) -> Direction:
    """A direction of w whose length is the standard deviation of w [N, w_dim] along it."""
    std = (np.asarray(w, np.float64) @ unit).std()
    return Direction(name, np.tile((unit * std).astype(np.float32), (G.num_ws, 1)), tuple(layers), method)
