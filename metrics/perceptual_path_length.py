"""Perceptual path length: ppl_zfull, ppl_wfull, ppl_zend, ppl_wend: how much an image changes for a small step in latent space."""

if __name__ == "__main__":  # before the imports of this package, which needs it
    import by_path

    by_path.run("ppl_wfull", __doc__)

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from metrics.intervals import bootstrap
from metrics.metric import Metric, Need, Score
from metrics.options import Json

if TYPE_CHECKING:
    from collections.abc import Callable

    import tensorflow as tf

    from metrics.bench import Bench
    from metrics.generated import Worker

EPSILON = 1e-4
_TRIM_PERCENT = 1  # at either end
_TIMES = 5  # stream of random numbers


@dataclasses.dataclass(frozen=True)
class PerceptualPathLength(Metric):
    """Mean LPIPS between the images of two latents at a distance of 1e-4, divided by 1e-8, without the lowest and the highest percent.

    The path connects two random latents: on a sphere in z, on a straight line in w. The radius of the sphere is 1 if the network
    ignores the norm of z, as that of the original does, otherwise sqrt(z_dim) (see `Generated.path_norm`). The step is anywhere
    on the path ("full") or at its start ("end"). Noise is sampled for each pair and is the same for both of its images.

    Source: Karras et al. 2019, arXiv:1812.04948, section 4.1.
    """

    space: str = "w"  # "z" or "w"
    sampling: str = "full"  # "full" or "end"

    stem = "ppl"
    suffix_pattern = "_(?P<space>[zw])(?P<sampling>full|end)"
    default_images = 100_000
    is_default_named = False
    examples = "ppl_zfull, ppl_wfull, ppl_zend, ppl_wend"
    summary = "perceptual path length in z or w"
    scale = "small if a small step of the latent changes the image little"
    protocol_summary = "pairs of images a step of 1e-4 apart, anywhere on a path (full) or at its start (end); LPIPS with VGG16"
    needs = frozenset({Need.LPIPS, Need.STYLES})

    @property
    def suffix(self) -> str:
        return f"_{self.space}{self.sampling}"

    @classmethod
    def parameters(cls, number: str | None, num_images: int, space: str, sampling: str) -> dict[str, Json]:
        return {"space": space, "sampling": sampling}

    def score(self, bench: "Bench") -> Score:
        crop = bench.options.crop
        protocol = {"distance": "lpips-0.1-vgg16", "space": self.space, "sampling": self.sampling, "epsilon": EPSILON, "crop": crop,
                    "images": "whole" if crop == "none" else "rows 3/8 to 7/8, columns 2/8 to 6/8"}  # fmt: skip
        protocol |= self.request(bench)
        chunks = bench.stored_chunks("paths", protocol, self.num_images, self.distances, f"{self.name}: pairs")
        distances = np.concatenate([values for _, values in chunks])
        protocol |= {"num_pairs": len(distances), "noise": "one draw a pair"}
        return Score({self.name: bootstrap(distances, trimmed_mean, seed=bench.options.seed)}, protocol)

    def request(self, bench: "Bench") -> dict[str, Json]:
        if self.space == "w" or bench.workers[0].generated.path_norm == 1:
            return {}
        return {"z_norm": "sqrt(z_dim)"}

    def run_batch(self, worker: "Worker", count: int) -> None:
        self.distances(worker, 0, count)

    def distances(self, worker: "Worker", chunk: int, count: int) -> np.ndarray:
        """Distances of the first `count` pairs of a chunk over epsilon squared, float32 [count]."""
        return path_distances(worker, chunk, count, space=self.space, is_full=self.sampling == "full", crop=worker.options.crop)


def trimmed_mean(distances: np.ndarray) -> float:
    """Mean of the values from the first to the last percentile, both included."""
    low = np.percentile(distances, _TRIM_PERCENT, method="lower")
    high = np.percentile(distances, 100 - _TRIM_PERCENT, method="higher")
    return float(np.mean(distances[(distances >= low) & (distances <= high)]))


def path_distances(worker: "Worker", chunk: int, count: int, *, space: str, is_full: bool, crop: str) -> np.ndarray:
    """Distances of `count` pairs over epsilon squared, float32 [count]."""
    import tensorflow as tf

    generated = worker.generated
    ends = generated.latents(2 * chunk), generated.latents(2 * chunk + 1)
    labels, noise_seeds = generated.labels(chunk), generated.noise_seeds(chunk)
    rng = np.random.default_rng([generated.options.seed, _TIMES, chunk])
    times = rng.random(len(ends[0]), np.float32) * np.float32(is_full)
    distances = np.empty(count, np.float32)
    step = _step_function(worker, space, crop)
    size = max(1, generated.batch_size // 2)  # two images a pair
    for start in range(0, count, size):
        rows = slice(start, min(start + size, count))
        with tf.device(worker.device):
            batch_labels = None if labels is None else labels[rows]
            distances[rows] = step(ends[0][rows], ends[1][rows], times[rows], batch_labels, noise_seeds[rows])
        generated.advance(rows.stop - rows.start)
    return distances


def _step_function(worker: "Worker", space: str, crop: str) -> "Callable[..., tf.Tensor]":
    """The compiled distance of one batch; one for each worker and kind of path."""
    import tensorflow as tf

    if (space, crop) not in worker.path_steps:
        lpips, generated = worker.lpips, worker.generated
        norm = generated.path_norm if space == "z" else 1.0
        # The same seed gives both images of a pair the same maps.
        noise = "none" if generated.options.noise_mode == "none" else "random"

        def step(first, second, times, labels, noise_seeds):
            times = times[:, tf.newaxis]
            if space == "z":
                styles = [generated.styles(slerp(first, second, t) * norm, labels) for t in (times, times + EPSILON)]
            else:
                start, end = generated.styles(first, labels), generated.styles(second, labels)
                styles = [start + (end - start) * t[..., tf.newaxis] for t in (times, times + EPSILON)]
            images = [_prepared(generated.synthesize(ws, noise_seeds, noise), crop) for ws in styles]
            return lpips(*images) / EPSILON**2

        worker.path_steps[space, crop] = tf.function(step, reduce_retracing=True)
    return worker.path_steps[space, crop]


def slerp(first: "tf.Tensor", second: "tf.Tensor", times: "tf.Tensor") -> "tf.Tensor":
    """Points on the great circle between the directions of two batches [N, D]; times [N, 1] in [0, 1]."""
    import tensorflow as tf

    first, second = tf.math.l2_normalize(first, axis=-1, epsilon=0.0), tf.math.l2_normalize(second, axis=-1, epsilon=0.0)
    cosine = tf.reduce_sum(first * second, axis=-1, keepdims=True)
    angle = times * tf.math.acos(tf.clip_by_value(cosine, -1.0, 1.0))
    side = tf.math.l2_normalize(second - cosine * first, axis=-1)
    return tf.math.l2_normalize(first * tf.cos(angle) + side * tf.sin(angle), axis=-1, epsilon=0.0)


def _prepared(images: "tf.Tensor", crop: str) -> "tf.Tensor":
    """Images cropped by the options and reduced by whole factors to about 256 pixels a side, as in the training of LPIPS."""
    import tensorflow as tf

    images = images[..., :3]
    if crop == "face":
        eighth = images.shape[1] // 8
        images = images[:, 3 * eighth : 7 * eighth, 2 * eighth : 6 * eighth]
    factor = images.shape[1] // 256
    return tf.nn.avg_pool2d(images, factor, factor, "VALID") if factor > 1 else images
