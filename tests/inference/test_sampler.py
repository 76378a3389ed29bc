"""Images do not depend on how they are batched; figures show what they claim."""

import numpy as np
import pytest

from stylegan_tf.images import to_uint8
from stylegan_tf.inference import figures
from stylegan_tf.inference.sampler import ImageSampler, StyleSampler
from stylegan_tf.seeds import latents_from_seeds
from tests.inference.small_network import small_generator


@pytest.fixture(scope="module")
def generator():
    return small_generator()


@pytest.fixture(scope="module")
def sampler(generator):
    return StyleSampler(generator, batch_size=4)


@pytest.fixture(scope="module")
def ws(sampler):
    return sampler.ws(latents_from_seeds(range(5), 4))


def test_images_are_those_of_the_network(generator, sampler, ws):
    expected = generator.synthesis(ws, noise_mode="const").numpy()
    np.testing.assert_allclose(sampler.images(ws).astype(int), to_uint8(expected).astype(int), atol=1)
    assert sampler.images(ws).std() > 20


@pytest.mark.parametrize("noise_mode", ["const", "random", "none"])
def test_images_do_not_depend_on_the_batch(generator, ws, noise_mode):
    seeds = [3, 1, 4, 1, 5]
    images = [StyleSampler(generator, batch_size=size, noise_mode=noise_mode).images(ws, seeds) for size in (1, 3, 8)]
    for other in images[1:]:
        assert np.abs(other.astype(int) - images[0]).max() <= 1  # sums in another order


def test_random_noise_is_a_function_of_the_seed(generator, ws):
    sampler = StyleSampler(generator, noise_mode="random")
    same, other = sampler.images(np.repeat(ws[:1], 2, axis=0), [7, 7]), sampler.images(ws[:1], [8])
    np.testing.assert_array_equal(same[0], same[1])
    assert np.any(same[0] != other[0])


def test_truncation_is_the_networks(generator, sampler, ws):
    for psi, cutoff in ((0.7, 2), (-1.0, 4), (0.0, None)):
        expected = generator.truncate(ws, psi, 4 if cutoff is None else cutoff).numpy()
        np.testing.assert_allclose(sampler.truncate(ws, psi, cutoff), expected, atol=1e-6)
    assert sampler.truncate(ws, None) is ws


def test_images_of_half_grown_networks_have_their_size(generator, ws):
    assert StyleSampler(generator, lod=1.0).images(ws).shape == (5, 4, 4, 3)
    assert StyleSampler(generator, lod=0.5).images(ws).shape == (5, 8, 8, 3)


@pytest.mark.parametrize("label_size", [0, 3])
def test_any_generator_is_sampled(label_size):  # as the base class promises it: no mapping, no synthesis
    G = small_generator(label_size=label_size)
    z, labels = latents_from_seeds(range(5), 4), np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]] if label_size else None
    noise_seeds = np.array([[0, number] for number in range(5)], np.int32)
    expected = to_uint8(G.sample(z, labels, noise_seed=noise_seeds).numpy()).astype(int)
    images = np.concatenate(list(ImageSampler(G, batch_size=2).batches(z, labels)))
    np.testing.assert_allclose(images.astype(int), expected, atol=1)


def test_style_mixing_of_all_layers_is_the_column_and_of_none_the_row(sampler, ws):
    mixed = figures.style_mixing(sampler, ws[:3], ws[3:], [[0, 1, 2, 3], [], [0, 1]])
    images = sampler.images(ws)
    assert mixed.shape == (4, 3, 8, 8, 3)
    assert (mixed[0, 0] == 255).all()
    np.testing.assert_array_equal(mixed[0, 1:], images[3:])
    np.testing.assert_array_equal(mixed[1:, 0], images[:3])
    np.testing.assert_array_equal(mixed[1, 1:], images[3:])
    np.testing.assert_array_equal(mixed[2, 1:], images[[1, 1]])
    expected = np.concatenate([ws[4:5, :2], ws[2:3, 2:]], axis=1)
    np.testing.assert_allclose(mixed[3, 2].astype(int), sampler.images(expected)[0], atol=1)


def test_truncation_figure(sampler, ws):
    images = figures.truncation(sampler, ws[:2], [1, 0])
    np.testing.assert_array_equal(images[0, 0], sampler.images(ws[:1])[0])
    np.testing.assert_array_equal(images[0, 1], images[1, 1])  # psi 0 is the average, whatever the seed


def test_uncurated_grid(sampler):
    levels = [0, 1]
    count = figures.num_uncurated(3, levels)
    assert count == 3 + 6
    ws = sampler.ws(latents_from_seeds(range(count), 4))
    grid = figures.uncurated(sampler, ws, rows=3, levels=levels)
    gap, small = 4, (128 + 4) // 2 - 4  # enlarged to 128 pixels, and half of that
    assert grid.shape == (3 * (128 + gap) - gap, 128 + gap + small, 3)
    np.testing.assert_array_equal(grid[132:260, :128], sampler.images(ws)[1].repeat(16, axis=0).repeat(16, axis=1))
    assert (grid[128:132] == 255).all()
    assert (grid[small : small + gap, 132:] == 255).all()  # a gap between the small images too


def test_noise_components_put_the_noise_back(generator, sampler, ws):
    before = sampler.images(ws)
    images, names = figures.noise_components(sampler, ws)
    assert names == ["all layers", "no noise", "fine (2-3)", "coarse (0-1)"]
    np.testing.assert_array_equal(images[:, 0], before)
    np.testing.assert_allclose(images[0, 1].astype(int), StyleSampler(generator, noise_mode="none").images(ws)[0], atol=1)
    np.testing.assert_array_equal(sampler.images(ws), before)


def test_noise_detail_measures_the_deviation(generator, ws):
    sampler = StyleSampler(generator, noise_mode="random")
    grid = figures.noise_detail(sampler, ws[:1], num_samples=20, crop=(0, 0.5, 0, 0.5))
    assert grid.shape == (1, 3, 8, 8, 3)
    images = sampler.images(np.repeat(ws[:1], 20, axis=0))
    expected = np.clip(np.std(images.mean(axis=3), axis=0) * 4 + 0.5, 0, 255).astype(np.uint8)
    np.testing.assert_allclose(grid[0, 2, :, :, 0].astype(int), expected, atol=1)
    silent = StyleSampler(generator, noise_mode="none")
    assert figures.noise_detail(silent, ws[:1], num_samples=6)[0, 2].max() == 0
