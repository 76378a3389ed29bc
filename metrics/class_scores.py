"""Scores by class of conditional models: FID of each class, and the share of images classified as the requested class."""

if __name__ == "__main__":  # before the imports of this package, which needs it
    import by_path

    by_path.run("accuracy10k_labels", __doc__)

from typing import TYPE_CHECKING

import numpy as np

from metrics.features.moments import frechet_distance, moments_of
from metrics.features.store import CHUNK
from metrics.frechet_inception_distance import size_notes
from metrics.intervals import Estimate, proportion
from metrics.metric import AgainstReals, Metric, Need, Score, Value
from metrics.sources import class_names
from stylegan_tf.errors import UserError

if TYPE_CHECKING:
    from metrics.bench import Bench

_LEAST_PER_CLASS = 2  # images with a covariance


class ClassFrechetDistance(AgainstReals):
    """FID between the generated images of a requested class and the real images of that class: mean over the classes, and the worst.

    Each class has only a part of the images, so the values are far above the FID of all images together.
    """

    stem = "fid"
    suffix = suffix_pattern = "_classes"
    default_images = 10_000
    examples = "fid10k_classes, fid10k_classes_full"
    summary = "Fréchet Inception distance within each class, for conditional models"
    scale = "as fid, but far above the fid of all images, because each class has fewer"
    protocol_summary = "mean over the classes and the worst; labels as frequent as in the data; real images as for kid"
    needs = frozenset({Need.FEATURES, Need.REALS, Need.CLASSES, Need.CONDITIONAL})
    values = (Value(), Value("worst"))

    def score(self, bench: "Bench") -> Score:
        selection = self.select(bench)
        reals, fakes = bench.all_real_features(selection), bench.all_generated_features(self.num_images)
        real_classes = np.asarray(bench.dataset.labels)[selection.indices].argmax(axis=1)
        fake_classes = asked_classes(bench, self.num_images)
        found, left_out = {}, []
        for number, name in enumerate(class_names(bench.dataset)):
            parts = fakes[fake_classes == number], reals[real_classes == number]
            if min(map(len, parts)) < _LEAST_PER_CLASS:
                left_out.append(name)
            else:
                found[name] = frechet_distance(*(moments_of([part]) for part in parts))
        if not found:
            raise UserError(f"{self.name}: no class has two generated and two real images. Use more images: --num-images N")
        values = {self.name: Estimate(float(np.mean(list(found.values())))), f"{self.name}_worst": Estimate(max(found.values()))}
        least = min(int((fake_classes == number).sum()) for number in range(bench.dataset.label_size))
        notes = (*size_notes(least), *([f"left out, fewer than two images: {', '.join(left_out)}"] if left_out else []))
        protocol = {**self.shared_protocol(bench, selection), "covariance": "unbiased"}
        return Score(values, protocol, notes=notes, classes=found)


class ClassAccuracy(Metric):
    """The share of images that a classifier recognises as the requested class, and the classifier's own accuracy.

    The classifier is trained on the labels of the dataset, as for `is50k_labels`. The shares of the classes show what a conditional
    model confuses or never generates.
    """

    stem = "accuracy"
    suffix = suffix_pattern = "_labels"
    default_images = 10_000
    examples = "accuracy10k_labels"
    summary = "share of images classified as the requested class"
    scale = "1: the classifier recognises the requested class in every generated image"
    protocol_summary = "a classifier is trained on the labels; its accuracy on other images is part of the result"
    needs = frozenset({Need.CLASSES, Need.CONDITIONAL})
    values = (Value(lower_is_better=False), Value("classifier", lower_is_better=None))

    def score(self, bench: "Bench") -> Score:
        from metrics.classifiers import label_logits

        logits, classifier = label_logits(bench, self.num_images)
        values, classes = accuracy_by_class(self.name, logits, bench)
        values[f"{self.name}_classifier"] = Estimate(classifier.accuracy)
        return Score(values, {"classifier": classifier.origin, "num_fakes": self.num_images}, classes=classes)


def accuracy_by_class(name: str, logits: np.ndarray, bench: "Bench") -> tuple[dict[str, Estimate], dict[str, float]]:
    """The share of logits [N, classes] whose maximum is the requested class, in total and by class."""
    asked = asked_classes(bench, len(logits))
    is_right = logits.argmax(axis=1) == asked
    rows = {of: asked == number for number, of in enumerate(class_names(bench.dataset))}
    classes = {of: float(is_right[chosen].mean()) for of, chosen in rows.items() if chosen.any()}
    return {name: proportion(is_right)}, classes


def asked_classes(bench: "Bench", num_images: int) -> np.ndarray:
    """int [num_images], the requested class of each image."""
    generated = bench.workers[0].generated
    labels = [generated.labels(chunk) for chunk in range(-(-num_images // CHUNK))]
    return np.concatenate(labels).argmax(axis=1)[:num_images]
