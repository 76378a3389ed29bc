"""Scores of the discriminator: d_scores, the shares of images that D classifies as real, and how well D separates its training images."""

if __name__ == "__main__":  # before the imports of this package, which needs it
    import by_path

    by_path.run("d_scores", __doc__)

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from metrics import real_images
from metrics.features.store import CHUNK
from metrics.image_sets import ImageSet
from metrics.intervals import proportion
from metrics.metric import MIN_IMAGES, Metric, Need, Score, Value
from metrics.nearest_neighbours import nearness
from stylegan_tf.charts import as_file, histogram
from stylegan_tf.resolution import split_lod

if TYPE_CHECKING:
    from metrics.bench import Bench

_BATCH = 32  # a multiple of every size of the groups of minibatch statistics


class DiscriminatorScores(Metric):
    """Shares of generated, training and held-out images with a logit above 0, and how well D's logits separate these sets.

    "separates_generated" is the probability that a training image has a higher logit than a generated one, and
    "separates_held_out" that it has a higher logit than a photograph that is not in the training set: 0.5 if D does not
    distinguish them, near 1 if D has memorised its training images. Both are also valid for critics, whose logits have no
    threshold. Without --held-out, there are no values of held-out images. Batch normalisation uses its moving averages.
    """

    stem = "d_scores"
    default_images = 1_000
    is_default_named = False
    aliases: ClassVar = {"d": "d_scores"}
    examples = "d_scores, d_scores5k"
    summary = "share of images that D classifies as real: generated, training and held-out images (--held-out)"
    scale = "D has memorised the training images if their logits are far above those of held-out images"
    protocol_summary = "shares of logits above 0 and the order of logits; a figure of their histograms"
    needs = frozenset({Need.DISCRIMINATOR, Need.REALS})
    # A D that calls half of the generated images real may be weak or fooled: neither direction is better. A D that overfits is worse.
    values = (
        *(Value(part, lower_is_better=None) for part in ("generated", "training", "held_out", "separates_generated")),
        Value("separates_held_out", lower_is_better=True),
    )
    uses_held_out = True
    least_reals = MIN_IMAGES

    def score(self, bench: "Bench") -> Score:
        logits = {"generated": generated_logits(bench, self.num_images), "training": _real_logits(bench, bench.dataset, self.num_images)}
        if bench.held_out:
            logits["held_out"] = _real_logits(bench, bench.held_out, self.num_images)
        values = {f"{self.name}_{kind}": proportion(of > 0) for kind, of in logits.items()}
        for kind in set(logits) - {"training"}:
            # `nearness` is the probability that the first has the smaller value, with an interval.
            values[f"{self.name}_separates_{kind}"] = nearness(logits[kind], logits["training"], seed=bench.options.seed)
        values = {name: values[name] for name in self.value_names if name in values}
        protocol = {f"num_{kind}": len(of) for kind, of in logits.items()}
        protocol["held_out"] = f"{bench.held_out.name}/{bench.held_out.digest}" if bench.held_out else "none"
        note = "share of the images by logit; above 0: classified as real"
        return Score(values, protocol, charts={"logits": as_file(histogram(logits), "logits of D", note)})


def generated_logits(bench: "Bench", num_images: int) -> np.ndarray:
    """float32 [num_images]: D's logits of generated images with their requested labels."""
    found, generated = [], bench.workers[0].generated
    for start in range(0, num_images, CHUNK):
        count = min(CHUNK, num_images - start)
        images = np.concatenate([images.numpy() for _, images in generated.batches(start // CHUNK, count)])
        labels = generated.labels(start // CHUNK)
        found.append(_logits(bench, images, None if labels is None else labels[:count]))
    return np.concatenate(found)


def _real_logits(bench: "Bench", images: ImageSet, num_images: int) -> np.ndarray:
    """float32 [n] for a sample of a set, with its own labels; all of a smaller one."""
    selection = real_images.select(images.num_images, num_images, is_mirrored=False, seed=bench.options.seed)
    found = []
    for start in range(0, selection.total, CHUNK):
        part = slice(start, min(start + CHUNK, selection.total))
        labels = np.asarray(images.labels[selection.indices[part]]) if bench.label_size else None
        found.append(_logits(bench, real_images.read(images, selection.keys[part], bench.resolution, bench.channels), labels))
    return np.concatenate(found)


def _logits(bench: "Bench", images: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    """float32 [n] of uint8 images [n, R, R, C], R of the full resolution, as D sees them at the level of detail of the snapshot."""
    import tensorflow as tf

    from stylegan_tf.training.inputs import process_reals

    lod = split_lod(bench.lod)
    count, factor = len(images), 1 << lod.floor
    whole = np.arange(-(-count // _BATCH) * _BATCH) % count  # minibatch statistics need whole groups: the first images fill the last batch
    found = []
    for rows in whole.reshape(-1, _BATCH):
        reals = tf.nn.avg_pool2d(tf.cast(images[rows], tf.float32), factor, factor, "VALID")
        of = None if labels is None else tf.constant(labels[rows])
        found.append(bench.networks.D(process_reals(reals, lod.fade), of, lod=lod, training=False))
    return np.concatenate(found)[:count, 0]
