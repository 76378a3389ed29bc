"""Pictures do not depend on how they are batched; figures mean what they show."""

import numpy as np
import pytest

from stylegan_tf.images import to_uint8
from stylegan_tf.inference import figures, noise_figures
from stylegan_tf.inference.graph_randn import randn
from stylegan_tf.inference.latents import latents_from_seeds
from stylegan_tf.inference.painter import Painter
from tests.inference.small_network import small_generator


@pytest.fixture(scope="module")
def generator():
    return small_generator()


@pytest.fixture(scope="module")
def painter(generator):
    return Painter(generator, batch_size=4)


@pytest.fixture(scope="module")
def ws(painter):
    return painter.ws(latents_from_seeds(range(5), 4))


def test_pictures_are_those_of_the_network(generator, painter, ws):
    expected = generator.synthesis(ws, noise_mode="const").numpy()
    np.testing.assert_allclose(painter.pictures(ws).astype(int), to_uint8(expected).astype(int), atol=1)
    assert painter.pictures(ws).std() > 20


@pytest.mark.parametrize("noise_mode", ["const", "random", "none"])
def test_pictures_do_not_depend_on_the_batch(generator, ws, noise_mode):
    seeds = [3, 1, 4, 1, 5]
    pictures = [Painter(generator, batch_size=size, noise_mode=noise_mode).pictures(ws, seeds) for size in (1, 3, 8)]
    for other in pictures[1:]:
        assert np.abs(other.astype(int) - pictures[0]).max() <= 1  # sums in another order


def test_random_noise_is_a_function_of_the_seed(generator, ws):
    painter = Painter(generator, noise_mode="random")
    same, other = painter.pictures(np.repeat(ws[:1], 2, axis=0), [7, 7]), painter.pictures(ws[:1], [8])
    np.testing.assert_array_equal(same[0], same[1])
    assert np.any(same[0] != other[0])


def test_truncation_is_the_networks(generator, painter, ws):
    for psi, cutoff in ((0.7, 2), (-1.0, 4), (0.0, None)):
        expected = generator.truncate(ws, psi, 4 if cutoff is None else cutoff).numpy()
        np.testing.assert_allclose(painter.truncate(ws, psi, cutoff), expected, atol=1e-6)
    assert painter.truncate(ws, None) is ws


def test_half_grown_networks_draw_at_their_level(generator, ws):
    assert Painter(generator, lod=1.0).pictures(ws).shape == (5, 4, 4, 3)
    assert Painter(generator, lod=0.5).pictures(ws).shape == (5, 8, 8, 3)


def test_style_mixing_of_all_layers_is_the_column_and_of_none_the_row(painter, ws):
    sheet, mixed = figures.style_mixing(painter, ws[:3], ws[3:], [[0, 1, 2, 3], [], [0, 1]])
    pictures = painter.pictures(ws)
    np.testing.assert_array_equal(mixed[0], pictures[3:])
    np.testing.assert_array_equal(mixed[1], pictures[[1, 1]])
    assert sheet.shape == (4 * 8, 3 * 8, 3)
    np.testing.assert_array_equal(sheet[:8, 8:16], pictures[3])
    np.testing.assert_array_equal(sheet[8:16, :8], pictures[0])
    expected = np.concatenate([ws[4:5, :2], ws[2:3, 2:]], axis=1)
    np.testing.assert_allclose(mixed[2, 1].astype(int), painter.pictures(expected)[0], atol=1)


def test_truncation_figure(painter, ws):
    sheet = figures.truncation(painter, ws[:2], [1, 0])
    np.testing.assert_array_equal(sheet[:8, :8], painter.pictures(ws[:1])[0])
    np.testing.assert_array_equal(sheet[:8, 8:], sheet[8:, 8:])  # psi 0 is the average, whatever the seed


def test_uncurated_sheet(painter):
    levels = [0, 1]
    count = figures.num_uncurated(3, levels)
    assert count == 3 + 6
    ws = painter.ws(latents_from_seeds(range(count), 4))
    sheet = figures.uncurated(painter, ws, rows=3, levels=levels)
    assert sheet.shape == (24, 8 + 4, 3)
    np.testing.assert_array_equal(sheet[8:16, :8], painter.pictures(ws)[1])


def test_noise_components_put_the_noise_back(generator, painter, ws):
    before = painter.pictures(ws)
    sheet, names = noise_figures.noise_components(painter, ws)
    assert names == ["all layers", "no noise", "fine (2-3)", "coarse (0-1)"]
    np.testing.assert_array_equal(sheet[:8, :8], before[0])
    np.testing.assert_allclose(sheet[:8, 8:16].astype(int), Painter(generator, noise_mode="none").pictures(ws)[0], atol=1)
    np.testing.assert_array_equal(painter.pictures(ws), before)


def test_noise_detail_measures_the_deviation(generator, ws):
    painter = Painter(generator, noise_mode="random")
    sheet = noise_figures.noise_detail(painter, ws[:1], num_samples=20, crop=(0, 0.5, 0, 0.5))
    assert sheet.shape == (8, 24, 3)
    pictures = painter.pictures(np.repeat(ws[:1], 20, axis=0))
    expected = np.clip(np.std(pictures.mean(axis=3), axis=0) * 4 + 0.5, 0, 255).astype(np.uint8)
    np.testing.assert_allclose(sheet[:, 16:, 0].astype(int), expected, atol=1)
    silent = Painter(generator, noise_mode="none")
    assert noise_figures.noise_detail(silent, ws[:1], num_samples=6)[:, 16:].max() == 0


@pytest.mark.parametrize("count", [1, 2, 7, 512])
def test_seeds_in_a_graph_are_numpys(count):
    seeds = [0, 1, 5, 297, 2**31, 2**32 - 1]
    expected = np.stack([np.random.RandomState(seed).randn(count) for seed in seeds])
    np.testing.assert_allclose(randn(np.array(seeds, np.int64), count), expected, atol=1e-6)
