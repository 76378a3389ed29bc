"""Shared by the tests of metrics: recorded references and weights, which may be missing, and a tiny network."""

from pathlib import Path

import keras
import numpy as np
import pytest

from metrics.networks import weights

_GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden"


@pytest.fixture(scope="session")
def golden():
    """The folder of recorded references."""
    if not _GOLDEN.is_dir():
        pytest.skip(f"no recorded references in ({_GOLDEN})")
    return _GOLDEN


def _needs(name: str) -> None:
    if not (weights.cache_folder() / "weights" / f"{name}.npz").is_file():
        pytest.skip(f"{name} is not in the cache folder: python -m metrics --fetch")


@pytest.fixture(scope="session")
def inception_weights():
    _needs(weights.INCEPTION)
    return weights.load_inception()


@pytest.fixture(scope="session")
def lpips_weights():
    _needs(weights.LPIPS_VGG16)
    return weights.load_lpips()


class ProjectedPixels:
    """Replaces Inception by 6 random projections of the pixels, so that tests need no weights."""

    def __init__(self):
        self.calls = 0

    def __call__(self, images):
        images = np.asarray(images)
        self.calls += 1
        flat = images.reshape(len(images), -1).astype(np.float32) / 255
        return flat @ np.random.default_rng(5).normal(size=(flat.shape[1], 6)).astype(np.float32) * 0.1


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Inception replaced, cache and all results below tmp_path."""
    from metrics import generated

    extractor = ProjectedPixels()
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(generated, "_inception", lambda *_: extractor)
    monkeypatch.setattr(weights, "load_inception", lambda *_: {})
    return extractor


@pytest.fixture(scope="session")
def leaves_path(tmp_path_factory):
    """60 images of 8x8 in two classes: dark and light."""
    from stylegan_tf.data import DatasetWriter

    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("data") / "leaves"
    with DatasetWriter(folder, resolution=8, channels=3, class_names=["dark", "light"]) as writer:
        for number in range(60):
            image = rng.integers(0, 128, (8, 8, 3), np.uint8) + np.uint8(127 * (number % 2))
            writer.add(image, label=number % 2)
    return folder


@pytest.fixture(scope="session")
def snapshot_networks(leaves_path):
    """An untrained 8x8 network with the record of its data."""
    from stylegan_tf import data
    from stylegan_tf.snapshot import Networks
    from tests.flat_networks import Discriminator, Generator

    dataset = data.open_dataset(leaves_path)
    keras.utils.set_random_seed(0)
    sizes = {"resolution": 8, "fmap_max": 8, "label_size": 2}
    generators = [Generator(z_dim=8, w_dim=8, mapping_layers=2, mapping_fmaps=8, **sizes) for _ in range(2)]
    identity = {"path": str(leaves_path), "name": "leaves", "digest": dataset.digest, "mirror": False, "num_images": 60}
    return Networks(generators[0], Discriminator(**sizes), generators[1], nimg=7000, dataset=identity, source="network-snapshot-000007.pkl")
