"""Scores of digits by a LeNet, as in the studies of MNIST: lenet_is and lenet_accuracy, each with the name of its classifier."""

if __name__ == "__main__":  # before the imports of this package, which needs it
    import by_path

    by_path.run("lenet_accuracy10k_converged", __doc__)

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import scipy.special

from metrics import real_images
from metrics.class_scores import accuracy_by_class
from metrics.image_sets import read_images
from metrics.inception_score import NUM_PARTS, split_scores
from metrics.intervals import Estimate, of_parts
from metrics.metric import Metric, Need, Score, Value
from metrics.options import Json, Options
from metrics.sources import file_digest
from stylegan_tf import lenet_file
from stylegan_tf.charts import as_file, cloud, histogram
from stylegan_tf.errors import UserError

if TYPE_CHECKING:
    from metrics.bench import Bench
    from stylegan_tf.lenet import LeNet

KINDS = {"document": False, "converged": True}  # name to `lenet_file.LeNetFile.is_converged`
_MOST_REALS = 10_000  # real images in the figure of confidence
_SHOWN = 100  # images of each side in the figure, as in the study of digits
_EPSILON = 1e-12


@dataclasses.dataclass(frozen=True)
class LenetScore(Metric):
    """A score by one of two classifiers: "document", stopped near the accuracy of the study, or "converged".

    Scores by one cannot be compared with scores by the other. The name of the classifier is part of the name of the score, and
    the file given with --lenet must be of that kind.
    """

    classifier: str = "converged"  # a key of `KINDS`

    suffix_pattern = "_(?P<classifier>document|converged)"
    default_images = 10_000

    @property
    def suffix(self) -> str:
        return f"_{self.classifier}"

    @classmethod
    def parameters(cls, number: str | None, num_images: int, classifier: str) -> dict[str, Json]:
        return {"classifier": classifier}

    def check_size(self, bench: "Bench") -> None:
        super().check_size(bench)
        if (bench.resolution, bench.channels) != (lenet_file.SIDE, 1):
            raise UserError(
                f"{self.name}: LeNet classifies grey images of {lenet_file.SIDE}x{lenet_file.SIDE}, as create_mnist makes them (pictures: "
                f"--resolution {lenet_file.SIDE}). Received: {bench.resolution}x{bench.resolution}, {bench.channels} channels"
            )

    def check_options(self, options: Options) -> None:
        self.path(options)

    def path(self, options: Options) -> str:
        """The file of the classifier.

        Raises:
            UserError: no file was given, or only one of the other kind.
        """
        for path in options.lenet:
            if lenet_file.read(path).is_converged == KINDS[self.classifier]:
                return path
        given = f"{', '.join(options.lenet)} is of the other kind" if options.lenet else "none was given"
        raise UserError(
            f"{self.name} needs a {self.classifier} LeNet (--lenet FILE.npz); {given}. See python -m stylegan_tf.lenet_training --help"
        )

    def outputs(self, bench: "Bench") -> tuple[np.ndarray, np.ndarray]:
        """Activations before the logits [N, 84] and logits [N, 10] of the images that are scored."""
        from stylegan_tf import lenet

        path = self.path(bench.options)
        network = lenet.load(path)

        found = bench.of_images(
            "lenet", {"lenet": file_digest(path)}, self.num_images, lambda _, images: _outputs(network, images.numpy()), "classified"
        )
        return found[:, : -lenet_file.NUM_CLASSES], found[:, -lenet_file.NUM_CLASSES :]

    def request(self, bench: "Bench") -> dict[str, Json]:
        return {"lenet": file_digest(self.path(bench.options))}

    def own_accuracy(self, bench: "Bench") -> Estimate:
        """The share of test digits that the classifier itself recognises, from its file."""
        return Estimate(lenet_file.read(self.path(bench.options)).accuracy)

    def protocol(self, bench: "Bench") -> dict[str, Json]:
        """The part of the protocol that both scores share."""
        return {"classifier": self.classifier, "lenet": file_digest(self.path(bench.options)), "num_fakes": self.num_images}


class LenetInceptionScore(LenetScore):
    """exp of the mean KL divergence of p(digit | image) from p(digit) by a LeNet; mean over ten parts; at most 10."""

    stem = "lenet_is"
    examples = "lenet_is10k_converged, lenet_is10k_document"
    summary = "Inception Score by a LeNet, for digits (--lenet FILE)"
    scale = "from 1 (one digit, or none recognisable) to 10"
    protocol_summary = "mean over ten parts; the test accuracy of the classifier is part of the result"
    needs = frozenset()
    values = (Value(lower_is_better=False), Value("classifier", lower_is_better=None))

    def score(self, bench: "Bench") -> Score:
        activations, logits = self.outputs(bench)
        estimate = of_parts(split_scores(logits, NUM_PARTS), "generated images")
        values = {self.name: estimate, f"{self.name}_classifier": self.own_accuracy(bench)}
        return Score(values, {**self.protocol(bench), "parts": NUM_PARTS}, charts=self.charts(bench, activations, logits))

    def charts(self, bench: "Bench", activations: np.ndarray, logits: np.ndarray) -> dict[str, str]:
        """Two charts: principal components of activations, and the confidence of the classifier, of real and of scored images."""
        from stylegan_tf import lenet

        others = bench.held_out or bench.dataset  # test digits where they are given
        name = "held-out" if bench.held_out else "training"
        selection = real_images.select(others.num_images, min(self.num_images, _MOST_REALS), is_mirrored=False, seed=bench.options.seed)
        rows = np.random.default_rng(bench.options.seed).permutation(selection.indices)  # records may be sorted by class
        real = _outputs(lenet.load(self.path(bench.options)), read_images(others, rows, bench.resolution, bench.channels))
        real_activations, real_logits = np.split(real, [-lenet_file.NUM_CLASSES], axis=1)
        shown = {name: real_activations[:_SHOWN], "generated": activations[:_SHOWN]}
        points = principal_components(np.concatenate(list(shown.values())))
        clouds = dict(zip(shown, np.split(points, [len(shown[name])]), strict=True))
        confidence = {name: confidences(real_logits), "generated": confidences(logits)}
        note = f"LeNet ({self.classifier}, {100 * lenet_file.read(self.path(bench.options)).accuracy:.2f} % of test digits)"
        return {
            "activations": as_file(cloud(clouds), "activations before the logits, first two principal components", note),
            "confidence": as_file(histogram(confidence, (0.0, 1.0)), "confidence: probability of the most probable digit", note),
        }


class LenetAccuracy(LenetScore):
    """The share of digits that a LeNet recognises as the requested digit, in total and for each digit."""

    stem = "lenet_accuracy"
    examples = "lenet_accuracy10k_converged, lenet_accuracy10k_document"
    summary = "share of digits that a LeNet classifies as the requested digit (--lenet FILE)"
    scale = "1: every digit is recognised; the limit is the accuracy of the LeNet on real digits"
    protocol_summary = "conditional models; the test accuracy of the classifier is part of the result"
    needs = frozenset({Need.CLASSES, Need.CONDITIONAL})
    values = (Value(lower_is_better=False), Value("classifier", lower_is_better=None))

    def score(self, bench: "Bench") -> Score:
        values, classes = accuracy_by_class(self.name, self.outputs(bench)[1], bench)
        values[f"{self.name}_classifier"] = self.own_accuracy(bench)
        return Score(values, self.protocol(bench), classes=classes)


def principal_components(rows: np.ndarray) -> np.ndarray:
    """float64 [N, 2]: coordinates of rows [N, D] along the two directions of largest variance; the sign is fixed."""
    centred = np.asarray(rows, np.float64) - rows.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    directions = directions[:2]
    directions *= np.sign(directions[np.arange(2), np.abs(directions).argmax(axis=1)] + _EPSILON)[:, np.newaxis]
    return centred @ directions.T


def confidences(logits: np.ndarray) -> np.ndarray:
    """float64 [N]: the largest of the probabilities of logits [N, K]."""
    return scipy.special.softmax(np.asarray(logits, np.float64), axis=1).max(axis=1)


def _outputs(network: "LeNet", images: np.ndarray) -> np.ndarray:
    """float32 [N, 94]: activations and logits of uint8 images [N, 32, 32, 1]."""
    from stylegan_tf.images import to_float

    parts = []
    for start in range(0, len(images), 1000):
        batch = to_float(images[start : start + 1000])
        parts.append(np.concatenate([network.activations(batch), network(batch)], axis=1))
    return np.concatenate(parts)
