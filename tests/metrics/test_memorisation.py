"""The share of near-duplicates of training images, without TensorFlow."""

from types import SimpleNamespace

import numpy as np
import pytest

from metrics import nearest_neighbours
from metrics.intervals import proportion
from metrics.nearest_neighbours import Memorisation, flip_pixels, small_pixels
from metrics.options import Options
from stylegan_tf import data


def smooth_images(count, seed, side=32):
    """uint8 [count, side, side, 3]: blurred noise, whose neighbouring pixels are alike as in photographs."""
    spectrum = np.fft.rfft2(np.random.default_rng(seed).normal(size=(count, side, side, 3)), axes=(1, 2))
    rows, columns = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)
    images = np.fft.irfft2(spectrum * np.exp(-300 * (rows**2 + columns**2))[..., None], axes=(1, 2))
    return np.clip(127 + 55 * images / images.std(), 0, 255).astype(np.uint8)


def amplitudes(images):
    """Features that a shift does not move and a little noise does: logarithms of the amplitudes of all frequencies."""
    spectrum = np.abs(np.fft.rfft2(np.asarray(images, np.float32), axes=(1, 2)))
    return np.log1p(spectrum).astype(np.float32).reshape(len(images), -1)


COPIES = {
    "exact": lambda images: images,
    "noisy": lambda images: np.clip(images + np.random.default_rng(1).normal(0, 4, images.shape), 0, 255).astype(np.uint8),
    "shifted": lambda images: np.roll(images, (8, 8), axis=(1, 2)),
    "flipped": lambda images: images[:, :, ::-1],
}


class Bench:
    """The parts of a bench that memorisation uses, for images that are given."""

    held_out = None
    options = Options()

    def __init__(self, images, dataset, *, is_mirrored):
        self.images, self.dataset, self.is_mirrored = images, dataset, is_mirrored
        self.resolution, self.channels = images.shape[1], 3

    def feature_protocol(self):
        return {}

    def all_generated_features(self, num_images):
        return amplitudes(self.images[:num_images])

    def of_images(self, kind, protocol, num_images, function, label):
        return function(SimpleNamespace(features=amplitudes), np.asarray(self.images).view(_Tensor))

    def real_features(self, selection, of=None):
        images = data.read_images(of or self.dataset, selection.indices, self.resolution)
        yield 0, amplitudes(images[:, :, ::-1] if selection.is_mirrored[0] else images)


class _Tensor(np.ndarray):
    def numpy(self):
        return np.asarray(self)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smooth") / "smooth"
    with data.DatasetWriter(folder, resolution=32, channels=3) as writer:
        for image in smooth_images(80, 1):
            writer.add(image)
    return data.open_dataset(folder)


@pytest.mark.parametrize("percent", [0, 10, 20, 50])
@pytest.mark.parametrize("kind", COPIES)
@pytest.mark.parametrize("is_mirrored", [False, True])
def test_share_of_copies_among_poor_images(photographs, monkeypatch, kind, percent, is_mirrored):
    """Half exact copies among poor images scored 0.50, the ideal."""
    monkeypatch.setattr(nearest_neighbours, "figure", lambda *_: None)
    images = np.random.default_rng(2).integers(0, 256, (100, 32, 32, 3), np.uint8)  # noise
    images[:percent] = COPIES[kind](smooth_images(80, 1)[:percent])
    values = Memorisation(100).score(Bench(images, photographs, is_mirrored=is_mirrored)).values
    found = values["memorisation100_copies"]
    assert found.value == percent / 100
    assert found.low <= percent / 100 < found.high
    if kind == "shifted" and percent:
        assert values["memorisation100_copies_pixels"].value < percent / 100


def test_new_images_are_not_copies(photographs, monkeypatch):
    monkeypatch.setattr(nearest_neighbours, "figure", lambda *_: None)
    values = Memorisation(100).score(Bench(smooth_images(100, 7), photographs, is_mirrored=False)).values
    assert values["memorisation100_copies"].value < 0.06  # the nearest of 80 held-out images is the limit, twice


def test_pixels_are_mirrored():
    images = smooth_images(3, 0)
    np.testing.assert_array_equal(flip_pixels(small_pixels(images), 3), small_pixels(images[:, :, ::-1]))


def test_interval_of_a_share_is_never_empty():
    none, every = proportion(np.zeros(1000, bool)), proportion(np.ones(1000, bool))
    assert (none.value, none.low, every.high) == (0, 0, 1)
    assert none.high == pytest.approx(0.00383, abs=1e-5)
    assert every.low == pytest.approx(1 - none.high)
