"""Scores of digits by a LeNet: two classifiers that are never mixed, each with its own accuracy beside the score."""

import json

import numpy as np
import pytest
from PIL import Image

from metrics import lenet_scores, program
from stylegan_tf import data, lenet_file

pytestmark = pytest.mark.usefixtures("stand_in")


def save_lenet(path, *, is_converged, accuracy, seed=0):
    rng = np.random.default_rng(seed)
    weights = {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in lenet_file.SHAPES.items()}
    lenet_file.write(path, lenet_file.LeNetFile(weights, is_converged, accuracy))
    return path


@pytest.fixture(scope="module")
def classifiers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lenets")
    document = save_lenet(folder / "document.npz", is_converged=False, accuracy=0.947)
    return document, save_lenet(folder / "converged.npz", is_converged=True, accuracy=0.99, seed=1)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """40 grey images of 32x32 in ten classes, as records and as folders of the classes."""
    folder = tmp_path_factory.mktemp("digits")
    rng = np.random.default_rng(0)
    with data.DatasetWriter(folder / "records", resolution=32, channels=1, class_names=list("0123456789")) as writer:
        for number in range(40):
            image = rng.integers(0, 256, (32, 32, 1), np.uint8)
            writer.add(image, label=number % 10)
            (folder / "drawn" / str(number % 10)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[:, :, 0]).save(folder / "drawn" / str(number % 10) / f"{number}.png")
    return folder


def scores(out, *arguments):
    assert program.run_all([*map(str, arguments), "--outdir", str(out)]) == 0
    return {path.stem: json.loads(path.read_text().splitlines()[-1]) for path in out.glob("metric-*.jsonl")}


def test_scores_have_the_name_and_the_accuracy_of_their_classifier(digits, classifiers, tmp_path):
    from stylegan_tf import lenet

    names = "lenet_is_document,lenet_is_converged,lenet_accuracy_document,lenet_accuracy_converged"
    lenets = [part for path in classifiers for part in ("--lenet", path)]
    found = scores(tmp_path, names, "--images", digits / "drawn", "--data", digits / "records", *lenets)
    images = data.read_images(data.open_dataset(digits / "records"), range(40)).astype(np.float32) / 127.5 - 1
    for kind, path, own in zip(("document", "converged"), classifiers, (0.947, 0.99), strict=True):
        right = np.argmax(lenet.load(path)(images), axis=1) == np.arange(40) % 10
        line = found[f"metric-lenet_accuracy40_{kind}"]
        assert line["values"][f"lenet_accuracy40_{kind}"]["value"] == pytest.approx(right.mean())
        assert line["values"][f"lenet_accuracy40_{kind}_classifier"]["value"] == own
        assert line["classes"] == {str(digit): pytest.approx(right[digit::10].mean()) for digit in range(10)}
        assert 1 <= found[f"metric-lenet_is40_{kind}"]["values"][f"lenet_is40_{kind}"]["value"] <= 10
        assert len(list(tmp_path.glob(f"metric-lenet_is40_{kind}-drawn-*.svg"))) == 2
    protocols = [found[f"metric-lenet_is40_{kind}"]["protocol"]["lenet"] for kind in ("document", "converged")]
    assert protocols[0] != protocols[1]


def test_a_classifier_of_the_other_kind_is_refused(digits, classifiers, leaves_path, tmp_path, capsys):
    images = ["--images", str(digits / "drawn"), "--data", str(digits / "records")]
    cases = {
        "none was given": ["lenet_is_document", *images],
        "document.npz is of the other kind": ["lenet_is_converged", *images, "--lenet", str(classifiers[0])],
        "LeNet classifies grey images of 32x32": [
            "lenet_is_document", "--images", str(leaves_path), "--data", str(leaves_path), "--lenet", str(classifiers[0])
        ],
    }  # fmt: skip
    for message, arguments in cases.items():
        assert program.run_all(arguments) == 2
        assert message in capsys.readouterr().err.splitlines()[-1]
    (tmp_path / "wrong.npz").write_bytes(b"PK\x03\x04")
    assert program.run_all(["lenet_is_document", *images, "--lenet", str(tmp_path / "wrong.npz")]) == 2
    assert "wrong.npz" in capsys.readouterr().err


def test_principal_components_are_those_of_the_covariance():
    rows = np.random.default_rng(0).normal(size=(50, 4)) * [5, 3, 1, 0.5]
    points = lenet_scores.principal_components(rows)
    values = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    np.testing.assert_allclose(np.cov(points.T), np.diag(values[:2]), atol=1e-9)


def test_confidence_is_the_largest_probability():
    logits = np.array([[0.0, np.log(3)], [1000.0, 0.0]])
    np.testing.assert_allclose(lenet_scores.confidences(logits), [0.75, 1.0])
